"""`flatten`: cancel our orders and sell our positions with nothing but the exchange, the home and the settings.

Works with Dagster, broker and database down (TRADING rule 18). Pauses first, so that nothing is bought again; marks
itself in `control/flatten.json`, so that executor and guard stand still; writes each order to the journal before it
is sent. What is sold is ours: recorded positions and our own trades since, clipped to what is free.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal

from trade_pipeline.errors import OrderNotFound, OutcomeUnknown, TradePipelineError, VenueError, VenueUnavailable
from trade_pipeline.execution.control import RecordedPositions, flatten_mark, pause, paused, read_positions
from trade_pipeline.execution.emergency.holdings import change_of, managed_amount, symbols_to_look_at
from trade_pipeline.execution.emergency.journal import Journal, sendings
from trade_pipeline.execution.ids import client_order_id, intent_id, is_ours
from trade_pipeline.execution.recovery import was_not_executed
from trade_pipeline.execution.rounding import amount_down, is_dust
from trade_pipeline.schemas.trading import MarketRules, OrderRequest, OrderType, Role, Side, VenueOrder
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.protocols import TradingVenue

SECONDS_MAX = 90.0
"""Everything together; what is left then is reported."""
SALES_PER_SYMBOL_MAX = 40
"""Market orders may fill in parts: the exchange fills at most a share of a step's volume."""
EMPTY_LOOKUPS = 3
POLL_S = 0.25
REASON = "flatten"


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class FlattenReport:
    """What was done and what is left. `complete` when nothing of ours is open and only residue remains."""

    cancelled: list[str] = field(default_factory=list)
    sold: dict[str, Decimal] = field(default_factory=dict)
    received_quote: dict[str, Decimal] = field(default_factory=dict)
    residue: dict[str, Decimal] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return not self.problems

    def lines(self) -> list[str]:
        """The report for people, one sentence each."""
        told = [f"cancelled {text}" for text in self.cancelled]
        for symbol, amount in self.sold.items():
            told.append(f"sold {_plain(amount)} {symbol} for {_plain(self.received_quote[symbol])}")
        for symbol, amount in self.residue.items():
            told.append(f"left {_plain(amount)} {symbol}: below the exchange's minimum")
        told += [f"NOT DONE: {problem}" for problem in self.problems]
        if not self.sold and not self.cancelled and self.complete:
            told.append("there was nothing to cancel or sell")
        return [*told, "paused: nothing is bought again before `trade-pipeline resume`"]


@dataclass(frozen=True, slots=True)
class _Work:
    venue: TradingVenue
    home: Home
    settings: Settings
    journal: Journal
    record: RecordedPositions | None
    report: FlattenReport
    now: Callable[[], datetime]
    sleep: Callable[[float], None]
    deadline: float
    clock: Callable[[], float]

    @property
    def prefix(self) -> str:
        return self.settings.execution.installation_prefix

    @property
    def cause(self) -> str:
        """Names this state of affairs: the same record gives the same ids, so a repeated flatten finds its orders."""
        at = self.record.at if self.record else None
        return f"{REASON} {at.isoformat() if at else 'without a dated record'}"

    @property
    def lookup_bound_s(self) -> float:
        """After this long the exchange no longer accepts a signed request (RELIABILITY rule 3)."""
        return self.settings.execution.recv_window_ms / 1000 + 1.0

    def in_time(self) -> bool:
        return self.clock() < self.deadline


