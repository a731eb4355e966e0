"""An account, market rules and opinions for tests of targets."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import polars as pl

from trade_pipeline.portfolio.targets import decide_targets
from trade_pipeline.schemas.frames import FEATURES, SIGNALS
from trade_pipeline.schemas.trading import AccountSnapshot, MarketRules
from trade_pipeline.settings.root import Settings

AS_OF = datetime(2026, 3, 1, 12, tzinfo=UTC)
EXPIRES_AT = AS_OF + timedelta(minutes=1)
BTC, ETH, SOL = "BTC/USDT", "ETH/USDT", "SOL/USDT"
Scores = Mapping[str, Mapping[str, float | None]]


def both(score: float | None) -> dict[str, float | None]:
    return {"trend": score, "mean_reversion": score}


def rules_of(symbol: str, *, notional_min: str = "5", step: str = "0.0001", active: bool = True) -> MarketRules:
    base, quote = symbol.split("/")
    return MarketRules(
        symbol=symbol,
        base=base,
        quote=quote,
        active=active,
        price_tick=Decimal("0.01"),
        price_min=Decimal("0.01"),
        price_max=Decimal(1_000_000),
        amount_step=Decimal(step),
        amount_min=Decimal(step),
        amount_max=Decimal(9000),
        market_amount_max=Decimal(9000),
        notional_min=Decimal(notional_min),
        order_types=frozenset({"LIMIT", "STOP_LOSS"}),
        maker_fee_rate=Decimal("0.001"),
        taker_fee_rate=Decimal("0.001"),
    )


def snapshot_of(
    positions: Mapping[str, str] | None = None,
    *,
    equity: str = "10000",
    open_entries: Mapping[str, str] | None = None,
    marks: Mapping[str, str] | None = None,
) -> AccountSnapshot:
    return AccountSnapshot(
        snapshot_id="snapshot",
        account="main",
        at=AS_OF,
        quote_asset="USDT",
        quote_free=Decimal(equity),
        quote_total=Decimal(equity),
        equity_quote=Decimal(equity),
        peak_equity_quote=Decimal(equity),
        positions={symbol: Decimal(amount) for symbol, amount in (positions or {}).items()},
        open_entries={symbol: Decimal(amount) for symbol, amount in (open_entries or {}).items()},
        marks={symbol: Decimal(mark) for symbol, mark in (marks or {}).items()},
    )


def signals_frame(scores: Scores, close_time: datetime = AS_OF) -> pl.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "open_time": close_time - timedelta(minutes=1),
            "close_time": close_time,
            "strategy": strategy,
            "score": score,
            "confidence": 1.0,
            "regime": "trend_up",
            "reason": "made",
        }
        for symbol, by_strategy in scores.items()
        for strategy, score in by_strategy.items()
    ]
    return pl.DataFrame(rows, schema=SIGNALS)


def features_frame(
    closes: Mapping[str, float | None], *, atr_ratio: float | None = 0.001, close_time: datetime = AS_OF
) -> pl.DataFrame:
    rows = [
        {
            "symbol": symbol,
            "open_time": close_time - timedelta(minutes=1),
            "close_time": close_time,
            "close": close,
            "atr": None if close is None or atr_ratio is None else close * atr_ratio,
        }
        for symbol, close in closes.items()
    ]
    return pl.DataFrame(rows, schema=FEATURES)


def decide(
    scores: Scores,
    snapshot: AccountSnapshot | None = None,
    *,
    closes: Mapping[str, float | None] | None = None,
    rules: Mapping[str, MarketRules] | None = None,
    universe: Sequence[str] | None = None,
    quarantined: Mapping[str, str] | None = None,
    locks: Collection[tuple[str, str]] = (),
    settings: Settings | None = None,
    features: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Targets of a made account; every symbol closes at 100 unless said otherwise."""
    prices = closes if closes is not None else dict.fromkeys(scores, 100.0)
    symbols = universe if universe is not None else list(scores)
    return decide_targets(
        signals_frame(scores),
        features_frame(prices) if features is None else features,
        snapshot or snapshot_of(),
        rules if rules is not None else {symbol: rules_of(symbol) for symbol in {*scores, *symbols}},
        settings or Settings(),
        decision_id="0" * 32,
        as_of=AS_OF,
        expires_at=EXPIRES_AT,
        universe=symbols,
        quarantined=quarantined or {},
        locks=locks,
    )


def row(targets: pl.DataFrame, symbol: str) -> dict[str, object]:
    return targets.row(by_predicate=pl.col("symbol") == symbol, named=True)
