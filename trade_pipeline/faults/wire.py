"""Between a process and the exchange: every request crosses here, and here it is lost, delayed, repeated or refused."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from trade_pipeline.errors import (
    Banned,
    ClockSkew,
    MalformedAnswer,
    OrderNotFound,
    OutcomeUnknown,
    RateLimited,
    TradePipelineError,
    VenueUnavailable,
)
from trade_pipeline.faults.kinds import Fault, Injection
from trade_pipeline.faults.oracle import Arrival
from trade_pipeline.schemas.trading import (
    AccountReading,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.venues.capabilities import VenueCapabilities, capabilities_of

if TYPE_CHECKING:
    from trade_pipeline.faults.simulation import Process, Simulation

Answer = TypeVar("Answer")
LATENCY_S = 0.04
TIMEOUT_S = 5.0
LATE_S = 3.0
"""How long after it was sent a delayed request takes effect: within the exchange's acceptance bound."""
UNSEEN_S = 4.0
"""How long look-ups may miss a new order (RELIABILITY statement 2)."""

_CERTAINLY_NOT: dict[Fault, Callable[[str], TradePipelineError]] = {
    Fault.RATE_LIMITED: lambda name: RateLimited("Too many requests.", thing=name, value=429, retry_after_s=1.0),
    Fault.BANNED: lambda name: Banned("The address is banned.", thing=name, value=418, retry_after_s=10.0),
    Fault.CLOCK_SKEW: lambda name: ClockSkew("Timestamp outside of the recvWindow.", thing=name, value=-1021),
    Fault.MAINTENANCE: lambda name: VenueUnavailable("The exchange is in maintenance.", thing=name, value=503),
}
"""Refused before anything was looked at: nothing was executed and the sender knows it."""
_PATIENT = frozenset({Fault.NOT_FOUND_DELAY, Fault.CLOSED_FOR_CANCELLED, Fault.STALE_READ, Fault.TRUNCATED_TRADES})
"""Faults that need an answer they can falsify."""


