"""Paper trading: the engine's orders against a real market that is followed, not simulated (TRADING rule 23)."""
