"""One seed, played: the processes of the product take their turns in virtual time, and die where they are told to.

The code that trades is the real one: `execute_decision`, the guard's cycle, reconciliation, the ledger on a real
PostgreSQL. Only the exchange's wire, the clock and the deaths are made here.
"""

from __future__ import annotations

import hashlib
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from trade_pipeline.errors import LedgerUnavailable, TradePipelineError
from trade_pipeline.execution.desk import Desk
from trade_pipeline.faults.clock import Clock
from trade_pipeline.faults.database import Remembered, SimulatedLedger
from trade_pipeline.faults.kinds import Fault, Injection, SimulatedCrash
from trade_pipeline.faults.making import START, exchange_of, settings_of
from trade_pipeline.faults.oracle import Arrival, ArrivalDesk, BookReader
from trade_pipeline.faults.scenario import Scenario
from trade_pipeline.faults.wire import Wire
from trade_pipeline.faults.world import happen
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.settings.home import Home

OUTAGE_S = 6.0
STALL_S = 20.0
QUOTE = "USDT"


@dataclass
class Process:
    """One run of `execute` or one life of the guard: it has its own desk and dies alone."""

    name: str
    holder: str
    dead: bool = False
    gave_up: bool = False
    """Whether its client will not hear the answer of the request that is under way."""
    desk: Desk = field(init=False)


