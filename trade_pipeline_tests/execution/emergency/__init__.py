"""Out of everything."""
