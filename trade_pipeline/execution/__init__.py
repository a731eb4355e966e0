"""From frozen targets to acknowledged orders, and from fills to protected positions.

`execute` is the way of a decision, `guard` the way of exits; both meet in `submit` (the only place that sends),
`reconcile` (the only place that reads the account back) and the ledger.
"""
