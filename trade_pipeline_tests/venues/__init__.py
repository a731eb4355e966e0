"""Tests of trade_pipeline.venues."""
