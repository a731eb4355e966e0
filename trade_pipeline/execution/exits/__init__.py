"""When a position is to be left: rules shared by the guard, the simulation on candles and a backtest (TRADING 24).

Pure: no input, no output, no clock. How an exit is carried out belongs to `execution.guard`.
"""
