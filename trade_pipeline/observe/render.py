"""A status as rich renderables for the terminal, and as one line where there is none."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trade_pipeline.observe.values import HeldPosition, Status

_SHOWN_MAX = 12
QUIET_RATIO = 0.9
"""Share of its limit from which a sign is shown: sensors that wait for a bar are often 60 s old, of 75 s."""


def panel(status: Status, notes: tuple[str, ...] = ()) -> RenderableType:
    """Everything that a person looks for, in the order of urgency."""
    parts: list[RenderableType] = [_head(status), _decision(status), _money(status)]
    if status.positions:
        parts.append(_positions(status))
    if status.open_orders:
        parts.append(_orders(status))
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
    parts.append(f"positions {len(status.positions)}, open orders {len(status.open_orders)}")
    parts += [text for text, _ in _troubles(status)]
    return " | ".join(parts)


def _head(status: Status) -> Text:
    seconds = max(0.0, (status.next_bar_at - status.at).total_seconds())
    text = Text.assemble(("UI ", "bold"), (status.ui_url or "not running", "underline cyan"))
    text.append(f"    next bar {status.next_bar_at:%H:%M} in {seconds:.0f} s")
    if not status.running:
        alive = any(item.process_id for item in status.processes)
        text.append("    ITS up WAS KILLED, processes go on" if alive else "    STOPPED", style="bold red")
    if status.paused is not None:
        text.append(f"    PAUSED: {status.paused}", style="bold yellow")
    return text


def _decision(status: Status) -> Text:
    decision = status.decision
    if decision is None:
        return Text("No decision yet: the first follows the next full minute.", style="dim")
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


def _positions(status: Status) -> Table:
    names = ("position", "amount", "entry", "mark", "profit", "stop", "target", "high", "strategy")
    table = Table(*names, expand=True, box=None)
    for held in status.positions[:_SHOWN_MAX]:
        table.add_row(*_position_row(held))
    if len(status.positions) > _SHOWN_MAX:
        table.add_row(f"and {len(status.positions) - _SHOWN_MAX} more")
    return table


def _position_row(held: HeldPosition) -> tuple[RenderableType, ...]:
    profit = held.profit_quote
    shown = Text("?") if profit is None else Text(_signed(profit), style="green" if profit >= 0 else "red")
    stop = Text("none", style="bold red") if held.stop is None else Text(_number(held.stop))
    levels = [Text("" if level is None else _number(level)) for level in (held.target, held.high)]
    if held.rests == "profit":
        levels[0].append(" rests")
    numbers = [_number(value) for value in (held.amount, held.entry, held.mark)]
    return (held.symbol, *numbers, shown, stop, *levels, held.strategy)


def _orders(status: Status) -> Table:
    table = Table("open order", "side", "role", "state", "amount", "price", "age", expand=True, box=None)
    for order in status.open_orders[:_SHOWN_MAX]:
        price = order.price or order.stop_price
        age = f"{order.age_s:.0f} s"
        table.add_row(order.symbol, order.side, order.role, order.state, _number(order.amount), _number(price), age)
    return table


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


def _number(value: Decimal | None) -> str:
    return "?" if value is None else f"{value.normalize():f}" if value == value.to_integral() else f"{value:.8g}"


def _money_text(value: Decimal) -> str:
    return f"{value:,.2f}"


def _signed(value: Decimal) -> str:
    return f"{value:+,.2f}"
