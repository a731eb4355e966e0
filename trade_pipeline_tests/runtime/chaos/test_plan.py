"""What goes wrong comes from the seed alone, and everything comes early."""

from __future__ import annotations

from itertools import islice

from trade_pipeline.runtime.chaos.plan import DISK, FULL, HOLD_S, KILL, OUTAGE, OUTAGES, STOP, TWICE, Action, episodes

NAMES = ("postgres", "redis", "worker_decide", "worker_execute", "exchange", "guard", "webserver", "daemon")


def _actions(seed: int, count: int, names: tuple[str, ...] = NAMES) -> list[Action]:
    return [action for episode in islice(episodes(seed, names), count) for action in episode.actions]


def test_the_same_seed_gives_the_same_disasters_and_another_one_others() -> None:
    assert _actions(3, 40) == _actions(3, 40)
    assert _actions(3, 40) != _actions(4, 40)


def test_every_kind_comes_among_the_first_five() -> None:
    for seed in range(20):
        firsts = [episode.actions[0].kind for episode in islice(episodes(seed, NAMES), 5)]
        assert set(firsts) == {KILL, STOP, OUTAGE, DISK, TWICE}


def test_every_process_is_killed_before_one_is_killed_again() -> None:
    killed = [action.target for action in _actions(5, 200) if action.kind == KILL]
    assert set(killed[: len(NAMES)]) == set(NAMES)


def test_some_disasters_come_two_at_a_time_and_of_two_kinds() -> None:
    found = list(islice(episodes(1, NAMES), 100))
    doubles = [episode for episode in found if len(episode.actions) == 2]
    assert 10 < len(doubles) < 45
    assert all(one.kind != other.kind for one, other in (episode.actions for episode in doubles))


def test_what_is_not_part_of_the_stack_is_left_out() -> None:
    kinds = {action.kind for action in _actions(1, 60, ("redis", "worker_decide"))}
    assert kinds == {KILL, DISK}


def test_outages_are_of_every_sort_and_some_meet_only_orders() -> None:
    outages = [action for action in _actions(2, 200) if action.kind == OUTAGE]
    assert {action.target for action in outages} == set(OUTAGES)
    assert {action.fault.get("path") for action in outages} == {None, "/api/v3/order"}
    assert all(action.hold_s >= HOLD_S[0] for action in outages)


def test_only_what_writes_files_has_a_full_disk() -> None:
    assert {action.target for action in _actions(2, 200) if action.kind == DISK} == set(FULL) & set(NAMES)
