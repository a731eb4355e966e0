"""The account read back into the ledger: what became of orders, whose coins are locked, what nobody explains.

Nothing here sends or cancels.
"""
