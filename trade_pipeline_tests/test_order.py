"""What begins when in a suite of several workers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trade_pipeline_tests.order import IN_A_ROW, LONGEST_FIRST, OWN_STACK, SHARED, SMALL_STACK, dealt, group_of

FOLDER = Path(__file__).parent


def shares(tests: list[str], workers: int) -> list[list[str]]:
    """As `--dist worksteal` cuts them out."""
    found = []
    for worker in range(workers):
        size = len(tests) // (workers - worker)
        found.append(tests[:size])
        tests = tests[size:]
    return found


def test_each_share_begins_with_its_part_of_the_slow_ones() -> None:
    tests = [f"t{i}" for i in range(17)]
    waiting, long = [tests[i] for i in (3, 4, 9)], [tests[i] for i in (0, 16, 8)]
    found = dealt(tests, waiting, long, 4)
    assert sorted(found) == sorted(tests)
    assert [share[:2] for share in shares(found, 4)] == [["t3", "t9"], ["t4", "t5"], ["t0", "t8"], ["t16", "t12"]]


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
def test_no_test_is_lost_or_run_twice_however_many_workers_there_are(workers: int) -> None:
    tests = [f"t{i}" for i in range(10)]
    found = dealt(tests, tests[:4], tests[4:9], workers)
    assert sorted(found) == sorted(tests)


def test_what_shares_a_stack_is_one_group_and_what_starts_its_own_is_another() -> None:
    folder = "trade_pipeline_tests/stack"
    assert group_of(f"{folder}/test_trading.py::test_a") == group_of(f"{folder}/test_ui.py::test_b[x::y]") == SHARED
    assert group_of(f"{folder}/test_chaos.py::test_c") == "test_chaos"
    assert group_of("trade_pipeline_tests/cli/test_up.py::test_d") == group_of(f"{folder}/test_paper.py::test_f")
    assert len({group_of(f"trade_pipeline_tests/runtime/{name}.py::test_e") for name in SMALL_STACK}) == 1


def test_the_names_are_those_of_files() -> None:
    files = {path.stem for path in FOLDER.rglob("test_*.py")}
    assert {*LONGEST_FIRST, *OWN_STACK, *IN_A_ROW} <= files


def test_what_starts_a_stack_or_a_browser_lies_where_make_looks_for_it() -> None:
    (folders,) = re.findall(r"^SLOW := .*,(.*)\)$", (FOLDER.parent / "Makefile").read_text(), re.MULTILINE)
    marked = [path for path in FOLDER.rglob("test_*.py") if re.search(r"mark\.(stack|browser)\b", path.read_text())]
    assert {path.relative_to(FOLDER).parts[0] for path in marked} == set(folders.split())
