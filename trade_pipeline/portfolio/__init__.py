"""From opinions to a target per symbol: combination, sizing, limits. Exact arithmetic, no clock, no strategy code."""
