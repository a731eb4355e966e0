"""Guards before a purchase: each says yes or no with its numbers, and the ledger keeps every verdict."""
