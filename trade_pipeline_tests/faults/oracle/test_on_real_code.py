"""The judge watches the real code at work: silent while it keeps its promises, loud as soon as a rule is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

from trade_pipeline.errors import OutcomeUnknown, TradePipelineError
from trade_pipeline.execution import submit
from trade_pipeline.execution.desk import Desk
from trade_pipeline.ledger import orders
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Lease, Order
from trade_pipeline.schemas.trading import OrderRequest
from trade_pipeline_tests.faults.oracle.small_world import Run, World

FAULTS = 8
RESTLESS = 200
"""A seed in which answers to orders are lost."""


def play(seed: int, faults: int, ledger_url: str, folder: Path) -> Run:
    run = Run(World(seed, faults), ledger_url, folder)
    try:
        run.play()
    finally:
        run.close()
    return run


def broken(ledger_url: str, folder: Path) -> set[str]:
    run = play(RESTLESS, FAULTS, ledger_url, folder)
    return {violation.invariant.removeprefix("invariant_") for violation in run.found}


@pytest.mark.parametrize(("seed", "faults"), [(0, 0), (10, FAULTS), (11, FAULTS), (RESTLESS, FAULTS)])
def test_the_code_as_it_is_gives_nothing_to_find(seed: int, faults: int, ledger_url: str, tmp_path: Path) -> None:
    run = play(seed, faults, ledger_url, tmp_path)
    assert run.found == []
    assert run.world.engine.trades("BTC/USDT"), "a market in which nothing is traded proves nothing"
    assert bool(run.world.struck) == bool(faults)


def test_a_request_repeated_after_a_timeout_is_found(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def send_until_answered(desk: Desk, request: OrderRequest) -> Order:
        for _ in range(3):
            try:
                return submit.apply(desk, desk.venue.create(request), "answer to create")
            except OutcomeUnknown:
                continue
            except TradePipelineError as error:
                return desk.ledger.mark_rejected(request.client_order_id, str(error))
        return desk.ledger.mark_unknown(request.client_order_id, "gave up")

    monkeypatch.setattr(submit, "_send_once", send_until_answered)
    assert "14" in broken(ledger_url, tmp_path)


def test_a_timeout_taken_for_a_rejection_is_found(
    ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Ledger, "mark_unknown", Ledger.mark_rejected)
    assert "18" in broken(ledger_url, tmp_path)


def test_a_lease_that_nobody_holds_is_found(ledger_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def granted(ledger: Ledger, account: str, holder: str, ttl_s: float, for_exit: bool = False) -> Lease:
        return Lease(account, holder, 1, ledger._now())

    monkeypatch.setattr(Ledger, "acquire_lease", granted)
    monkeypatch.setattr(Ledger, "exit_is_waiting", lambda *_: False)
    monkeypatch.setattr(orders, "check_lease", lambda *_: None)
    assert "17" in broken(ledger_url, tmp_path)