class Simulation:
    """State of one seed while it is played. `judge_each` is called after every turn of a process."""

    def __init__(
        self, scenario: Scenario, account: str, ledger_url: str, connections: Ledger, reader: BookReader, home: Path
    ) -> None:
        self.scenario = scenario
        self.account = account
        self.url = ledger_url
        self.connections = connections
        self.reader = reader
        self.home = Home.at(home)
        self.home.control.mkdir(parents=True, exist_ok=True)
        self.clock = Clock(START)
        self.settings = settings_of(scenario, account, home)
        self.exchange = exchange_of(scenario, self.clock)
        self.arrivals: list[Arrival] = []
        self.cancels = 0
        self.hits: Counter[str] = Counter()
        self.points: Counter[str] = Counter()
        self.deadly_points: Counter[str] = Counter()
        """Boundaries that were passed while things could go wrong."""
        self.lines: list[str] = []
        self.disturbances: list[tuple[datetime, datetime]] = []
        self.faults_on = True
        self.world = Random(f"world {scenario.seed}")
        self.arrivals_desk = ArrivalDesk(self.exchange.engine, reader, account=account, prefix=self.prefix, quote=QUOTE)
        self.turn: Callable[[], None] = lambda: None
        """Lets the guard have its turn; set by whoever plays."""
        self._crossings: Counter[str] = Counter()
        self._hash = hashlib.blake2b(digest_size=16)
        self._names: dict[str, str] = {}
        self._late: list[tuple[datetime, Callable[[], object]]] = []
        self._database_back: datetime | None = None
        self._in_turn = False
        self._refusal: Injection | None = None
        self._remembered = Remembered()
        self._waiting: dict[str, Injection] = {}
        self.clock.whenever_waited = self._waited

    @property
    def prefix(self) -> str:
        return self.settings.execution.installation_prefix

    @property
    def trace_hash(self) -> str:
        return self._hash.hexdigest()

    # --- processes

    def born(self, name: str, holder: str) -> Process:
        """A process with fresh memory: nothing of an earlier life but what ledger and exchange hold."""
        process = Process(name, holder)
        ledger = SimulatedLedger(
            self.url,
            now=self.clock.now,
            watch=lambda moment: self._commit(process, moment),
            before_read=self._before_read,
            remembered=self._remembered,
            connections=self.connections,
        )
        process.desk = Desk(
            ledger,
            Wire(self, process),
            self.settings,
            self.home,
            self.clock.now,
            sleep=self._sleeper(process),
            monotonic=self.clock.monotonic,
        )
        return process

    def run(self, process: Process, what: Callable[[], object]) -> bool:
        """Let a process do something; False when it died of it. Its typed errors are its own affair."""
        try:
            said = what()
        except SimulatedCrash:
            process.dead = True
            self.trace(f"{process.name} dies")
            self.disturbed()
            return False
        except TradePipelineError as error:
            self.trace(f"{process.name} fails: {type(error).__name__}: {error.message}")
        else:
            self.trace(f"{process.name}: {said}")
        return True

    def _sleeper(self, process: Process) -> Callable[[float], None]:
        def sleep(seconds: float) -> None:
            if process.dead:
                raise SimulatedCrash
            self.clock.sleep(seconds)

        return sleep

    # --- boundaries

    def boundary(self, process: Process, point: str) -> None:
        """A place where the process may die. What is dead stays dead: its last words reach nobody."""
        if process.dead:
            raise SimulatedCrash
        named = f"{process.name}|{point}"
        self.points[named] += 1
        if not self.faults_on:
            return
        self.deadly_points[named] += 1
        for crash in self.scenario.crashes:
            if crash.point == named and crash.nth == self.points[named]:
                self.hit(Fault.CRASH)
                self.hits[f"crash at {named}"] += 1
                process.dead = True
                raise SimulatedCrash

    def drawn(self, channel: str) -> Injection | None:
        """The fault that is planned for this crossing, if any."""
        self._crossings[channel] += 1
        if not self.faults_on:
            return None
        for injection in self.scenario.injections:
            if injection.channel == channel and injection.nth == self._crossings[channel]:
                self.trace(f"fault: {injection}")
                return injection
        return self._waiting.pop(channel, None)

    def not_yet(self, channel: str, fault: Fault) -> None:
        """What was asked for gave this fault nothing to act on: it waits for the next crossing."""
        self._waiting[channel] = Injection(fault, channel, self._crossings[channel])

    def _commit(self, process: Process, moment: str) -> None:
        method = _ledger_method()
        self._remembered.written(method)
        if moment == "before_commit":
            if self._database_away():
                raise LedgerUnavailable("the database does not answer", thing="ledger")
            self.boundary(process, f"{method}:before_commit")
            self._refusal = self.drawn("commit") or (self.drawn("sent") if method == "mark_sent" else None)
            if self._refusal is not None and self._refusal.fault is Fault.DATABASE_REFUSES:
                self.hit(Fault.DATABASE_REFUSES)
                raise LedgerUnavailable("the database refused", thing="ledger")
            return
        self.boundary(process, f"{method}:after_commit")
        refusal, self._refusal = self._refusal, None
        if refusal is None:
            return
        self.hit(refusal.fault)
        if refusal.fault is Fault.DATABASE_ANSWER_LOST:
            raise LedgerUnavailable("the connection broke after the commit", thing="ledger")
        if refusal.fault is Fault.DATABASE_AWAY:
            self._database_back = self.clock.now() + timedelta(seconds=OUTAGE_S)
        if refusal.fault is Fault.STALL:
            # The process stands still (a paused machine, a long collection); others go on, leases run out.
            self.clock.pass_by(STALL_S)
            self.disturbed()  # Until now; what has a time limit begins again.
            self.interleave(process, counted=False)

    def _before_read(self) -> None:
        if self._database_away():
            raise LedgerUnavailable("the database does not answer", thing="ledger")

    def _database_away(self) -> bool:
        if self._database_back is not None and self.clock.now() >= self._database_back:
            self._database_back = None
        return self._database_back is not None and self.faults_on

    # --- what happens meanwhile

    def interleave(self, process: Process, *, counted: bool = True) -> None:
        """The guard takes a turn in the middle of another process's work."""
        if process.name == "execute" and not self._in_turn:
            if counted:
                self.hit(Fault.INTERLEAVED)
            self._take_turn()

    def later(self, seconds: float, effect: Callable[[], object], process: Process) -> None:
        """A request that takes effect after its sender has given up."""

        def arrives() -> None:
            process.gave_up = True
            try:
                effect()
            except TradePipelineError as error:
                self.trace(f"too late and refused: {error.message}")
            finally:
                process.gave_up = False

        self._late.append((self.clock.now() + timedelta(seconds=seconds), arrives))

    def arrive_late(self) -> None:
        due = [item for item in self._late if item[0] <= self.clock.now()]
        self._late = [item for item in self._late if item[0] > self.clock.now()]
        for _, effect in due:
            effect()

    def _waited(self) -> None:
        self.arrive_late()
        if not self._in_turn:
            self._take_turn()

    def _take_turn(self) -> None:
        self._in_turn = True
        try:
            self.turn()
        finally:
            self._in_turn = False

    def happen(self, fault: Fault) -> None:
        """Something of the world, at a moment between the turns."""
        if happen(self.exchange, fault, self.world, self.prefix, self.connections, self.account):
            self.hit(fault)
            self.disturbances.append((self.clock.now(), max(self.clock.now(), self.exchange.trouble_until)))

    # --- the record

    def hit(self, fault: Fault) -> None:
        self.hits[fault] += 1
        self.trace(f"hit: {fault}")
        self.disturbed()

    def disturbed(self) -> None:
        now = self.clock.now()
        self.disturbances.append((now, now + timedelta(seconds=OUTAGE_S)))

    def trace(self, line: str) -> None:
        """Into the hash; ids that depend on the account's name are numbered in the order of their appearance."""
        told = f"{self.clock.monotonic():9.3f} {self._anonymous(line)}"
        self._hash.update(told.encode())
        self.lines.append(told)

    def _anonymous(self, line: str) -> str:
        words = line.split(" ")
        for position, word in enumerate(words):
            core = word.strip(",.:;'()[]")
            if len(core) == 32 and all(character in "0123456789abcdef" for character in core):
                words[position] = word.replace(core, self._names.setdefault(core, f"#{len(self._names) + 1}"))
            elif self.account in word:
                words[position] = word.replace(self.account, "account")
        return " ".join(words)


def _ledger_method() -> str:
    """The ledger's method whose transaction this is: the outermost frame of the ledger that is on the stack."""
    frame = sys._getframe(2)
    found = "transaction"
    while frame is not None:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("trade_pipeline.ledger.") and module != "trade_pipeline.ledger.database":
            found = frame.f_code.co_name
        elif module.startswith("trade_pipeline.execution"):
            break
        frame = frame.f_back  # type: ignore[assignment]  # None ends the loop
    return found
