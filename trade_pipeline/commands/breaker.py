"""`trade-pipeline breaker`: show the circuit breakers and the recovery rate, open one by hand, reset one."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from difflib import get_close_matches
from pathlib import Path

from trade_pipeline.commands.context import Context, ledger_of, open_context
from trade_pipeline.commands.output import hint, say
from trade_pipeline.errors import ConfigurationError, SymbolUnknown, VenueError
from trade_pipeline.execution.breaker.hand import open_breaker, reset_breaker
from trade_pipeline.execution.breaker.state import (
    CLOSED,
    OPEN,
    UNTIL_RESET,
    WHOLE_ACCOUNT,
    calm_since,
    forgiven_at,
)
from trade_pipeline.execution.recovery import recovery_rates
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import BreakerState
from trade_pipeline.ledger.rows import plain
from trade_pipeline.runtime.remaining import venue_of

_SYMBOL = re.compile(r"[^\s/]+/[^\s/]+")
RECOVERIES_SHOWN = timedelta(days=7)


def show_breakers(home: Path | None, *, as_json: bool) -> None:
    """Every breaker that was ever set, none means that all are closed; and the recovery rate of the last days."""
    with _book(home) as (ledger, account):
        states = ledger.breakers(account)
        counts = ledger.recoveries((datetime.now(UTC) - RECOVERIES_SHOWN).date())
    if as_json:
        told = {"account": account, "breakers": states, "recoveries": counts}
        say(json.dumps(plain(told), indent=2))
        return
    for state in states:
        say(_line(state) + _return(state))
    if not any(state.state != CLOSED for state in states):
        say("no breaker is open: orders that increase positions are allowed")
    for rate in recovery_rates(counts):
        say(f"errors of the last {RECOVERIES_SHOWN.days} days: {rate.line()}")


def run_open(home: Path | None, symbol: str | None, why: str) -> None:
    """Stop everything that increases a position; the guard cancels resting entries within seconds.

    Raises SymbolUnknown where nobody knows the symbol: what opens no breaker must not look as if it did.
    """
    with _book(home) as (ledger, account):
        if symbol is not None:
            _check_known(open_context(home), ledger, symbol)
        state = open_breaker(ledger, account, symbol or WHOLE_ACCOUNT, why, datetime.now(UTC))
    say(_line(state))


def run_reset(home: Path | None, symbol: str | None, why: str) -> None:
    """Allow increases again at once. Raises ConfigurationError when that breaker is not open."""
    scope = symbol or WHOLE_ACCOUNT
    with _book(home) as (ledger, account):
        state = reset_breaker(ledger, account, scope, why, datetime.now(UTC))
    if state is None:
        raise ConfigurationError(
            "this breaker is not open", thing=_name(scope), repair="`trade-pipeline breaker show` lists those that are."
        )
    say(_line(state))


def _check_known(context: Context, ledger: Ledger, symbol: str) -> None:
    """Of the settings, held, or listed by the exchange. One that cannot be asked prevents no stop."""
    held = (position.symbol for position in ledger.positions(context.settings.account))
    if symbol in {*context.settings.market.symbols, *held}:
        return
    listed: Collection[str] | None = None
    if _SYMBOL.fullmatch(symbol):
        try:
            with closing(venue_of(context.home, context.settings)) as venue:
                listed = venue.markets()
        except VenueError as error:
            hint(f"whether the exchange lists {symbol} could not be asked: {error}")
            return
    if symbol not in (listed or ()):
        near = get_close_matches(symbol.upper(), listed or (), 1)
        raise SymbolUnknown(
            "neither held, nor in the settings, nor listed by the exchange",
            thing="--symbol",
            value=symbol,
            repair=f"Is {near[0]} meant?" if near else "Write it as BASE/QUOTE, say BTC/USDT.",
        )


@contextmanager
def _book(home: Path | None) -> Iterator[tuple[Ledger, str]]:
    context = open_context(home)
    with ledger_of(context) as ledger:
        yield ledger, context.settings.account


def _line(state: BreakerState) -> str:
    stage = f", stage {state.stage + 1} of its return" if state.state == "HALF_OPEN" else ""
    return (
        f"{_name(state.scope)}: {state.state}{stage} since {state.changed_at:%Y-%m-%d %H:%M:%S} UTC"
        f" ({state.dimension}): {state.reason}"
    )


def _return(state: BreakerState) -> str:
    """How an open one ends, and what a reset has taken out of its measures."""
    parts = []
    if state.state == OPEN and state.dimension in UNTIL_RESET:
        parts.append("until `breaker reset`")
    elif state.state == OPEN:
        calm = calm_since(state)
        parts.append(
            f"within its limit since {calm:%H:%M:%S}" if calm else "its return counts from the end of the breach"
        )
    if (forgiven := forgiven_at(state)) is not None:
        parts.append(f"what was before {forgiven:%Y-%m-%d %H:%M:%S} UTC is forgiven")
    return f" [{'; '.join(parts)}]" if parts else ""


def _name(scope: str) -> str:
    return "the account" if scope == WHOLE_ACCOUNT else scope
