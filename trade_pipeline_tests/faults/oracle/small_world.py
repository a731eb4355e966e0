"""The real trading code before the matching engine, in virtual time, watched by the judge: a simulator in little.

It exists to try the judge on what the code really does, with a handful of faults and no database faults. The
simulator of the product is `trade_pipeline.faults`.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from trade_pipeline.errors import (
    DuplicateClientOrderId,
    FilterViolation,
    InsufficientFunds,
    OrderNotFound,
    OrderRefused,
    OutcomeUnknown,
    TradePipelineError,
    VenueUnavailable,
    WouldTriggerImmediately,
)
from trade_pipeline.exchange.engine.book import best_prices
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.orders import NewOrder, Order, Step, Trade
from trade_pipeline.exchange.engine.rejections import Rejected
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.execution.desk import Desk
from trade_pipeline.execution.execute import execute_decision
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.faults.oracle import Arrival, ArrivalDesk, BookReader, Case, Limits, Memory, Truth, Violation, judge
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Decision, Target
from trade_pipeline.schemas.trading import (
    AccountReading,
    AccountSnapshot,
    Balance,
    BookTop,
    MarketRules,
    OrderRequest,
    OrderState,
    TargetKind,
    TimeInForce,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline_tests.execution.conftest import open_gate
from trade_pipeline_tests.fakes import make_target

BEGIN = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SPECS = (SymbolSpec("BTC/USDT", 2, 5), SymbolSpec("ETH/USDT", 2, 4))
PRICES = {"BTC/USDT": 60_000.0, "ETH/USDT": 3_000.0}
STATES = {"NEW": OrderState.OPEN, **{s: OrderState(s) for s in ("PARTIALLY_FILLED", "FILLED", "CANCELED", "EXPIRED")}}
FAULTS = ("lost_before", "lost_after", "unavailable", "not_found", "die_before", "die_after")
AFTERMATH_S = 30.0
"""How long a fault may keep the code from acting: acceptance bound, look-ups, a dead sender's lease."""


class Died(BaseException):
    """The process that made the request is gone."""


@dataclass
class World:
    """Clock, market, engine and wire. `faults_left`: none strike any more when it is 0."""

    seed: int
    faults_left: int
    engine: Engine = field(init=False)
    now: datetime = field(default=BEGIN)
    arrivals: list[Arrival] = field(default_factory=list)
    disturbances: list[tuple[datetime, datetime]] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)
    requests: int = 0
    still: bool = False

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.price = dict(PRICES)
        self.engine = Engine.opened(SPECS, {"USDT": Decimal(10_000), "BTC": Decimal(2)})
        self._play()

    def clock(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - BEGIN).total_seconds()

    def advance(self, seconds: float) -> None:
        until = self.now + timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(self.now + timedelta(seconds=1), until)
            if not self.still:
                self._play()

    def _play(self) -> None:
        for spec in SPECS:
            jump = 0.02 if self.random.random() < 0.01 else 0.0007
            self.price[spec.symbol] *= 1 + self.random.gauss(0, jump)
            ticks = round(self.price[spec.symbol] * 100)
            lots = spec.lots(Decimal(round(40_000 / self.price[spec.symbol] * self.random.random() + 0.01, 4)))
            step = Step(self.ms, ticks, lots, self.random.random() < 0.5, 2, 2, ticks)
            self.engine.on_step(spec.symbol, step)

    @property
    def ms(self) -> int:
        return int(self.now.timestamp() * 1000)

    def strike(self, names: Sequence[str], rate: float) -> str | None:
        if self.faults_left <= 0 or self.random.random() > rate:
            return None
        self.faults_left -= 1
        fault = self.random.choice(list(names))
        self.struck.append(fault)
        self.disturbances.append((self.now, self.now + timedelta(seconds=AFTERMATH_S)))
        return fault


