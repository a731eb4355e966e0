"""Benchmarks of the product's own code: each states figures and, where machines differ, ratios within one run."""
