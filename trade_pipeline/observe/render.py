"""A status as rich renderables for the terminal, and as one line where there is none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trade_pipeline.observe.values import HeldPosition, Status

_SHOWN_MAX = 12
_BY_GUARD = ("order", "unknown")
"""What a position read from the guard's record rests on: not what the ledger would say."""
QUIET_RATIO = 0.9
"""Share of its limit from which a sign is shown: sensors that wait for a bar are often 60 s old, of 75 s."""


def panel(status: Status, notes: tuple[str, ...] = (), rows_max: int | None = _SHOWN_MAX) -> RenderableType:
    """Everything that a person looks for, in the order of urgency. `rows_max` None: every position and order."""
    parts: list[RenderableType] = [_head(status)]
    parts += [_decision(status), _money(status)] if status.book_known else [_not_known(status)]
    if status.positions:
        parts.append(_positions(status, rows_max))
    if any(held.rests in _BY_GUARD for held in status.positions):
        parts.append(_seen(status))
    if status.open_orders:
        parts.append(_orders(status, rows_max))
    parts += [Text(line, style=style) for line, style in _troubles(status)]
    parts += [Text(note, style="dim") for note in notes[-3:]]
    banner = f"trade-pipeline · {status.mode.upper()} · account {status.account}"
    return Panel(Group(*parts), title=banner, border_style="red" if status.mode == "live" else "cyan")


def line(status: Status) -> str:
    """One line that changes only when something happened, for logs and pipes."""
    parts = [status.mode]
    if status.paused is not None:
        parts.append(f"PAUSED ({status.paused})")
    if status.decision:
        parts.append(f"decision {status.decision.as_of:%H:%M} in {status.decision.latency_s:.1f} s")
        parts.append(status.decision.why)
    if status.money:
        parts.append(f"equity {_money_text(status.money.equity_quote)}")
        parts.append(f"profit net {_signed(status.money.profit_total_quote)}")
    orders = len(status.open_orders) if status.book_known else "?"
    parts.append(f"positions {len(status.positions)}, open orders {orders}")
    parts += [text for text, _ in _troubles(status)]
    return " | ".join(parts)


def _head(status: Status) -> Text:
    seconds = max(0.0, (status.next_bar_at - status.at).total_seconds())
    if status.stopped:
        text = Text("STOPPED", style="bold red")
        if status.last_log_at is not None:
            text.append(f", last log line {status.last_log_at:%Y-%m-%d %H:%M:%S} UTC")
        text.append("    next: `trade-pipeline up` starts it", style="not bold default")
    else:
        text = Text.assemble(("UI ", "bold"), (status.ui_url or "not running", "underline cyan"))
        text.append(f"    next bar {status.next_bar_at:%H:%M} in {seconds:.0f} s")
        if not status.running:
            text.append("    ITS up WAS KILLED, processes go on", style="bold red")
    if status.paused is not None:
        text.append(f"    PAUSED: {status.paused}", style="bold yellow")
    return text


def _not_known(status: Status) -> Text:
    why = "the database does not answer" + (" while the stack is stopped" if status.stopped else "")
    return Text(f"Not known: last decision, equity, open orders, locks and breakers; {why}.", style="yellow")


def _decision(status: Status) -> Text:
    decision = status.decision
    if decision is None:
        return Text(
            "No decision yet." if status.stopped else "No decision yet: the first follows the next full minute.",
            style="dim",
        )
    text = Text(f"Last decision {decision.as_of:%H:%M} UTC, {decision.latency_s:.1f} s after the close")
    if decision.order_latency_s is not None:
        text.append(f", first order answered after {decision.order_latency_s:.1f} s")
    return text.append(f": {decision.why}")


def _money(status: Status) -> Text:
    money = status.money
    if money is None:
        return Text("Equity is not known yet.", style="dim")
    text = Text(f"Equity {_money_text(money.equity_quote)}    profit net of fees: today ")
    for value, after in ((money.profit_today_quote, ", total "), (money.profit_total_quote, "")):
        text.append(_signed(value), style="green" if value >= 0 else "red").append(after)
    return text.append(f"    fees {_money_text(money.fees_quote)}    drawdown {money.drawdown_ratio:.2%}")


def _positions(status: Status, rows_max: int | None) -> Table:
    rows = [_position_row(held) for held in status.positions]
    return _table(
        ("position", "amount", "entry", "mark", "profit", "stop", "target", "high", "strategy"), rows, rows_max
    )


