"""Matching, balances, filters and order lists of the simulated exchange: no I/O, no clock, no randomness."""
