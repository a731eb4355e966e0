"""Simulated disasters: the real trading code against the matching engine, in virtual time, with every fault."""