def flatten(
    home: Home,
    settings: Settings,
    venue: TradingVenue,
    *,
    now: Callable[[], datetime] = utc_now,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
    seconds_max: float = SECONDS_MAX,
) -> FlattenReport:
    """Cancel every open order of ours and sell every managed position at market. Leaves the pause in place.

    One symbol's failure is a problem in the report and stops no other. Running it again is safe. Raises GateClosed
    (another flatten runs, positions.json is unreadable) and VenueError where nothing could be cancelled or sold.
    """
    if paused(home) is None:
        pause(home, REASON, now())
    report = FlattenReport()
    with flatten_mark(home, now()), closing(Journal(home, settings.account, now())) as journal:
        record = read_positions(home)
        work = _Work(venue, home, settings, journal, record, report, now, sleep, clock() + seconds_max, clock)
        try:
            _settle_earlier_sendings(work)
            _cancel_all(work)
            _sell_all(work)
        except VenueError as error:  # before the first sale: those that come later are problems of a symbol
            if not report.cancelled and report.complete:
                raise
            report.problems.append(f"nothing was sold: {error}")
    return report


def _settle_earlier_sendings(work: _Work) -> None:
    """A flatten that was killed may have an order on its way: wait until it is on the exchange or cannot come."""
    for sending in sendings(work.home):
        if sending.order is None and sending.end is None:
            age_s = (work.now() - sending.at).total_seconds()
            _look_up(work, sending.request, max(work.lookup_bound_s - age_s, 0.0))


def _cancel_all(work: _Work, symbol: str | None = None) -> None:
    for order in work.venue.open_orders(symbol):
        if is_ours(order.client_order_id, work.prefix):
            _cancel(work, order)


def _cancel(work: _Work, order: VenueOrder) -> None:
    try:
        done = work.venue.cancel(order.symbol, order.client_order_id)
    except OrderNotFound:
        return  # filled meanwhile: its trades are counted before anything is sold
    except TradePipelineError:
        try:
            done = work.venue.order(order.symbol, order.client_order_id)
        except TradePipelineError as error:
            work.report.problems.append(f"{order.symbol}: an order may still rest: {error}")
            return
    work.journal.cancelled(done, work.now())
    work.report.cancelled.append(f"{done.side} of {_plain(done.amount - done.filled)} {done.symbol} ({done.type})")


def _sell_all(work: _Work) -> None:
    markets = work.venue.markets()
    account = work.venue.account()
    symbols = symbols_to_look_at(work.record, account, markets, work.settings.market.quote_asset)
    tops = work.venue.book_tops(symbols)
    for symbol in sorted(set(work.record.positions if work.record else ()) - set(markets)):
        work.report.problems.append(f"{symbol}: the exchange does not list it any more")
    for symbol in symbols:
        top = tops.get(symbol)
        price = top.bid if top and top.bid > 0 else (top.last if top else Decimal(0))
        try:
            _in_patience(work, _Sale(work, symbol, markets[symbol], price).run)
        except TradePipelineError as error:
            work.report.problems.append(f"{symbol}: {error}")


def _in_patience(work: _Work, act: Callable[[], None]) -> None:
    """Act again after what the exchange, or our own budget, asks us to wait for; as long as there is time."""
    while True:
        try:
            return act()
        except VenueUnavailable as error:
            wait_s = float(getattr(error, "retry_after_s", POLL_S))
            if work.clock() + wait_s >= work.deadline:
                raise
            work.sleep(wait_s)