def _table(names: Sequence[str], rows: Sequence[Sequence[Text]], rows_max: int | None) -> Table:
    """Without the columns that are empty; what is too long for a narrow terminal goes on in the next line."""
    used = [place for place in range(len(names)) if any(row[place].plain for row in rows)]
    table = Table(expand=True, box=None, pad_edge=False, collapse_padding=True)
    for place in used:
        table.add_column(names[place], overflow="fold")
    for row in rows[:rows_max]:
        table.add_row(*(row[place] for place in used))
    if rows_max is not None and len(rows) > rows_max:
        table.add_row(f"and {len(rows) - rows_max} more")
    return table


def _position_row(held: HeldPosition) -> list[Text]:
    profit = held.profit_quote
    shown = Text("?") if profit is None else Text(_signed(profit), style="green" if profit >= 0 else "red")
    levels = [Text("" if level is None else _number(level)) for level in (held.target, held.high)]
    if held.rests == "profit":
        levels[0].append(" rests")
    numbers = [Text(_exact(held.amount)), Text(_number(held.entry)), Text(_number(held.mark))]
    return [Text(held.symbol), *numbers, shown, _stop(held), *levels, Text(held.strategy)]


def _stop(held: HeldPosition) -> Text:
    """The word none only where it is known that there is none."""
    if held.stop is not None:
        return Text(_number(held.stop))
    return Text("?") if held.rests in _BY_GUARD else Text("none", style="bold red")


def _seen(status: Status) -> Text:
    """What the guard's record says of protection: which orders rested, and nothing of what they were."""
    resting = [held.symbol for held in status.positions if held.rests == "order"]
    text = Text("Positions as the guard last recorded them; their stops are not known.", style="yellow")
    if resting:
        text.append(f" Orders of ours rested on the exchange then for {', '.join(resting)}.")
    return text


def _orders(status: Status, rows_max: int | None) -> Table:
    rows = [
        [
            *(Text(word) for word in (order.symbol, order.side, order.role, order.state)),
            Text(_exact(order.amount)),
            Text(_number(order.price or order.stop_price)),
            Text(f"{order.age_s:.0f} s"),
        ]
        for order in status.open_orders
    ]
    return _table(("open order", "side", "role", "state", "amount", "price", "age"), rows, rows_max)


def _troubles(status: Status) -> list[tuple[str, str]]:
    troubles = [(f"check failed: {item.asset} {item.check}: {item.what}", "red") for item in status.failed_checks[:5]]
    troubles += [(f"lock: {item.strategy} {item.symbol} ({item.reason})", "yellow") for item in status.locks[:5]]
    troubles += [(f"breaker: {text}", "bold red") for text in status.breakers]
    troubles += [(f"conflict: {text}", "red") for text in status.conflicts[:5]]
    troubles += [(f"alert: {text}", "red") for text in status.alerts[:3]]
    down = [item for item in status.processes if item.state not in ("RUNNING", "STARTING")]
    troubles += [(f"process {item.name} is {item.state}", "bold red") for item in down]
    troubles += [(text, "yellow") for text in _quiet(status)]
    again = [f"{item.name} {item.restarts}" for item in status.processes if item.restarts]
    if again:
        troubles.append((f"restarts: {', '.join(again)}", "yellow"))
    if status.lost_ticks:
        troubles.append((f"lost ticks: {_minutes(status.lost_ticks)}", "yellow"))
    if status.unavailable:
        troubles.append((f"does not answer: {', '.join(status.unavailable)}", "bold red"))
    return troubles


def _quiet(status: Status) -> list[str]:
    """Processes that the watchdog will soon miss."""
    return [
        f"quiet: {item.name} ({item.sign}, limit {item.sign_limit_s:.0f} s)"  # no age: a line is printed per change
        for item in status.processes
        if item.sign_age_s is not None
        and item.sign_limit_s is not None
        and item.sign_age_s > QUIET_RATIO * item.sign_limit_s
    ]


def _minutes(ticks: tuple[datetime, ...]) -> str:
    shown = ", ".join(f"{tick:%H:%M}" for tick in ticks[-8:])
    return f"{len(ticks)} ({shown})" if len(ticks) <= 8 else f"{len(ticks)} (newest {shown})"


def _exact(amount: Decimal) -> str:
    """Every digit: what is held is not rounded."""
    return f"{amount.normalize():f}"


def _number(value: Decimal | None) -> str:
    return "?" if value is None else f"{value.normalize():f}" if value == value.to_integral() else f"{value:.8g}"


def _money_text(value: Decimal) -> str:
    return f"{value:,.2f}"


def _signed(value: Decimal) -> str:
    return f"{value:+,.2f}"
