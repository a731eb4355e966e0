"""Orders from targets."""