class Wire:
    """A TradingVenue of one process of the simulation."""

    def __init__(self, simulation: Simulation, process: Process) -> None:
        self._sim = simulation
        self._process = process
        self._account_seen: list[AccountReading] = []
        self._open_seen: list[list[VenueOrder]] = []

    def server_time(self) -> datetime:
        return self._sim.clock.now()

    def markets(self) -> dict[str, MarketRules]:
        return self._sim.exchange.markets()

    def close(self) -> None:
        """Nothing is held."""

    @property
    def capabilities(self) -> VenueCapabilities:
        return capabilities_of("binance")

    def create(self, request: OrderRequest) -> VenueOrder:
        (answer,) = self._creates("create", [request], lambda: [self._sim.exchange.create(request)])
        return answer

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        self._sim.trace(f"{self._process.name} replaces {client_order_id}")
        exchange = self._sim.exchange
        (answer,) = self._creates("replace", [request], lambda: [exchange.cancel_replace(client_order_id, request)])
        return answer

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        exchange = self._sim.exchange
        upper, lower = self._creates("pair", [above, below], lambda: exchange.create_pair(above, below))
        return upper, lower

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        self._sim.trace(f"{self._process.name} cancels {client_order_id}")
        self._sim.cancels += 1
        exchange = self._sim.exchange
        (answer,) = self._changes("cancel", symbol, lambda: [exchange.cancel(symbol, client_order_id)], None)
        return answer

    def _creates(
        self, channel: str, requests: Sequence[OrderRequest], act: Callable[[], Sequence[VenueOrder]]
    ) -> Sequence[VenueOrder]:
        """One request for new orders: what the judge sees of its arrival, and what the exchange makes of it."""
        sim, left_at = self._sim, self._sim.clock.now()

        def effect() -> Sequence[VenueOrder]:
            seen, told = self._look(requests, left_at), not self._process.gave_up
            try:
                answers = act()
            except TradePipelineError as error:
                refusal = f"{error.value} {error.message}"
                for arrival in seen:
                    sim.arrivals.append(replace(arrival, accepted=False, refusal=refusal, told=told))
                    sim.trace(f"exchange refuses {arrival.client_order_id}: {refusal}")
                raise
            for arrival, answer in zip(seen, answers, strict=True):
                sim.arrivals.append(replace(arrival, accepted=True, told=told))
                sim.trace(f"exchange accepts {arrival.client_order_id}: {answer.state} filled {answer.filled}")
            return answers

        def lost() -> None:
            for arrival in self._look(requests, left_at):
                sim.arrivals.append(replace(arrival, accepted=False, told=False, refusal="lost on its way"))

        for each in requests:
            sim.trace(f"{self._process.name} sends {each.side} {each.type} {each.amount} {each.symbol}"
                      f" {each.client_order_id}")  # fmt: skip
        return self._changes(channel, requests[0].symbol, effect, lost)

    def _look(self, requests: Sequence[OrderRequest], left_at: datetime) -> list[Arrival]:
        desk, now = self._sim.arrivals_desk, self._sim.clock.now()
        return [desk.look(each, holder=self._process.holder, left_at=left_at, now=now) for each in requests]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        fault = self._before("order", symbol)
        try:
            found = self._sim.exchange.order(symbol, client_order_id)
        except OrderNotFound:
            self._acts("order", fault, None, possible=False)
            raise
        unseen = self._sim.clock.now() - found.created_at < timedelta(seconds=UNSEEN_S)
        if self._acts("order", fault, Fault.NOT_FOUND_DELAY, possible=unseen):
            raise OrderNotFound("Order does not exist.", thing=symbol, value=client_order_id)
        if self._acts("order", fault, Fault.CLOSED_FOR_CANCELLED, possible=found.state is OrderState.CANCELED):
            found = replace(found, state=OrderState.FILLED, venue_status="closed")
        return self._after("order", fault, found)

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        fault = self._before("orders", symbol)
        return self._after("orders", fault, self._sim.exchange.orders(symbol, since))

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        fault = self._before("open_orders", symbol or "")
        found = self._sim.exchange.open_orders(symbol)
        old = [o for o in found if self._sim.clock.now() - o.created_at >= timedelta(seconds=UNSEEN_S)]
        if self._acts("open_orders", fault, Fault.NOT_FOUND_DELAY, possible=len(old) < len(found)):
            found = old
        if symbol is None:
            self._open_seen.append(found)
            if self._acts("open_orders", fault, Fault.STALE_READ, possible=len(self._open_seen) > 1):
                found = self._open_seen[-2]
        return self._after("open_orders", fault, found)

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]:
        fault = self._before("trades", symbol)
        found = self._sim.exchange.trades(symbol, from_id, limit)
        if self._acts("trades", fault, Fault.TRUNCATED_TRADES, possible=len(found) > 1):
            found = found[: len(found) // 2]
        return self._after("trades", fault, found)

    def account(self) -> AccountReading:
        fault = self._before("account", "")
        found = self._sim.exchange.account()
        self._account_seen.append(found)
        if self._acts("account", fault, Fault.STALE_READ, possible=len(self._account_seen) > 1):
            found = self._account_seen[-2]
        return self._after("account", fault, found)

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        fault = self._before("tops", "")
        return self._after("tops", fault, self._sim.exchange.book_tops(symbols))

    def _acts(self, channel: str, drawn: Fault | None, fault: Fault | None, *, possible: bool) -> bool:
        """Whether the drawn fault is this one and changes the answer. What finds nothing to change waits."""
        if drawn not in _PATIENT or (fault is not None and drawn is not fault):
            return False
        if possible:
            self._sim.hit(drawn)
        else:
            self._sim.not_yet(channel, drawn)
        return possible

    def _changes(
        self, channel: str, name: str, effect: Callable[[], Sequence[VenueOrder]], lost: Callable[[], None] | None
    ) -> Sequence[VenueOrder]:
        sim = self._sim
        sim.boundary(self._process, f"venue.{channel}:before")
        fault = self._fault(channel)
        if fault is not None and fault in _CERTAINLY_NOT:
            sim.hit(fault)
            raise _CERTAINLY_NOT[fault](name)
        sim.clock.pass_by(LATENCY_S)
        if fault is Fault.LOST_REQUEST:
            sim.hit(fault)
            if lost is not None:
                lost()
            raise self._timeout(channel, name)
        if fault is Fault.LATE_EFFECT:
            sim.hit(fault)
            sim.later(LATE_S, effect, self._process)
            raise self._timeout(channel, name)
        self._process.gave_up = fault in {Fault.LOST_ANSWER, Fault.SERVER_ERROR, Fault.UNREADABLE_ANSWER}
        try:
            answers = effect()
        except TradePipelineError:
            if self._process.gave_up and fault is not None:
                sim.hit(fault)
                raise self._timeout(channel, name) from None
            raise
        finally:
            self._process.gave_up = False
            sim.boundary(self._process, f"venue.{channel}:after_effect")
        if fault in {Fault.LOST_ANSWER, Fault.SERVER_ERROR, Fault.UNREADABLE_ANSWER}:
            sim.hit(fault)
            raise self._timeout(channel, name)
        if fault is Fault.DOUBLED_ANSWER:
            sim.hit(fault)
            answers = [replace(answer, trades=(*answer.trades, *answer.trades)) for answer in answers]
        sim.clock.pass_by(LATENCY_S)
        sim.boundary(self._process, f"venue.{channel}:after")
        return answers

    def _timeout(self, channel: str, name: str) -> OutcomeUnknown:
        self._sim.clock.pass_by(TIMEOUT_S)
        return OutcomeUnknown(f"{channel} got no answer", thing=name, repair="Look it up, do not send it again")

    def _fault(self, channel: str) -> Fault | None:
        injection: Injection | None = self._sim.drawn(channel)
        if injection is None:
            return None
        if injection.fault is Fault.INTERLEAVED:
            self._sim.interleave(self._process)
            return None
        return injection.fault

    def _before(self, channel: str, name: str) -> Fault | None:
        """A read's way there: what keeps it from being answered. Returns a fault that changes the answer."""
        sim = self._sim
        sim.boundary(self._process, f"venue.{channel}:before")
        fault = self._fault(channel)
        if fault is not None and fault in _CERTAINLY_NOT:
            sim.hit(fault)
            raise _CERTAINLY_NOT[fault](name)
        sim.clock.pass_by(LATENCY_S)
        if fault is Fault.SERVER_ERROR:
            sim.hit(fault)
            raise VenueUnavailable("the exchange failed", thing=name or channel, value=502)
        if fault is Fault.UNREADABLE_ANSWER:
            sim.hit(fault)
            raise MalformedAnswer("the answer cannot be read", thing=name or channel, value="<html>")
        return fault

    def _after(self, channel: str, fault: Fault | None, answer: Answer) -> Answer:
        self._sim.clock.pass_by(LATENCY_S)
        self._sim.boundary(self._process, f"venue.{channel}:after")
        return answer
