"""Every single fault and death at every boundary of a base scenario, and pairs of them.

The base is played once without any of them; what it passes is where things can happen. Random seeds find what nobody
thought of; this finds what chance would need very long for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from random import Random

from trade_pipeline.faults.kinds import ON_CHANGES, ON_COMMITS, ON_READS, Crash, Fault, Injection
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.scenario import Scenario
from trade_pipeline.faults.stage import Stage

Thing = Injection | Crash
ONLY_ON = {
    Fault.NOT_FOUND_DELAY: frozenset({"order", "open_orders"}),
    Fault.TRUNCATED_TRADES: frozenset({"trades"}),
    Fault.CLOSED_FOR_CANCELLED: frozenset({"order"}),
    Fault.STALE_READ: frozenset({"account", "open_orders"}),
}
"""Faults of reads that only some reads can have."""


def calm(base: Scenario) -> Scenario:
    """The same market and decisions, and nothing goes wrong."""
    return replace(base, injections=(), crashes=())


def crashes(points: Mapping[str, int], first: int = 2) -> list[Crash]:
    """A death at each boundary that was passed: at its first passings and at its last."""
    return [
        Crash(point, nth)
        for point, count in sorted(points.items())
        for nth in sorted({*range(1, min(count, first) + 1), count})
    ]


def injections(points: Mapping[str, int], reads: int = 3) -> list[Injection]:
    """Every fault at every change and commit, and at `reads` crossings of each kind of read, spread over the play."""
    found: list[Injection] = []
    for channel, count in sorted(crossings(points).items()):
        if channel == "commit":
            found += [Injection(fault, channel, nth) for nth in range(1, count + 1) for fault in ON_COMMITS]
        elif channel in {"create", "cancel", "replace", "pair"}:
            found += [Injection(fault, channel, nth) for nth in range(1, count + 1) for fault in ON_CHANGES]
        else:
            faults = [fault for fault in ON_READS if channel in ONLY_ON.get(fault, {channel})]
            found += [Injection(fault, channel, nth) for nth in _spread(count, reads) for fault in faults]
    return found


def crossings(points: Mapping[str, int]) -> dict[str, int]:
    """Channel -> how often it was crossed, by whatever process."""
    found: dict[str, int] = {}
    for point, count in points.items():
        boundary, moment = point.split("|")[1].split(":")
        if moment == "before_commit":
            found["commit"] = found.get("commit", 0) + count
        elif moment == "before":
            channel = boundary.removeprefix("venue.")
            found[channel] = found.get(channel, 0) + count
    return found


def _spread(count: int, wanted: int) -> list[int]:
    return sorted({1 + (count - 1) * step // max(wanted - 1, 1) for step in range(wanted)}) if count else []


def pairs(things: Sequence[Thing], count: int, random: Random) -> Iterator[tuple[Thing, Thing]]:
    """`count` pairs, drawn: all of them would be the square."""
    for _ in range(count):
        first, second = random.sample(range(len(things)), 2)
        yield things[first], things[second]


def played_with(stage: Stage, base: Scenario, things: Sequence[Thing]) -> Played:
    """The base with these things going wrong, and no others."""
    return stage.play(
        replace(
            base,
            injections=tuple(thing for thing in things if isinstance(thing, Injection)),
            crashes=tuple(thing for thing in things if isinstance(thing, Crash)),
        )
    )


def all_of(stage: Stage, base: Scenario, pair_count: int) -> Iterator[tuple[Sequence[Thing], Played]]:
    """Each single thing that can go wrong with the base, then drawn pairs; what went wrong, and what came of it."""
    still = stage.play(calm(base))
    yield (), still
    things: list[Thing] = [*crashes(still.points), *injections(still.points)]
    chosen = pairs(things, pair_count, Random(f"pairs {base.seed}"))
    for each in (*((thing,) for thing in things), *chosen):
        yield each, played_with(stage, base, each)
