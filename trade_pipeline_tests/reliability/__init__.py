"""What really happened to others: thirty statements, each held by a test that runs the real code."""
