"""Tests of trade_pipeline.execution."""
