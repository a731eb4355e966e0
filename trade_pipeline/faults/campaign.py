"""Many seeds: what they broke, what they hit, and the smallest set of faults that still breaks it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from trade_pipeline.faults.kinds import Crash, Fault, Injection
from trade_pipeline.faults.play import Played
from trade_pipeline.faults.scenario import POINTS, SWAP_POINTS, Scenario
from trade_pipeline.faults.stage import Stage

COVERAGE_SEEDS_MIN = 200
"""From so many seeds on, a fault that was never hit is a failure of the run itself."""
SWAP_COVERAGE_SEEDS_MIN = 1000
"""So many seeds are needed to die at each boundary of requests that few seeds make."""


@dataclass
class Campaign:
    """What a run of many seeds has come to so far."""

    played: set[int] = field(default_factory=set)
    plays: int = 0
    """More than seeds where a seed is played with one thing after the other going wrong, or once more."""
    failed: list[Played] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    points: Counter[str] = field(default_factory=Counter)
    orders: int = 0
    fills: int = 0
    took_s: float = 0.0
    timed: int = 0
    """Plays of `took_s`; the others come from a record."""
    jobs: int = 1
    cut_short: bool = False

    @property
    def seeds(self) -> int:
        return len(self.played)

    def add(self, played: Played) -> None:
        self.played.add(played.seed)
        self.plays += 1
        self.orders += played.orders
        self.fills += played.fills
        self.hits.update(played.hits)
        self.points.update(played.points)
        if played.violations:
            self.failed.append(played)

    @property
    def violations(self) -> int:
        return sum(len(played.violations) for played in self.failed)

    @property
    def never_hit(self) -> list[str]:
        """Kinds of faults, and boundaries at which crashes are drawn, that no seed has come to."""
        drawn = POINTS if self.seeds < SWAP_COVERAGE_SEEDS_MIN else (*POINTS, *SWAP_POINTS)
        points = [point for point in drawn if not self.hits[f"crash at {point}"]]
        faults = [str(fault) for fault in Fault if not self.hits[fault]]
        return faults + ([f"crash at {point}" for point in points] if self.seeds >= COVERAGE_SEEDS_MIN else [])

    @property
    def seeds_per_s(self) -> float:
        return self.timed / self.took_s if self.took_s else 0.0

    @property
    def succeeded(self) -> bool:
        return not self.failed and not self.cut_short and (self.seeds < COVERAGE_SEEDS_MIN or not self.never_hit)

    def summary(self) -> dict[str, object]:
        """The last line of `faults --json`, whatever was asked for; docs/reliability.md names the keys."""
        return {
            "seeds": self.seeds,
            "plays": self.plays,
            "violations": self.violations,
            "failed_seeds": sorted({played.seed for played in self.failed}),
            "hits": dict(sorted(self.hits.items())),
            "never_hit": self.never_hit,
            "orders": self.orders,
            "fills": self.fills,
            "seeds_per_s": round(self.seeds_per_s, 2),
            "jobs": self.jobs,
            "seeds_per_s_and_job": round(self.seeds_per_s / self.jobs, 2),
            "took_s": round(self.took_s, 1),
            "cut_short": self.cut_short,
        }


def collect(
    plays: Iterable[Played],
    tell: Callable[[Campaign, Played], None] = lambda *_: None,
    campaign: Campaign | None = None,
) -> Campaign:
    """Add up what is played; `tell` hears of every one. A campaign that was cut short holds what was played."""
    campaign = campaign or Campaign()
    began = time.monotonic()
    try:
        for played in plays:
            campaign.add(played)
            campaign.timed += 1
            campaign.took_s = time.monotonic() - began
            tell(campaign, played)
    except (KeyboardInterrupt, SystemExit):
        campaign.cut_short = True
    return campaign


def shrink(stage: Stage, scenario: Scenario) -> Scenario:
    """The scenario with the fewest faults, crashes and decisions that still breaks a promise.

    Leaves out one thing after the other for as long as a violation remains (greedy delta debugging).
    """
    changed = True
    while changed:
        changed = False
        for smaller in _without_one(scenario):
            if stage.play(smaller).violations:
                scenario, changed = smaller, True
                break
    return scenario


def _without_one(scenario: Scenario) -> Iterable[Scenario]:
    for index in range(len(scenario.injections)):
        kept = scenario.injections[:index] + scenario.injections[index + 1 :]
        yield replace(scenario, injections=kept)
    for index in range(len(scenario.crashes)):
        yield replace(scenario, crashes=scenario.crashes[:index] + scenario.crashes[index + 1 :])
    if len(scenario.decisions) > 1:
        yield replace(scenario, decisions=scenario.decisions[:-1])


def every_single_crash(
    stage: Stage, base: Scenario, part: int = 0, parts: int = 1, *, last: bool = True
) -> Iterable[tuple[Crash, Played]]:
    """Kill at each boundary that the base scenario passes, one at a time: at its first passing and at its `last`.

    `part` of `parts`: every so many-th of them.
    """
    calm = replace(base, injections=(), crashes=())
    passed = stage.play(calm).points
    passings = {point: {1, count} if last else {1} for point, count in sorted(passed.items())}
    crashes = [Crash(point, nth) for point, passing in passings.items() for nth in sorted(passing)]
    for crash in crashes[part::parts]:
        yield crash, stage.play(replace(calm, crashes=(crash,)))


def told(scenario: Scenario) -> str:
    """What a scenario does to the product, in one line."""
    things: Sequence[Injection | Crash] = (*scenario.injections, *scenario.crashes)
    return ", ".join(map(str, things)) or "no fault at all"
