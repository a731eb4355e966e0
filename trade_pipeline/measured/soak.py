"""The process of a soak in compressed time: one warm worker that decides and executes, bar after bar, without waiting.

`python -m trade_pipeline.measured.soak FOLDER RECORD BARS STEP_MINUTES SYMBOLS`. Jobs, instance, storage, ledger, lake
and simulated exchange are those of a stack, and a run goes the way of a Celery task. Not in it: broker, daemon, code
server, webserver. Time is virtual and in the past: the gate asks how old an approval is, which Dagster dates itself.

What waits for the clock is told otherwise: Dagster's runs are dated anew after each bar, so that the night's pruning
finds them, and Delta's time travel is kept for no time, since the files that it holds are dated by the wall.
"""

from __future__ import annotations

import json
import os
import secrets
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import dagster as dg
import psutil
from dagster._cli.api import _execute_run_command_body
from dagster._core.code_pointer import ModuleCodePointer
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, RepositoryPythonOrigin
from sqlalchemy import text

from trade_pipeline.bench.soak import LATENCY_OF, sample, tree_mb
from trade_pipeline.definitions import defs
from trade_pipeline.defs import resources
from trade_pipeline.defs.partitions import DAY, day_start, partition_of
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.defs.run_time import AS_OF_TAG, DECIDE_JOB, EXECUTE_JOB
from trade_pipeline.execution.guard.cycle import Guard, run_once
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.measured.virtual_clock import VirtualClock
from trade_pipeline.measured.virtual_exchange import virtual_exchange
from trade_pipeline.runtime.environment import stack_environment
from trade_pipeline.runtime.ports import free_port
from trade_pipeline.runtime.throwaway_postgres import throwaway_postgres
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets, write_settings_in_force
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.binance_trading import BinanceTrading
from trade_pipeline.venues.capabilities import OrderLimit
from trade_pipeline.venues.ccxt_clients import tell_time
from trade_pipeline.venues.order_budget import OrderBudget

BEGINS_BEFORE = timedelta(days=40)
BEGINS_AT = timedelta(hours=22)
"""Of that day: a first midnight comes soon."""
AFTER_CLOSE = timedelta(milliseconds=400)
"""When a bar's run begins: what a warm stack's tick takes."""
REPORTS_EVERY_BARS = 5
NIGHT_AFTER = timedelta(minutes=12)
_DATED = text("UPDATE runs SET create_timestamp = :at WHERE create_timestamp > :wall")


