"""From frozen targets to acknowledged orders, and from fills to protected positions.

`execute` is the way of a decision: `planning`, `sending`. `guard` is the way of exits, by the rules of `exits`. Both
meet in `sending.submit` (the only place that sends), `readback.reconcile` (the only place that reads the account back)
and the ledger. `conflicts` and `breaker` say when not to trade on, `buy_guards` what not to buy, and `emergency` leaves
everything without a ledger.
"""
