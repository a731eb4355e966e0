"""One chaos run: episodes until the time is over, then quiet, then the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.runtime.chaos.actions import Doer
from trade_pipeline.runtime.chaos.evidence import read_evidence
from trade_pipeline.runtime.chaos.plan import Episode, episodes
from trade_pipeline.runtime.chaos.recovery import seconds_until_well
from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline.runtime.chaos.verdict import Judgement, judge

QUIET_S_MAX = 240.0
"""How long the stack has, after the last disaster, to put everything right."""
READ_EVERY_S = 5.0
"""Reading the account costs weight, and the exchange bans the address, stack included, that asks too often."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One episode as it went. `recovered_s` counts from its end to the moment when every process was well again."""

    at: datetime
    what: tuple[str, ...]
    said: tuple[str, ...]
    held_s: float
    recovered_s: float
    unwell: tuple[str, ...]


@dataclass
class Report:
    """What was done, what came of it. `settled_s`: from the last disaster to the first reading without a fault."""

    seed: int
    minutes: float
    deeds: list[Deed] = field(default_factory=list)
    judgements: list[Judgement] = field(default_factory=list)
    settled_s: float = 0.0

    @property
    def passed(self) -> bool:
        recovered = not any(deed.unwell for deed in self.deeds)
        return recovered and bool(self.judgements) and all(item.passed for item in self.judgements)

    def as_json(self) -> dict[str, object]:
        deeds = [{**asdict(deed), "at": deed.at.isoformat()} for deed in self.deeds]
        return {
            "passed": self.passed,
            "seed": self.seed,
            "minutes": self.minutes,
            "episodes": len(self.deeds),
            "recovered_s_max": max((deed.recovered_s for deed in self.deeds), default=0.0),
            "settled_s": self.settled_s,
            "deeds": deeds,
            "verdict": [asdict(item) for item in self.judgements],
        }


class ChaosRun:
    """Whatever ends it, nothing stays frozen, full or failing."""

    def __init__(self, subject: Subject, say: Callable[[str], None] = lambda _: None) -> None:
        self._subject = subject
        self._doer = Doer(subject)
        self._say = say

    def run(self, minutes: float, seed: int) -> Report:
        report = Report(seed, minutes)
        began_at, deadline = datetime.now(UTC), time.monotonic() + minutes * 60
        names = [process.name for process in self._subject.processes]
        try:
            for episode in episodes(seed, names):
                if time.monotonic() >= deadline:
                    break
                report.deeds.append(self._play(episode, deadline))
        finally:
            self._doer.calm()
        self._judge(report, began_at)
        return report

    def _play(self, episode: Episode, deadline: float) -> Deed:
        at, began = datetime.now(UTC), time.monotonic()
        with self._doer.done(episode.actions) as said:
            left_s = max(deadline - time.monotonic(), 1.0)
            time.sleep(min(max(action.hold_s for action in episode.actions), left_s))
        held_s = time.monotonic() - began
        recovered_s, unwell = seconds_until_well(self._subject, self._doer.killed)
        what = tuple(action.name for action in episode.actions)
        deed = Deed(at, what, tuple(said), round(held_s, 2), round(recovered_s, 2), tuple(unwell))
        self._say(line_of(deed))
        time.sleep(min(episode.pause_s, max(deadline - time.monotonic(), 0.0)))
        return deed

    def _judge(self, report: Report, began_at: datetime) -> None:
        quiet_at, began = datetime.now(UTC), time.monotonic()
        self._say("quiet: waiting until ledger and exchange agree and a decision was executed")
        trouble = "nothing could be read"
        while True:
            try:
                report.judgements = judge(read_evidence(self._subject, began_at, quiet_at))
            except (TradePipelineError, OSError, KeyError) as error:
                trouble = f"{type(error).__name__}: {error}"
                report.judgements = []
            report.settled_s = round(time.monotonic() - began, 1)
            good = bool(report.judgements) and all(item.passed for item in report.judgements)
            if good or report.settled_s > QUIET_S_MAX:
                break
            time.sleep(READ_EVERY_S)
        if not report.judgements:
            report.judgements = [Judgement("ledger and exchange can be read", False, trouble)]


def line_of(deed: Deed) -> str:
    """One episode as one line."""
    deeds = "; ".join(f"{what} ({said})" for what, said in zip(deed.what, deed.said, strict=True))
    end = f"well after {deed.recovered_s:.1f} s" if not deed.unwell else f"NOT WELL: {', '.join(deed.unwell)}"
    return f"{deed.at:%H:%M:%S} {deeds}, for {deed.held_s:.1f} s; {end}"
