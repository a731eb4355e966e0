"""What each strategy thinks of each symbol: regimes, strategies behind one protocol, and their SIGNALS frame."""
