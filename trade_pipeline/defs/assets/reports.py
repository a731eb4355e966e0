"""What a person wants to look at: equity over time, and trades that are over."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import dagster as dg

from trade_pipeline.defs.asset_kinds import report_asset
from trade_pipeline.defs.plots import bar_plot, line_plot
from trade_pipeline.defs.resources import Stack
from trade_pipeline.execution.returns import net_profit

SHOWN_SINCE = timedelta(days=30)
POINTS_MAX = 2000
TRADES_SHOWN_MAX = 50


@report_asset("equity_curve", "Equity, cash and profit net of fees, from the ledger.")
def equity_curve(stack: Stack) -> dg.MaterializeResult[None]:
    book, settings = stack.open.ledger, stack.open.settings
    points = book.equity(settings.account, stack.open.now() - SHOWN_SINCE)
    step = max(len(points) // POINTS_MAX, 1)
    drawn = [*points[::step], *points[-1:]]
    metadata: dict[str, object] = {"dagster/row_count": len(points)}
    if points:
        last = points[-1]
        quote = settings.market.quote_asset
        metadata |= {
            "equity_quote": float(last.equity_quote),
            "drawdown_ratio": float(1 - last.equity_quote / last.peak_quote) if last.peak_quote else 0.0,
            "profit_quote": float(net_profit(last) - net_profit(points[0])),
            "fees_quote": float(last.fees_quote),
            "equity": line_plot(
                "Equity",
                quote,
                [point.at for point in drawn],
                {
                    "equity": [float(point.equity_quote) for point in drawn],
                    "peak": [float(point.peak_quote) for point in drawn],
                },
            ),
        }
    return dg.MaterializeResult(metadata=metadata)  # type: ignore[arg-type]  # only kinds that Dagster knows


@report_asset("closed_trades", "Trades that are over, with their profit net of fees and why they ended.")
def closed_trades(stack: Stack) -> dg.MaterializeResult[None]:
    book, settings = stack.open.ledger, stack.open.settings
    trades = book.closed_trades(settings.account, stack.open.now() - SHOWN_SINCE)
    names = ("symbol", "opened_at", "closed_at", "amount", "entry_price", "exit_price", "profit_quote", "fees_quote",
             "exit_reason", "strategy")  # fmt: skip
    metadata: dict[str, object] = {
        "dagster/row_count": len(trades),
        "profit_quote": float(sum((trade.profit_quote for trade in trades), Decimal(0))),
        "won": sum(trade.profit_quote > 0 for trade in trades),
        "trades": dg.MetadataValue.table(
            records=[
                dg.TableRecord({name: str(getattr(trade, name)) for name in names})
                for trade in trades[-TRADES_SHOWN_MAX:]
            ],
            schema=dg.TableSchema(columns=[dg.TableColumn(name, "string") for name in names]),
        ),
    }
    if trades:
        shown = trades[-TRADES_SHOWN_MAX:]
        labels = [f"{trade.symbol} {trade.closed_at:%d %H:%M}" for trade in shown]
        profits = [float(trade.profit_quote) for trade in shown]
        metadata["profit"] = bar_plot("Profit of closed trades", settings.market.quote_asset, labels, profits)
    return dg.MaterializeResult(metadata=metadata)  # type: ignore[arg-type]  # only kinds that Dagster knows
