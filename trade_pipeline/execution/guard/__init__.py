"""The exit guard: a small process of its own that keeps every managed position protected (TRADING 14 to 18).

It needs the exchange and, for anything new, the ledger; never Dagster, the broker or a worker.
"""
