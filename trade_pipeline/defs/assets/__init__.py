"""The assets, by stage. Each loads, calls one stage, returns."""
