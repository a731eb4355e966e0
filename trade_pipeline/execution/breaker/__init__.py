"""The circuit breaker: when a limit is passed, nothing is bought any more, until trading returns in steps.

Pure rules in `evaluate` and `state`, readings in `measures`, the guard's part in `watch`. The states are in the
ledger, so that a restart keeps an open breaker open. What reduces risk never asks a breaker (TRADING 11).
"""
