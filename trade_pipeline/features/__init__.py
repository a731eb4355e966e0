"""Indicators of single symbols: one file per family, one named expression per column, put together in `compute`."""
