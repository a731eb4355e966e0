"""Live is earned: facts are read by `reader`, judged by pure `checks`, and shown as one table."""
