"""Binance spot REST over HTTP: parameters, signatures, weights, answers and routes."""