class EngineVenue:
    """A trading venue whose exchange is the engine, and whose wire has faults."""

    def __init__(self, world: World, arrivals: ArrivalDesk, holder: str) -> None:
        self.world, self.desk, self.holder = world, arrivals, holder

    def server_time(self) -> datetime:
        return self.world.now

    def markets(self) -> dict[str, MarketRules]:
        fee = Decimal("0.001")
        return {
            s.symbol: MarketRules(
                s.symbol, s.base, s.quote, True, s.tick, s.tick, s.price_max, s.step, s.step, s.amount_max,
                s.market_amount_max, s.notional_min, frozenset({"LIMIT", "MARKET", "STOP_LOSS_LIMIT"}), fee, fee,
            )
            for s in SPECS
        }  # fmt: skip

    def account(self) -> AccountReading:
        self._read()
        balances = self.world.engine.state.balances
        found = {a: Balance(a, balances.free(a), balances.locked(a)) for a in balances.assets()}
        return AccountReading(found, self.world.now)

    def book_tops(self, symbols: Sequence[str]) -> dict[str, BookTop]:
        tops = {}
        for symbol in symbols:
            spec, step = self.world.engine.specs[symbol], self.world.engine.state.cursors[symbol].step
            bid, ask = best_prices(step)
            many = Decimal(1)
            tops[symbol] = BookTop(
                symbol, spec.price(bid), many, spec.price(ask), many, spec.price(step.price), self.world.now
            )
        return tops

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        self._read()
        return [self._order(o) for o in self.world.engine.state.all_open_orders() if symbol in {None, o.symbol}]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        self._read()
        if self.world.strike(["not_found"], 0.05):
            raise OrderNotFound("not there yet", thing=client_order_id)
        found = self.world.engine.find(symbol, client_id=client_order_id)
        if found is None:
            raise OrderNotFound("no such order", thing=client_order_id)
        return self._order(found)

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        self._read()
        return [self._order(o) for o in self.world.engine.state.orders.values() if o.symbol == symbol]

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]:
        self._read()
        return [_trade(t) for t in self.world.engine.trades(symbol) if t.id >= int(from_id or 0)][:limit]

    def create(self, request: OrderRequest) -> VenueOrder:
        world = self.world
        world.requests += 1
        left_at = world.now
        fault = world.strike(FAULTS, 0.15)
        world.advance(0.05)
        arrival = self.desk.look(request, holder=self.holder, left_at=left_at, now=world.now)
        if fault in {"lost_before", "die_before"}:
            world.arrivals.append(replace(arrival, told=False))
            raise Died() if fault == "die_before" else OutcomeUnknown("cut")
        if fault == "unavailable":
            world.arrivals.append(replace(arrival, refusal="503"))
            raise VenueUnavailable("refused before it was read")
        kept_back = fault in {"lost_after", "die_after"}
        try:
            order = world.engine.place(_new(request), world.ms)
        except Rejected as refusal:
            world.arrivals.append(replace(arrival, refusal=f"{refusal.code} {refusal.text}", told=not kept_back))
            if kept_back:
                raise OutcomeUnknown("cut") from refusal
            raise _own(refusal) from refusal
        world.arrivals.append(replace(arrival, accepted=True, told=not kept_back))
        if fault == "die_after":
            raise Died()
        if kept_back:
            raise OutcomeUnknown("cut")
        return self._order(order)

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        world = self.world
        world.requests += 1
        fault = world.strike(FAULTS, 0.15)
        if fault in {"lost_before", "unavailable", "die_before"}:
            raise Died() if fault == "die_before" else OutcomeUnknown("cut")
        try:
            order = world.engine.cancel(symbol, world.ms, client_id=client_order_id)
        except Rejected as refusal:
            raise OrderNotFound(refusal.text, thing=client_order_id) from refusal
        if fault == "die_after":
            raise Died()
        if fault == "lost_after":
            raise OutcomeUnknown("cut")
        return self._order(order)

    def close(self) -> None:
        pass

    def _read(self) -> None:
        if self.world.strike(["unavailable"], 0.005):
            raise VenueUnavailable("503")

    def _order(self, order: Order) -> VenueOrder:
        at = datetime.fromtimestamp(order.updated_ms / 1000, UTC)
        return VenueOrder(
            str(order.id), order.client_order_id, order.symbol, order.side, order.type, order.amount, order.filled,
            order.quote_filled, STATES[order.status], order.status, order.price or None, order.stop_price or None,
            datetime.fromtimestamp(order.created_ms / 1000, UTC), at,
            tuple(_trade(trade) for trade in self.world.engine.state.trades_of(order.id)),
        )  # fmt: skip


def _trade(trade: Trade) -> VenueTrade:
    return VenueTrade(
        trade.symbol, str(trade.id), str(trade.order_id), trade.side, trade.price, trade.amount, trade.fee,
        trade.fee_asset, datetime.fromtimestamp(trade.at_ms / 1000, UTC), trade.is_maker,
    )  # fmt: skip


def _new(request: OrderRequest) -> NewOrder:
    resting = TimeInForce.GTC if request.price is not None else None
    return NewOrder(
        request.symbol, request.side, request.type, request.amount, None, request.price, request.stop_price,
        request.time_in_force or resting, request.client_order_id,
    )  # fmt: skip


def _own(refusal: Rejected) -> TradePipelineError:
    text = refusal.text
    if "trigger immediately" in text:
        return WouldTriggerImmediately(text)
    if "insufficient" in text:
        return InsufficientFunds(text)
    if "Duplicate" in text:
        return DuplicateClientOrderId(text)
    return FilterViolation(text) if refusal.code == -1013 else OrderRefused(text)


