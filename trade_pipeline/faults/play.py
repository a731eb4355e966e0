"""The play of one seed: decisions, runs that execute them, the guard's turns, then quiet, and the judge throughout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from trade_pipeline.execution.breaker.watch import BreakerWatch
from trade_pipeline.execution.execute import execute_decision
from trade_pipeline.execution.guard.cycle import Guard
from trade_pipeline.faults.decisions import decide
from trade_pipeline.faults.kinds import Fault
from trade_pipeline.faults.oracle import Case, Limits, Memory, Truth, Violation, judge
from trade_pipeline.faults.scenario import BAR_S, GUARD_EVERY_S, Wish
from trade_pipeline.faults.simulation import Process, Simulation
from trade_pipeline.ledger.records import Decision
from trade_pipeline.schemas.trading import OrderState, TargetKind

QUIET_CYCLES = 20
CALM_CYCLES = 2
QUIET_EVERY_S = 6.0
RESTART_S = 2.0
DECIDE_AFTER_S = 1.0
GUARD_WAKES_S = 1.5
GUARD_IDLE_S = 6.0
"""Of each second's turns of a real guard only those are played in which something may be new."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of one seed."""

    seed: int
    violations: tuple[Violation, ...]
    trace_hash: str
    hits: Mapping[str, int]
    points: Mapping[str, int]
    """Boundaries passed while things could go wrong, and how often."""
    trace: tuple[str, ...]
    orders: int
    fills: int


@dataclass(frozen=True, slots=True)
class GateAnswer:
    reasons: tuple[str, ...] = ()


