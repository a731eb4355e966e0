"""What a record holds is what was played, whatever became of its last line."""

from __future__ import annotations

from pathlib import Path

from trade_pipeline.faults.oracle import Violation
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.record import Record

BROKEN = Violation("invariant_23", "no position stays unprotected", "BTC/USDT", "1 without a stop for 11 s")


def played(seed: int, *violations: Violation) -> Played:
    return Played(seed, violations, "hash", {"crash": 1}, {}, (), orders=2, fills=3)


def test_what_was_played_is_read_again_and_each_seed_once(tmp_path: Path) -> None:
    record = Record(tmp_path / "record")
    for one in (played(1), played(2, BROKEN), played(2, BROKEN), played(9)):
        record.add(one)

    assert list(record.read(range(5))) == [played(1), played(2, BROKEN)]


def test_a_line_that_was_cut_is_left_out_and_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "record"
    record = Record(path)
    record.add(played(1))
    path.write_text(path.read_text() + '{"seed": 2, "viol')
    record.add(played(3))
    record.add(played(4))

    assert [one.seed for one in record.read(range(9))] == [1, 3, 4]


def test_without_a_file_nothing_was_played(tmp_path: Path) -> None:
    assert list(Record(tmp_path / "none").read(range(9))) == []