@dataclass(frozen=True, slots=True)
class Plan:
    bars: int
    step: timedelta
    symbols: int

    @property
    def sample_every_bars(self) -> int:
        return max(1, min(10, self.bars // 10))


@dataclass
class Worker:
    """What a warm worker holds, and what a soak needs beside it."""

    stack: OpenStack
    clock: VirtualClock
    database: Database
    processes: Mapping[str, int]
    took_s: list[float] = field(default_factory=list)
    night: str = ""
    guard: Guard | None = None

    def bar(self, as_of: datetime, number: int) -> str:
        """Decide, execute, guard; now and then the reports, and once a day the night's work. Says what happened."""
        self.clock.put_to(as_of + AFTER_CLOSE)
        self.stack.market.read_time()  # carried on by the monotonic clock, which knows nothing of the leap
        wall, began, said = datetime.now(UTC), time.perf_counter(), "none"
        day = partition_of(as_of)
        ended_well = run(DECIDE_JOB, {"dagster/partition": day, AS_OF_TAG: as_of.isoformat()})
        decision = self.stack.ledger.newest_decision(self.stack.settings.account)
        if ended_well and decision is not None and decision.as_of == as_of:
            config = {"ops": {"execute_decision": {"config": {"decision_id": decision.decision_id}}}}
            run(EXECUTE_JOB, {AS_OF_TAG: as_of.isoformat()}, config)
            outcomes = {one.stage: one for one in self.stack.ledger.outcomes(decision.decision_id)}
            said = outcomes["execute"].outcome if "execute" in outcomes else "not executed"
        self.took_s.append(time.perf_counter() - began)
        self.guard = self.guard or Guard(self.stack.desk, holder="guard")
        run_once(self.guard)
        if number % REPORTS_EVERY_BARS == 0:
            run("reports", {})
        if as_of - day_start(str(as_of.date())) >= NIGHT_AFTER and self.night != str((as_of - DAY).date()):
            self.night = str((as_of - DAY).date())
            if number > 1:
                worked = run("nightly", {"dagster/partition": self.night})
                said += f", the night's work {'done' if worked else 'FAILED'}"
        with self.database.transaction() as connection:
            connection.execute(_DATED, {"at": as_of.replace(tzinfo=None), "wall": wall.replace(tzinfo=None)})
        return said

    def look(self) -> dict[str, object]:
        memory = {"worker": own_mb(), **{name: tree_mb(pid) for name, pid in self.processes.items()}}
        found = sample(self.stack.home, self.database, self.stack.settings.account, memory)
        latency = round(median(self.took_s[-LATENCY_OF:]), 3) if self.took_s else None
        return asdict(replace(found, latency_p50_s=latency))


def run(job: str, tags: Mapping[str, str], config: Mapping[str, object] | None = None) -> bool:
    """As a Celery task of a warm worker does it: an instance of its own, and the job found by its origin."""
    pointer = ModuleCodePointer("trade_pipeline.definitions", "defs", str(Path.cwd()))
    origin = RepositoryPythonOrigin(sys.executable, pointer, entry_point=DEFAULT_DAGSTER_ENTRY_POINT)
    with dg.DagsterInstance.get() as instance:
        made = instance.create_run_for_job(
            defs.resolve_job_def(job), run_config=config, tags=dict(tags), job_code_origin=origin.get_job_origin(job)
        )
        failed = _execute_run_command_body(made.run_id, instance, lambda event: None, True)
    return failed == 0


def own_mb() -> float:
    return float(psutil.Process().memory_full_info().pss) / 1024**2


@contextmanager
def worker(folder: Path, plan: Plan, begin: datetime) -> Iterator[Worker]:
    """Everything started, at `begin`; all of it ends with this process."""
    home = Home.at(folder)
    for path in (home.root, home.logs, home.exchange, home.dagster, home.lake, home.control):
        path.mkdir(parents=True, exist_ok=True)
    settings = settings_of(home, plan)
    write_settings_in_force(home, settings)
    clock_file = home.root / "clock"
    clock = VirtualClock(clock_file)
    clock.put_to(begin)
    with ExitStack() as opened:
        url = opened.enter_context(throwaway_postgres())
        keys = secrets.token_hex(8), secrets.token_hex(16)
        own = Secrets(*keys, ledger_url=url, broker_url="redis://127.0.0.1:1/0")
        os.environ.update(stack_environment(home, settings, own, os.environ))
        server = next(child for child in psutil.Process().children() if "postgres" in " ".join(child.cmdline()))
        exchange_id = opened.enter_context(virtual_exchange(home, clock_file, settings.exchange.port, os.environ))
        tell_time(clock.now_ms)
        stack = resources.open_stack(str(home.root))
        stack.now = clock.now
        ledger = Ledger(url, now=clock.now, database_now=clock.now)
        trading = trading_of(settings, keys, clock)
        stack.__dict__.update(settings=without_time_travel(settings), ledger=ledger, trading=trading)
        ledger.record_opening(settings.account, stack.trading.account())
        database = Database(url)
        yield Worker(stack, clock, database, {"exchange": exchange_id, "postgres": server.pid})
        database.close()
        resources.forget(str(home.root))


def settings_of(home: Home, plan: Plan) -> Settings:
    """A stack that trades now and then: positions are left after half an hour and may be taken again at once."""
    return Settings.model_validate(
        {
            "home": str(home.root),
            "exchange": {
                "port": free_port(),
                "symbols": plan.symbols,
                "history_days": 3,
                "weight_limit_per_minute": 1_000_000,
                "maker_fee_rate": 0,
                "taker_fee_rate": 0,
            },
            "market": {"symbols_max": plan.symbols, "late_limit_s": 30},
            "runtime": {"runs_kept_days": 2},
            "exits": {"holding_hours_max": 0.5, "lock_cooldown_s": 0},
            "breaker": dict.fromkeys(LOSS_LIMITS),
        }
    )


def without_time_travel(settings: Settings) -> Settings:
    """An hour of the wall is days of the virtual clock. No file could say so: the least is an hour."""
    return settings.model_copy(update={"storage": settings.storage.model_copy(update={"versions_kept_hours": 0})})


LOSS_LIMITS = (
    "drawdown_ratio_max",
    "daily_loss_ratio_max",
    "losing_streak_max",
    "symbol_losing_streak_max",
    "volatility_multiple_max",
    "spread_multiple_max",
    "depth_share_min",
)


def trading_of(settings: Settings, keys: tuple[str, str], clock: VirtualClock) -> BinanceTrading:
    url = f"http://127.0.0.1:{settings.exchange.port}"
    orders = OrderBudget(OrderLimit(500, 10.0))  # of the machine's time, of which a virtual bar takes little
    return BinanceTrading(url, *keys, weight_per_minute=1_000_000, order_budget=orders, now=clock.now)


def soak(folder: Path, record: Path, plan: Plan) -> None:
    """A line of `record` for each sample, as it is taken: what was measured survives whatever ends the run."""
    begin = day_start(f"{datetime.now(UTC) - BEGINS_BEFORE:%Y-%m-%d}") + BEGINS_AT
    with worker(folder, plan, begin) as one, record.open("a") as lines:
        for number in range(1, plan.bars + 1):
            as_of = begin + number * plan.step
            said = one.bar(as_of, number)
            if number % plan.sample_every_bars == 0 or number == 1:
                lines.write(json.dumps(one.look()) + "\n")
                lines.flush()
            sys.stdout.write(f"bar {number} {as_of:%d %H:%M} {one.took_s[-1]:.2f} s {own_mb():.0f} MB: {said}\n")
            sys.stdout.flush()


def main(arguments: Sequence[str]) -> int:
    folder, record, bars, step_minutes, symbols = arguments
    soak(Path(folder), Path(record), Plan(int(bars), timedelta(minutes=int(step_minutes)), int(symbols)))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