@dataclass
class Play:
    sim: Simulation
    memory: Memory = field(default_factory=Memory)
    violations: list[Violation] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.guard_process = self.sim.born("guard", "guard:main")
        self.guard = _guard(self.guard_process)
        self.guard_due_s = 0.5
        self.runs = 0
        self.pending: list[tuple[str, Decision]] = []
        self.gate = GateAnswer()
        self.limits = Limits(
            position_weight_max=self.sim.settings.portfolio.position_weight_max,
            total_weight_max=self.sim.settings.portfolio.total_weight_max,
            unprotected_s_max=self.sim.settings.exits.unprotected_s_max,
        )
        self.sim.turn = self.guards_turn

    def all(self) -> Played:
        sim = self.sim
        for bar, wishes in enumerate(sim.scenario.decisions):
            self.until((bar + 1) * BAR_S)
            self.bar_closes(bar, wishes)
        self.until(sim.scenario.active_s)
        self.settle()
        engine = sim.exchange.engine
        self._count_what_the_market_did()
        return Played(
            seed=sim.scenario.seed,
            violations=_distinct(self.violations),
            trace_hash=sim.trace_hash,
            hits=dict(sim.hits),
            points=dict(sim.deadly_points),
            trace=tuple(sim.lines),
            orders=len(engine.state.orders),
            fills=sum(len(trades) for trades in engine.state.trades.values()),
        )

    def _count_what_the_market_did(self) -> None:
        """Faults of the market's own making: they are found in what happened, nobody injects them."""
        state = self.sim.exchange.engine.state
        ours = [order for order in state.orders.values() if order.client_order_id.startswith(self.sim.prefix)]
        trades = [trade for order in ours for trade in state.trades_of(order.id)]
        found = {
            Fault.PARTIAL_FILL: sum(0 < order.filled < order.amount for order in ours),
            Fault.FEE_IN_BASE: sum(
                trade.fee > 0 and trade.symbol.startswith(f"{trade.fee_asset}/") for trade in trades
            ),
            Fault.FEE_IN_THIRD_ASSET: sum(trade.fee_asset not in trade.symbol.split("/") for trade in trades),
            Fault.STOP_WOULD_TRIGGER: sum("trigger immediately" in arrival.refusal for arrival in self.sim.arrivals),
        }
        self.sim.hits.update({str(fault): count for fault, count in found.items() if count})

    # --- time

    def until(self, second: float) -> None:
        """Let everything happen that is due before `second`, in its order."""
        world = sorted((item.nth, item.fault) for item in self.sim.scenario.injections if item.channel == "world")
        while True:
            now = self.sim.clock.monotonic()
            happenings = [item for item in world if now < item[0] <= second]
            due = min(self.guard_due_s, happenings[0][0] if happenings else second)
            if due > second or (due == second and self.guard_due_s > second and not happenings):
                break
            self.sim.clock.reach(due)
            self.sim.arrive_late()
            if happenings and happenings[0][0] <= due:
                self.happens(happenings[0][1])
                self.sim.clock.pass_by(0.001)
            elif self.guard_due_s <= due:
                self.guards_turn()
        self.sim.clock.reach(second)
        self.sim.arrive_late()

    def happens(self, fault: Fault) -> None:
        """What is not of the account's world changes how the next run goes."""
        if fault is Fault.SECOND_GUARD:
            self.sim.hit(fault)
            other = self.sim.born("guard", "guard:other")
            self.sim.run(other, _guard(other).cycle)
            self.judged()
        elif fault in _OF_THE_RUN:
            self.pending_fault = fault
        else:
            self.sim.happen(fault)
            self._wake_the_guard()

    pending_fault: Fault | None = None

    def guards_turn(self) -> None:
        """One cycle of the guard, when it is due and not in another one; a new guard where the last one has died."""
        if self.guard_is_at_work or self.sim.clock.monotonic() < self.guard_due_s:
            return
        moved = self._moved()
        self.guard_due_s = self._in(GUARD_EVERY_S)
        if self.guard_process.dead:
            self.guard_process = self.sim.born("guard", "guard:main")
            self.guard = _guard(self.guard_process)
        self.guard_is_at_work = True
        survived = self.sim.run(self.guard_process, self.guard.cycle)
        self.guard_is_at_work = False
        if not survived:
            self.guard_due_s = self._in(RESTART_S)
        elif self._moved() == moved and self.calm:
            # Nothing to do, twice: its next turns would be the same until something happens.
            self.guard_due_s = self._in(GUARD_IDLE_S)
        self.calm = self._moved() == moved
        self.judged()

    guard_is_at_work: bool = False
    calm: bool = False

    def _in(self, seconds: float) -> float:
        return round(self.sim.clock.monotonic() + seconds, 3)

    def _wake_the_guard(self) -> None:
        self.calm = False
        self.guard_due_s = min(self.guard_due_s, self._in(GUARD_WAKES_S))

    # --- decisions and their runs

    def bar_closes(self, bar: int, wishes: Sequence[Wish]) -> None:
        fault, self.pending_fault = self.pending_fault, None
        if fault is Fault.LATE_CANDLE:
            # The bar was not final in time: every symbol is HOLD (TRADING 19).
            self.sim.hit(fault)
            wishes = [Wish(wish.symbol, TargetKind.HOLD) for wish in wishes]
        self.sim.clock.pass_by(DECIDE_AFTER_S)
        decision = decide(self.sim, bar, wishes)
        if decision is None:
            return
        if fault in {Fault.GATE_CLOSED, Fault.REVISED_CANDLE}:
            self.sim.hit(fault)
            what = "a check failed" if fault is Fault.GATE_CLOSED else "the bars were revised since"
            self.gate = GateAnswer((what,))
        if fault is Fault.LATE_RUN:
            # The run waits in a queue; by then the decision is old, or a newer one is there.
            self.sim.hit(fault)
            self.pending.append(("late", decision))
            return
        self.execute(decision)
        if fault is Fault.RUN_TWICE:
            self.sim.hit(fault)
            self.execute(decision)
        self.gate = GateAnswer()
        for _, older in self.pending:
            self.execute(older)
        self.pending.clear()

    def execute(self, decision: Decision) -> None:
        self.runs += 1
        process: Process = self.sim.born("execute", f"execute:run-{self.runs}")
        gate = self.gate

        def run() -> str:
            result = execute_decision(
                process.desk, decision.decision_id, run_id=f"run-{self.runs}", gate=lambda _: gate
            )
            return result.outcome

        self.sim.run(process, run)
        self.judged()
        self._wake_the_guard()

    # --- the end and the judgement

    def settle(self) -> None:
        """Faults stop, the market stands still, the guard goes on; then a fresh guard, twice, may send nothing."""
        sim = self.sim
        sim.faults_on = False
        sim.exchange.stand_still()
        calm = 0
        for _ in range(QUIET_CYCLES):
            seen = self._moved()
            self.until(sim.clock.monotonic() + QUIET_EVERY_S)
            calm = calm + 1 if self._moved() == seen and not self._in_the_air() else 0
            if calm == CALM_CYCLES:
                break
        self.guard_process.dead = True
        self.guard_due_s = sim.clock.monotonic()
        self.until(sim.clock.monotonic() + QUIET_EVERY_S)
        before = len(sim.arrivals) + sim.cancels
        self.until(sim.clock.monotonic() + 2 * QUIET_EVERY_S)
        self.judged(quiet=True, sends=len(sim.arrivals) + sim.cancels - before)

    def _moved(self) -> tuple[int, ...]:
        """What grows when something happens: requests, trades, orders at the exchange."""
        engine = self.sim.exchange.engine
        return (
            len(self.sim.arrivals),
            self.sim.cancels,
            len(engine.state.orders),
            sum(map(len, engine.state.trades.values())),
        )

    def _in_the_air(self) -> bool:
        """Whether an order's state, or a dead run's lease that keeps the guard waiting, will still end with time."""
        if self.guard_process.desk.ledger.lease_holder(self.sim.account) is not None:
            return True
        live = self.sim.connections.live_orders(self.sim.account)
        return any(order.state not in {OrderState.OPEN, OrderState.PARTIALLY_FILLED} for order in live)

    judged_at: tuple[int, ...] = ()

    def _idle_points(self) -> int:
        """Boundaries that a cycle passes in which nothing happens."""
        return sum(count for point, count in self.sim.points.items() if point.split("|")[1].startswith(_IDLE))

    def judged(self, *, quiet: bool = False, sends: int = 0) -> None:
        sim = self.sim
        if self.violations and not quiet:
            return
        moved = (*self._moved(), len(sim.hits), sum(sim.points.values()) - self._idle_points())
        if not quiet and moved == self.judged_at and not self.memory.unprotected_since:
            return  # Nothing has happened, and no time runs.
        self.judged_at = moved
        case = Case(
            account=sim.account,
            now=sim.clock.now(),
            truth=Truth(sim.exchange.engine, sim.prefix),
            book=sim.reader.read(sim.account),
            limits=self.limits,
            arrivals=sim.arrivals,
            disturbances=sim.disturbances,
            quiet=quiet,
            sends_after_quiet=sends,
            untradable=frozenset(sim.exchange.delisted),
            memory=self.memory,
        )
        for violation in judge(case):
            self.violations.append(violation)
            sim.trace(f"VIOLATION {violation}")


def _guard(process: Process) -> Guard:
    """The machine that simulates is not the one that is simulated: its load opens no breaker."""
    return Guard(process.desk, process.holder, breaker=BreakerWatch(machine=dict))


_IDLE = ("heartbeat", "record_equity", "venue.account", "venue.open_orders", "venue.tops", "record_opening")
_OF_THE_RUN = frozenset({Fault.RUN_TWICE, Fault.LATE_RUN, Fault.GATE_CLOSED, Fault.LATE_CANDLE, Fault.REVISED_CANDLE})


def _distinct(violations: Sequence[Violation]) -> tuple[Violation, ...]:
    found: dict[tuple[str, str], Violation] = {}
    for violation in violations:
        found.setdefault((violation.invariant, violation.subject), violation)
    return tuple(found.values())
