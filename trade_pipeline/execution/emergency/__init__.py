"""`flatten`: out of everything with the exchange and the home alone, and its journal for the ledger later."""
