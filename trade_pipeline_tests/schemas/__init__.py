"""Tests of the shared schemas."""
