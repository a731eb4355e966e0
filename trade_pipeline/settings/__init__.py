"""What a user can set, as frozen values with units in their names; loading and validation."""
