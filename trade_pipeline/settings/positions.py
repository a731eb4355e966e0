"""Settings of the comparison of ledger and exchange: which differences there are, and who is believed.

No strategy of these trades, except that `emergency_flatten` asks the guard for an exit.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from pydantic import Field

from trade_pipeline.settings.base import Section

Strategy = Literal["ledger_first", "exchange_first", "merge", "most_recent", "emergency_flatten", "halt"]
AmountStrategy = Literal["ledger_first", "exchange_first", "merge", "most_recent", "halt"]
"""For what is no position: there is nothing to flatten."""
ForeignPolicy = Literal["adopt", "ignore", "halt"]


class PositionSettings(Section):
    """One truth for positions (TRADING rules 7 and 8, RELIABILITY statements 3, 4, 10, 11 and 27)."""

    position_short: Strategy = "merge"
    """Managed coins are not in the account. Fills that nobody booked may explain it; what they leave halts the symbol:
    whether the coins should be bought back is for a person to say."""
    position_long: AmountStrategy = "merge"
    """More coins of a held asset than the ledger explains. As above; what is left is never managed, so never sold."""
    balance_residual: AmountStrategy = "merge"
    """Any other balance that the ledger does not explain. What fills leave halts all entries; `exchange_first` books it
    as a typed flow instead, for an account with deposits and withdrawals by hand."""
    missing_order: Literal["exchange_first", "halt"] = "exchange_first"
    """The exchange denies a live order of ours. Believed only with proof: its coins are not locked any more."""
    orphan_order: Literal["adopt", "halt"] = "adopt"
    """An order with our prefix and without an intent. Adopted, the next plan and the guard look after it."""
    foreign_orders: ForeignPolicy = "ignore"
    """Orders without our prefix: somebody else trades on the account with coins that are not managed."""
    manual_trades: ForeignPolicy = "ignore"
    """Trades of others. They move balances; where they sold managed coins, position_short says so."""
    dust_quote: Decimal = Field(Decimal("0.01"), ge=0, le=100)
    """Differences of the quote asset up to here are recorded and not acted upon; of a base asset, below one step."""
    acceptance_bounded: bool = True
    """False: do not rely on the exchange's refusal of old requests, where it has one (docs/exchanges.md)."""
    unbounded_wait_s: float = Field(600.0, ge=600, le=86_400)
    """How long a lost order stays UNKNOWN where nothing bounds its arrival, or is to be relied upon."""
    unknown_alert_s: float = Field(30.0, ge=1, le=3600)
    """An order that is UNKNOWN for longer raises an alert."""
