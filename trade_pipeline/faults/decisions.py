"""The decisions of a simulation, written as the pipeline writes its own: snapshot, frozen quantities, expiry."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.ids import intent_id
from trade_pipeline.execution.planning.snapshot import take_snapshot
from trade_pipeline.faults.making import START
from trade_pipeline.faults.scenario import BAR_S, Wish
from trade_pipeline.faults.simulation import Simulation
from trade_pipeline.ledger.records import Decision, Target
from trade_pipeline.schemas.trading import AccountSnapshot, Role, TargetKind


def decide(sim: Simulation, bar: int, wishes: Sequence[Wish]) -> Decision | None:
    """A decision with a snapshot of the account as it is now; None where that could not be read or written."""
    process = sim.born("decide", "decide")
    as_of = START + timedelta(seconds=(bar + 1) * BAR_S)
    made: list[Decision] = []

    def take() -> str:
        snapshot = take_snapshot(process.desk)
        named = intent_id(sim.account, f"decision {bar}", "", Role.ENTRY)
        decision = _decision(named, sim.account, as_of, sim.clock.now(), snapshot, bar)
        targets = [_target(sim, named, wish, snapshot) for wish in wishes]
        process.desk.ledger.record_decision(decision, snapshot, targets)
        made.append(decision)
        return f"bar {bar}: " + ", ".join(f"{t.symbol} {t.kind} {t.quantity}" for t in targets)

    sim.run(process, take)
    return made[0] if made else None


def _target(sim: Simulation, named: str, wish: Wish, snapshot: AccountSnapshot) -> Target:
    price = sim.exchange.engine.state.last_prices[wish.symbol]
    quantity = None
    if wish.kind == TargetKind.SET:
        step = sim.exchange.engine.specs[wish.symbol].step
        quantity = wish.weight * snapshot.equity_quote / price
        quantity -= quantity % step
    return Target(
        decision_id=named,
        symbol=wish.symbol,
        kind=wish.kind,
        quantity=Decimal(0) if wish.kind == TargetKind.FLAT else quantity,
        price=price,
        stop_distance=(price * wish.stop_ratio).quantize(Decimal("0.00000001")),
        score=0.5,
        weight=float(wish.weight),
        strategy="trend",
        sleeves={"trend": quantity} if quantity else {},
        expires_at=sim.clock.now() + timedelta(seconds=BAR_S),
        reason="simulated",
    )


def _decision(
    named: str, account: str, as_of: datetime, now: datetime, snapshot: AccountSnapshot, bar: int
) -> Decision:
    return Decision(
        decision_id=named,
        account=account,
        mode="sim",
        as_of=as_of,
        decided_at=now,
        run_id=f"decide-{bar}",
        partition="2026-03-02",
        settings_hash="0" * 32,
        code_version="0",
        snapshot_id=snapshot.snapshot_id,
        inputs={},
        expires_at=now + timedelta(seconds=BAR_S),
    )
