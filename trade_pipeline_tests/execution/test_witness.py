"""The head of the chain is noted outside of the database as soon as something was done."""

from __future__ import annotations

import pytest

from trade_pipeline.errors import LedgerError, LedgerUnavailable
from trade_pipeline.execution.witness import NAME, note_head, read_head, write_head
from trade_pipeline_tests.execution.conftest import Room


def test_a_home_without_a_note_has_no_head(room: Room) -> None:
    assert read_head(room.desk.home) is None


def test_what_a_decision_has_written_is_noted_at_its_end(room: Room) -> None:
    room.want("1")

    assert read_head(room.desk.home) == room.ledger.chain_head()
    assert room.ledger.verify(read_head(room.desk.home)).proven


def test_what_the_guard_has_done_is_noted_at_the_end_of_its_turn(room: Room) -> None:
    room.want("1")
    (room.desk.home.control / NAME).unlink()

    assert room.guard().cycle(), "it places a stop"

    assert read_head(room.desk.home) == room.ledger.chain_head()


def test_a_note_that_cannot_be_written_undoes_nothing(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise LedgerUnavailable("gone", thing="ledger")

    monkeypatch.setattr(room.ledger, "chain_head", unavailable)

    note_head(room.desk.home, room.ledger)

    assert read_head(room.desk.home) is None


def test_a_note_that_somebody_has_changed_is_named(room: Room) -> None:
    write_head(room.desk.home, room.ledger)
    (room.desk.home.control / NAME).write_text("{}")

    with pytest.raises(LedgerError, match="cannot be read"):
        read_head(room.desk.home)
