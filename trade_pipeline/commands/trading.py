"""`plan --dry-run` and `flatten`: the same functions that the stack runs, called by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from trade_pipeline.commands.context import Context, ledger_of, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import (
    ConfigurationError,
    OutcomeUnknown,
    TradePipelineError,
    VenueError,
    VenueUnavailable,
)
from trade_pipeline.execution.control import paused
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.emergency.flatten import FlattenReport
from trade_pipeline.execution.execute import plan_dry_run
from trade_pipeline.execution.planning.plan import Plan
from trade_pipeline.ledger.records import Event
from trade_pipeline.observe.book import breaker_lines
from trade_pipeline.runtime.home_lock import holder_of
from trade_pipeline.runtime.remaining import flatten_home, venue_of
from trade_pipeline.settings.home import Home


def show_plan(home: Path | None, *, dry_run: bool) -> None:
    """Prints what an execution would send now for the newest decision, and why; sends and writes nothing."""
    if not dry_run:
        raise ConfigurationError("planning never sends", thing="plan", repair="Say so with `plan --dry-run`.")
    context = open_context(home)
    with ledger_of(context) as ledger, closing(venue_of(context.home, context.settings)) as venue:
        desk = Desk(ledger, venue, context.settings, context.home, lambda: datetime.now(UTC))
        decision, plan = plan_dry_run(desk)
        stopped = _stopped(context.home, breaker_lines(ledger, context.settings.account))
    if decision is None:
        head = "there is no decision yet"
    else:
        head = f"decision {decision.decision_id} of the bar that closed at {decision.as_of:%Y-%m-%d %H:%M} UTC"
    for line in (head, *stopped, *(_lines(plan) if decision else ())):
        say(line)


def _stopped(home: Home, breakers: list[str]) -> list[str]:
    """At most one line: what keeps increases from being sent, or makes them smaller."""
    reason = paused(home)
    found = [*([f"PAUSED: {reason}"] if reason is not None else ()), *(f"breaker: {text}" for text in breakers)]
    return ["; ".join(found)] if found else []


def _lines(plan: Plan) -> list[str]:
    cancels = [f"would cancel {order.request.side} {order.remaining} {order.symbol}" for order in plan.cancels]
    orders = [
        f"would send {item.request.type} {item.request.side} {item.request.amount} {item.request.symbol}"
        + (f" at {item.request.price}" if item.request.price is not None else "")
        for item in plan.orders
    ]
    reasons = [f"{symbol:<12} {verdict.action:<8} {verdict.reason}" for symbol, verdict in plan.verdicts.items()]
    return [*(cancels + orders or ["nothing would be sent"]), *reasons]


def run_flatten(home: Path | None) -> None:
    """Works with Dagster, broker and database down; exits with an error when a position remains."""
    context = open_context(home)
    report = _flattened(context)
    for line in report.lines():
        say(line)
    if report.sold and holder_of(context.home) is not None:
        say("the guard books the sales: ledger and status know them within seconds, the equity within a minute")
    if not report.complete:
        raise ConfigurationError(
            "something of ours is still open on the exchange", thing="flatten", repair="Run it again; it is safe."
        )


def _flattened(context: Context) -> FlattenReport:
    """Says what an error leaves behind, before it is raised."""
    try:
        return flatten_home(context.home, context.settings)
    except TradePipelineError as error:
        if isinstance(error, VenueError) and not isinstance(error, OutcomeUnknown):
            say("nothing was sold and no order was cancelled; stops that rest on the exchange stay as they are")
        if paused(context.home) is not None:
            say("the home is paused: nothing is bought again before `trade-pipeline resume`")
        if type(error) is not VenueUnavailable or context.settings.mode == "live":
            raise
        raise VenueUnavailable(
            "the exchange does not answer",
            thing="flatten",
            repair="The simulated exchange is part of the stack: start it with `trade-pipeline up`, then flatten.",
        ) from error


def run_unlock(home: Path | None, symbol: str, strategy: str) -> None:
    """Lifts a halt or a strategy's lock; the ledger keeps both. Raises ConfigurationError when there is none."""
    context = open_context(home)
    now, account = datetime.now(UTC), context.settings.account
    with ledger_of(context) as ledger:
        found = [lock for lock in ledger.locks(account, now) if (lock.symbol, lock.strategy) == (symbol, strategy)]
        if not found:
            raise ConfigurationError(
                "no such lock",
                thing=f"{symbol} by {strategy}",
                repair="`trade-pipeline status` lists symbol and strategy.",
            )
        ledger.unlock(account, strategy, symbol)
        detail = {"strategy": strategy, "reason": found[0].reason}
        known = None if symbol == "*" else symbol
        ledger.record_event(Event(now, "unlocked_by_hand", "warning", account, known, detail=detail))
    say(f"unlocked {symbol}: it was locked because of: {found[0].reason}")
