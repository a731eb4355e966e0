"""Where bars come from, the path within a bar, and the candles and tickers that are shown of it."""
