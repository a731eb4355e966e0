"""Exchanges behind two protocols. The only room that knows ccxt; foreign errors end here (see `error_map`)."""
