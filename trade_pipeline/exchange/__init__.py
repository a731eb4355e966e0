"""The simulated exchange: a matching engine without I/O, a market that plays bars, and a server that speaks
Binance spot REST.

`engine` is a plain object that the server, a backtest and a fault simulator can all hold. `market` makes or replays
bars and one path within each. `world` joins the two with a clock and the store; `server` answers HTTP.
Nothing here imports a stage, a venue or the ledger: an exchange does not know its customers.
"""