@dataclass(slots=True)
class _Sale:
    """Sells one symbol, in as many market orders as it takes. `price` in quote only tells residue from more."""

    work: _Work
    symbol: str
    rules: MarketRules
    price: Decimal
    managed: Decimal = Decimal(0)
    free: Decimal = Decimal(0)

    def run(self) -> None:
        work = self.work
        intent = intent_id(work.settings.account, work.cause, self.symbol, Role.EXIT)
        done = [sending.attempt for sending in sendings(work.home, booked_too=True) if sending.intent_id == intent]
        first = max(done, default=-1) + 1
        self._read()
        for attempt in range(first, first + SALES_PER_SYMBOL_MAX):
            amount = self._next_amount()
            if amount is None:
                return
            if not work.in_time():
                break
            name = client_order_id(work.prefix, work.settings.account, intent, attempt)
            request = OrderRequest(name, self.symbol, Side.SELL, OrderType.MARKET, amount)
            work.journal.sending(intent, attempt, request, REASON, work.now())
            self._settle(_send(work, request), amount)
        work.report.problems.append(f"{self.symbol}: {_plain(self.managed)} could not be sold in time")

    def _read(self) -> None:
        self.managed = managed_amount(self.work.venue, self.symbol, self.rules, self.work.record, self.work.prefix)
        self.free = self.work.venue.account().free(self.rules.base) if self.managed > 0 else Decimal(0)

    def _settle(self, sold: VenueOrder | None, amount: Decimal) -> None:
        _note_sale(self.work.report, sold)
        if sold is None:
            # Whatever locked or took the coins may be an order of ours that came in between.
            _cancel_all(self.work, self.symbol)
            self.work.sleep(POLL_S)
        if sold is None or (sold.filled > 0 and not sold.trades):
            return self._read()
        change = sum((change_of(trade, self.rules.base) for trade in sold.trades), Decimal(0))
        self.managed += change
        self.free += change
        if sold.filled < amount:
            self.work.sleep(POLL_S)
        return None

    def _next_amount(self) -> Decimal | None:
        """The amount of the next market order; None when nothing, or only residue, is left."""
        sellable, report = min(self.managed, self.free), self.work.report
        # Without a price the exchange decides whether it is too little: a guess would not.
        dust = is_dust(sellable, self.price, self.rules) if self.price > 0 else amount_down(sellable, self.rules) <= 0
        if not dust:
            return amount_down(min(sellable, self.rules.market_amount_max), self.rules)
        if sellable > 0:
            report.residue[self.symbol] = sellable
        if self.price > 0 and not is_dust(self.managed, self.price, self.rules):
            locked = _plain(self.managed - self.free)
            report.problems.append(f"{self.symbol}: {locked} are not free, an order that is not ours may hold them")
        return None


def _send(work: _Work, request: OrderRequest) -> VenueOrder | None:
    """Send once. None when the order certainly does not exist. Raises OutcomeUnknown when nobody can tell."""
    name = request.client_order_id
    try:
        order = work.venue.create(request)
    except TradePipelineError as error:
        if not was_not_executed(error):
            work.journal.ended("unknown", name, str(error), work.now())
            return _look_up(work, request, work.lookup_bound_s)
        work.journal.ended("refused", name, str(error), work.now())
        if error.action == "halt":
            raise  # A ban, a bad key: the next request would be refused as well.
        if isinstance(error, VenueUnavailable):
            work.sleep(min(getattr(error, "retry_after_s", POLL_S), 5.0))
        return None
    work.journal.answer(order, work.now())
    return order


def _look_up(work: _Work, request: OrderRequest, bound_s: float) -> VenueOrder | None:
    """The order by its client id; None once the exchange cannot accept it any more and still does not know it."""
    name, begun, empty = request.client_order_id, work.clock(), 0
    while work.in_time():
        try:
            order = work.venue.order(request.symbol, name)
        except OrderNotFound:
            empty += 1
            if empty >= EMPTY_LOOKUPS and work.clock() - begun >= bound_s:
                work.journal.ended("absent", name, f"{empty} empty look-ups", work.now())
                return None
        except VenueUnavailable:
            empty = 0  # a network error never counts as not found
        else:
            work.journal.answer(order, work.now())
            return order
        work.sleep(POLL_S)
    raise OutcomeUnknown("an order's fate is unknown", thing=request.symbol, value=name, repair="Run flatten again")


def _note_sale(report: FlattenReport, order: VenueOrder | None) -> None:
    if order is not None and order.filled > 0:
        report.sold[order.symbol] = report.sold.get(order.symbol, Decimal(0)) + order.filled
        received = report.received_quote.get(order.symbol, Decimal(0))
        report.received_quote[order.symbol] = received + order.quote_filled


def _plain(value: Decimal) -> str:
    return f"{value.normalize():f}"
