"""Differences between ledger and exchange: found by `compare`, decided by `resolve`, kept by `settle`.

Nothing in here sends an order.
"""
