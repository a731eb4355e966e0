"""The account read back."""