@dataclass
class Run:
    """One seed: some minutes of decisions under faults, then quiet."""

    world: World
    url: str
    folder: Path
    minutes: int = 8

    def __post_init__(self) -> None:
        self.account = f"s{self.world.seed}"
        values = {"home": str(self.folder), "account": self.account, "execution": {"fill_wait_s_max": 0}}
        self.settings = Settings.model_validate(values)
        self.home = Home.at(self.folder / self.account)
        self.home.control.mkdir(parents=True, exist_ok=True)
        self.ledger = Ledger(self.url, now=self.world.clock, database_now=self.world.clock)
        self.reader = BookReader(self.url)
        prefix = self.settings.execution.installation_prefix
        self.prefix = prefix
        self.arrivals = ArrivalDesk(
            self.world.engine, self.reader, account=self.account, prefix=prefix, quote=self.settings.market.quote_asset
        )
        portfolio, exits = self.settings.portfolio, self.settings.exits
        self.limits = Limits(portfolio.position_weight_max, portfolio.total_weight_max, exits.unprotected_s_max)
        self.memory = Memory()
        self.found: list[Violation] = []
        self.guard = self._new_guard()

    def desk(self, holder: str) -> Desk:
        world = self.world
        venue = EngineVenue(world, self.arrivals, holder)
        return Desk(self.ledger, venue, self.settings, self.home, world.clock, world.advance, world.monotonic)

    def _new_guard(self) -> Guard:
        return Guard(self.desk("guard:home"), holder="guard:home")

    def cycle(self) -> None:
        try:
            run_once(self.guard)
        except Died:
            self.world.advance(2)
            self.guard = self._new_guard()

    def judge(self, **facts: object) -> None:
        case = Case(
            self.account, self.world.now, Truth(self.world.engine, self.prefix), self.reader.read(self.account),
            self.limits, tuple(self.world.arrivals), tuple(self.world.disturbances), memory=self.memory,
            **facts,  # type: ignore[arg-type]  # quiet and what follows from it
        )  # fmt: skip
        self.found += [violation for violation in judge(case) if violation not in self.found]

    def decide(self, number: int) -> None:
        world, run = self.world, f"{self.world.seed}-{number}"
        named, expires = f"{world.seed:016x}{number:016x}", world.now + timedelta(seconds=60)
        targets = [self._target(named, symbol, expires) for symbol in PRICES]
        snapshot = AccountSnapshot(f"{run}", self.account, world.now, "USDT", Decimal(1), Decimal(1), Decimal(1),
                                   Decimal(1))  # fmt: skip
        decision = Decision(named, self.account, "sim", world.now, world.now, run, "2026-01-05", "h", "c", run, {},
                            expires)  # fmt: skip
        self.ledger.record_decision(decision, snapshot, targets)
        with suppress(Died, TradePipelineError):
            execute_decision(self.desk(f"execute:{run}"), named, run_id=run, gate=open_gate)

    def _target(self, decision_id: str, symbol: str, expires: datetime) -> Target:
        world = self.world
        price = Decimal(str(round(world.price[symbol], 2)))
        kind = world.random.choice([TargetKind.SET, TargetKind.SET, TargetKind.FLAT, TargetKind.HOLD])
        share = Decimal(world.random.choice(["0.03", "0.06", "0.09"]))
        spec = world.engine.specs[symbol]
        amount = spec.amount(spec.lots(share * 9_000 / price)) if kind is TargetKind.SET else None
        return make_target(
            decision_id, symbol, kind=kind, quantity=amount, price=price, stop_distance=price / 100,
            sleeves={"trend": amount} if amount else {}, expires_at=expires,
        )  # fmt: skip

    def play(self) -> list[Violation]:
        self.cycle()
        for number in range(self.minutes):
            self.decide(number)
            self.judge()
            for _ in range(12):
                self.cycle()
                self.judge()
                self.world.advance(5)
        self._settle()
        return self.found

    def _settle(self) -> None:
        """No more faults; twenty minutes in which everything that waits for a bound ends; then a still market."""
        self.world.faults_left = 0
        for pause in [5.0] * 12 + [61.0] * 20 + [5.0] * 3:
            self.world.advance(pause)
            self.cycle()
        self.world.still = True
        self.world.advance(6)
        for _ in range(3):
            self.cycle()
            self.world.advance(6)
        before = self.world.requests
        self.cycle()
        self.world.advance(6)
        self.cycle()
        self.judge(quiet=True, sends_after_quiet=self.world.requests - before)

    def close(self) -> None:
        self.reader.close()
        self.ledger.close()
