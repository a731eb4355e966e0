"""Which tests begin first and which stay on one worker: a suite is done when its last test is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import TypeVar

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]  # ships no type information

Anything = TypeVar("Anything")
WAITING_LANES = 2
"""Workers that begin with tests of the shell. More of them at one bar's close would make each other's bars late."""
SHARED = "test_trading"
"""Whose stack the files of stack/ share that have none of their own."""
OWN_STACK = ("test_broken_feeds", "test_chaos", "test_paper")
SMALL_STACK = ("test_warm_runs", "test_secrets_stay", "test_stack")
"""Whose tests share the stack of runtime/, in this order: the last of them kill its broker and its database."""
IN_A_ROW = ("test_up", *SMALL_STACK, "test_paper")
"""Files that are done by one worker while the others wait for bars. A worker begins a file of a single test only with
a second one in its hands: by themselves these would wait behind the longest."""
LONGEST_FIRST = ("test_chaos", "test_broken_feeds", SHARED, IN_A_ROW[0])


def is_slow(item: pytest.Item) -> bool:
    """A whole stack or a browser."""
    return bool(item.get_closest_marker("stack") or item.get_closest_marker("browser"))


def group_of(node_id: str) -> str:
    """Tests of one group share what their file starts, or the stack of the folder stack/."""
    file = _file_of(node_id)
    if file.stem in IN_A_ROW:
        return IN_A_ROW[0]
    return SHARED if file.parent.name == "stack" and file.stem not in OWN_STACK else file.stem


class ByStack(LoadScopeScheduling):  # type: ignore[misc]  # for the same reason
    """Tests of a group stay on one worker, in the order in which they were collected.

    The mark xdist_group is no way to say it: what it adds to a test's id is not read by every pytest.
    """

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


def ordered(items: Sequence[pytest.Item], workers: int) -> list[pytest.Item]:
    """The longest first, so that no worker is left with one when the others are done."""
    stacks = sorted((item for item in items if is_slow(item)), key=_turn)
    quick = [item for item in items if not is_slow(item)]
    waiting = [item for item in quick if _waits(item)]
    long = [item for item in quick if item.get_closest_marker("long")]
    return stacks + dealt(quick, waiting, long, workers)


def dealt(
    everything: Sequence[Anything], waiting: Sequence[Anything], long: Sequence[Anything], workers: int
) -> list[Anything]:
    """So that each worker's share, which `--dist worksteal` cuts out in one piece, begins with its part of the slow.

    What waits goes to the first lanes and what computes for long to the others, if there are others.
    """
    lanes = min(WAITING_LANES, workers)
    slow: list[list[Anything]] = [list(waiting[lane::lanes]) if lane < lanes else [] for lane in range(workers)]
    busy = list(range(lanes, workers)) or list(range(workers))
    for place, lane in enumerate(busy):
        slow[lane] += long[place :: len(busy)]
    named = {id(item) for lane in slow for item in lane}
    rest = [item for item in everything if id(item) not in named]
    found: list[Anything] = []
    for lane in range(workers):
        share = (len(everything) - len(found)) // (workers - lane)
        room = max(0, share - len(slow[lane]))
        found += [*slow[lane], *rest[:room]]
        rest = rest[room:]
    return found + rest


def _waits(item: pytest.Item) -> bool:
    """The shell's tests wait for a bar's close of an exchange on wall time."""
    return item.path.parent.name == "defs" and "stack" in getattr(item, "fixturenames", ())


def _turn(item: pytest.Item) -> tuple[int, int]:
    group, file = group_of(item.nodeid), _file_of(item.nodeid).stem
    within = IN_A_ROW.index(file) if file in IN_A_ROW else 0
    return LONGEST_FIRST.index(group) if group in LONGEST_FIRST else len(LONGEST_FIRST), within


def _file_of(node_id: str) -> PurePosixPath:
    return PurePosixPath(node_id.partition("::")[0])
