"""Bar close to acknowledged order on a running stack, and beside it what Dagster as it comes takes for two empty runs.

Each bar counts from its nominal close, and beside it from its first final candle, to the answer with an order id of
the last first submission (TRADING 20). Bars without orders are excluded and counted, and so are those never executed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from trade_pipeline.bench.measure import Report
from trade_pipeline.bench.recorded_times import bar_of, executed
from trade_pipeline.bench.spread import Spread, as_json
from trade_pipeline.bench.stages import STAGES, Bar
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger

MINUTE = timedelta(minutes=1)
GIVEN_UP_AFTER = timedelta(seconds=75)
"""After a bar's close: an older decision is superseded by the next bar's."""
POLL_S = 1.0
LOAD_RATIO_AIM = 1.2
"""p95 under load to p95 without."""
AIMS = {"p50_s": 1.5, "p95_s": 3.0, "ratio_to_stock": 0.25}


@dataclass
class Bars:
    """What became of the bars that were watched."""

    traded: list[Bar] = field(default_factory=list)
    without_orders: int = 0
    not_executed: int = 0

    @property
    def watched(self) -> int:
        return len(self.traded) + self.without_orders + self.not_executed


def watch_bars(
    ledger: Ledger,
    database: Database,
    account: str,
    count: int,
    tell: Callable[[str], None],
    *,
    before_close: tuple[float, Callable[[], None]] | None = None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    sleep: Callable[[float], None] = time.sleep,
) -> Bars:
    """The next `count` bars that close, one after the other. `before_close`: what is done so many seconds before."""
    bars = Bars()
    close = now().replace(second=0, microsecond=0) + MINUTE
    for _ in range(count):
        if before_close is not None:
            early_s, act = before_close
            sleep(max((close - now()).total_seconds() - early_s, 0))
            act()
        if not _await_execution(ledger, account, close, now, sleep):
            bars.not_executed += 1
            tell(f"{close:%H:%M} was not executed")
        elif (bar := _traded(ledger, database, account, close)) is None:
            bars.without_orders += 1
            tell(f"{close:%H:%M} had no orders")
        else:
            bars.traded.append(bar)
            tell(told(bar))
        close += MINUTE
    return bars


def _await_execution(
    ledger: Ledger, account: str, close: datetime, now: Callable[[], datetime], sleep: Callable[[float], None]
) -> bool:
    while now() < close + GIVEN_UP_AFTER:
        if now() > close and _of(ledger, account, close) is not None:
            return True
        sleep(POLL_S)
    return False


def _of(ledger: Ledger, account: str, close: datetime) -> str | None:
    """The executed decision of a bar; of several the last one."""
    found = ledger.decisions_between(account, close, close + MINUTE)
    done = [item.decision_id for item in found if executed(ledger, item.decision_id) is not None]
    return done[-1] if done else None


def _traded(ledger: Ledger, database: Database, account: str, close: datetime) -> Bar | None:
    decision = ledger.decision(_of(ledger, account, close) or "")
    return None if decision is None else bar_of(ledger, database, decision)


def told(bar: Bar) -> str:
    """One line for a person."""
    stages = ", ".join(f"{name} {bar.stages[name]:.2f}" for name in STAGES)
    return f"{bar.as_of:%H:%M} {bar.total_s:6.2f} s, {bar.orders} orders, {bar.events} events: {stages}"


def latency_report(
    bars: Bars,
    stock_s: Sequence[float],
    tell: Callable[[str], None],
    laden: Bars | None = None,
    load: Mapping[str, object] | None = None,
) -> Report:
    """Summary of `--json`: p50_s, p95_s, max_s, from_final_p50_s, stages, bars, stock_p50_s, ratio_to_stock.

    `laden`: bars of the same stack under the load that `load` describes; the summary then has `with_load`.
    """
    report = Report("latency", tell)
    whole = Spread.of([bar.total_s for bar in bars.traded])
    finals = [bar.from_final_s for bar in bars.traded if bar.from_final_s is not None]
    from_final, stock = Spread.of(finals), Spread.of(stock_s)
    ratio = whole.p50_s / stock.p50_s if whole and stock else None
    figures = as_json(whole) | {"ratio_to_stock": None if ratio is None else round(ratio, 3)}
    report.summary = {
        **figures,
        "from_final_p50_s": as_json(from_final)["p50_s"],
        "from_final_p95_s": as_json(from_final)["p95_s"],
        "stages": _stages(bars),
        "stock_p50_s": as_json(stock)["p50_s"],
        "stock_p95_s": as_json(stock)["p95_s"],
        "stock_pairs": len(stock_s),
        "bars": len(bars.traded),
        "bars_without_orders": bars.without_orders,
        "bars_not_executed": bars.not_executed,
        "orders": sum(bar.orders for bar in bars.traded),
        "events_per_bar": max((bar.events for bar in bars.traded), default=0),
        "aims": AIMS,
        "aims_met": {
            name: (value is not None and value <= AIMS[name]) for name, value in figures.items() if name in AIMS
        },
        "load_average": round(os.getloadavg()[0], 1),
    }
    _tell_summary(report, bars, whole, stock)
    if laden is not None:
        report.summary["with_load"] = _with_load(bars, laden, tell) | {"load": dict(load or {})}
    return report


def _with_load(bars: Bars, laden: Bars, tell: Callable[[str], None]) -> dict[str, object]:
    """The same figures under load, and how many times those without it they are."""
    before = Spread.of([bar.total_s for bar in bars.traded])
    after = Spread.of([bar.total_s for bar in laden.traded])
    ratios: dict[str, float | None] = {"ratio_p50": None, "ratio_p95": None}
    if before and after:
        ratios = {"ratio_p50": round(after.p50_s / before.p50_s, 3), "ratio_p95": round(after.p95_s / before.p95_s, 3)}
        tell(
            f"with load: p50 {after.p50_s:.2f} s, p95 {after.p95_s:.2f} s, maximum {after.max_s:.2f} s;"
            f" p95 is {after.p95_s / before.p95_s:.2f} times that without"
        )
    ratio = ratios["ratio_p95"]
    return {
        **as_json(after),
        **ratios,
        "ratio_p95_aim": LOAD_RATIO_AIM,
        "aim_met": ratio is not None and ratio <= LOAD_RATIO_AIM,
        "stages": _stages(laden),
        "bars": len(laden.traded),
        "bars_without_orders": laden.without_orders,
        "bars_not_executed": laden.not_executed,
    }


def _stages(bars: Bars) -> dict[str, dict[str, float | None]]:
    return {name: as_json(Spread.of([bar.stages[name] for bar in bars.traded])) for name in STAGES}


def _tell_summary(report: Report, bars: Bars, whole: Spread | None, stock: Spread | None) -> None:
    if whole is None:
        report.tell(f"no bar of {bars.watched} had orders")
        return
    report.tell(
        f"{len(bars.traded)} of {bars.watched} bars with orders: p50 {whole.p50_s:.2f} s, p95 {whole.p95_s:.2f} s,"
        f" maximum {whole.max_s:.2f} s"
    )
    if stock is not None:
        report.tell(f"stock Dagster, two empty runs: p50 {stock.p50_s:.2f} s; ratio {whole.p50_s / stock.p50_s:.2f}")
