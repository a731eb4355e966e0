"""Which process has gone quiet although it lives? Signs of life with limits, and the decision what to start anew.

Everything is pure: `signs_of_life` reads, `watching` does. Dagster's scheduler thread has been seen to deadlock while
every heartbeat went on; so what is watched is what a process owes: answers, ticks, evaluations, bars.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trade_pipeline.settings.watchdog import WatchdogSettings

TICKS, SENSORS, BARS, CANDLES, DECISIONS = "ticks", "sensors", "bars", "candles", "decisions"
"""Names of the signs that are no answers; an answer's sign is named like its process."""
STARTING_S = 45.0
"""What a process that was started anew is given beyond its limit, on a busy machine."""
_AMNESTY_LOOKS = 6
_LATE_RATIO = 0.8


@dataclass(frozen=True, slots=True)
class Sign:
    """`process` owes it every so often; None: nobody can be restarted for it, it is told only.

    `needs` are signs without which it cannot come: while one of them is late, or was just restarted, it is not missed.
    """

    name: str
    process: str | None
    age_s_max: float
    needs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Alarm:
    """A sign that is too old, and the process that is to be started anew."""

    sign: str
    process: str | None
    age_s: float
    limit_s: float

    def __str__(self) -> str:
        does = f"restarting {self.process}" if self.process else "look at the failed checks"
        return f"{_WORDS.get(self.sign, f'{self.sign} has not answered')} for {self.age_s:.0f} s: {does}"


_WORDS = {
    TICKS: "no schedule has ticked",
    SENSORS: "a sensor was not evaluated",
    BARS: "no bars were fetched",
    CANDLES: "the exchange has made no candle",
    DECISIONS: "nothing was decided",
}


def signs_of(processes: Collection[str], limits: WatchdogSettings, *, simulated: bool) -> list[Sign]:
    """What a stack of these processes owes, causes before what follows from them."""
    answers = limits.answer_age_s_max
    storage = tuple(name for name in ("postgres", "redis") if name in processes)
    found = [Sign(name, name, answers) for name in storage]
    servers = ("exchange", "code_server", "code_server_research", "webserver", "webserver_read_only")
    found += [Sign(name, name, answers, storage) for name in servers if name in processes]
    after = (*storage, *_of(processes, "exchange"))
    found += [Sign(name, name, answers, after) for name in processes if name.startswith("worker_")]
    # A round of the guard asks an exchange that may be slow: it has twice the time.
    found += [Sign(name, name, 2 * answers, after) for name in _of(processes, "guard")]
    basis = (*storage, *_of(processes, "code_server"))
    found += [
        Sign(TICKS, "daemon", limits.tick_age_s_max, basis),
        Sign(SENSORS, "daemon", limits.sensor_age_s_max, basis),
    ]
    if simulated:
        found.append(Sign(CANDLES, "exchange", limits.candle_age_s_max, ("exchange",)))
    decides = (*basis, *_of(processes, "exchange"), "worker_decide", TICKS)
    found.append(Sign(BARS, "worker_decide", limits.data_age_s_max, decides))
    found.append(Sign(DECISIONS, None, limits.decision_age_s_max, (*decides, BARS)))
    return found


def _of(processes: Collection[str], name: str) -> tuple[str, ...]:
    return (name,) if name in processes else ()


@dataclass
class _Kept:
    """Of one sign: when it was last seen, from when on its age counts, and restarts since it was last seen."""

    seen_at: datetime
    counted_from: datetime
    restarts: int = field(default=0)


class Watchdog:
    """Begins when all are ready. Told when each sign was last seen, says which are too old, and again after a time."""

    def __init__(self, signs: Sequence[Sign], limits: WatchdogSettings, began_at: datetime) -> None:
        self._signs = signs
        self._limits = limits
        self._looked_at = began_at
        self._kept = {sign.name: _Kept(began_at, began_at) for sign in signs}

    def look(self, seen: Mapping[str, datetime], now: datetime) -> list[Alarm]:
        """`seen`: newest sign of life by name; a sign that is not in it was not seen since the look before."""
        if (now - self._looked_at).total_seconds() > _AMNESTY_LOOKS * self._limits.look_every_s:
            self._forgive(now)  # we ourselves did not look: the machine slept
        self._looked_at = now
        for name, moment in seen.items():
            kept = self._kept.get(name)
            if kept is not None and moment > kept.seen_at:
                kept.seen_at, kept.restarts = moment, 0
        return [alarm for sign in self._signs if (alarm := self._judged(sign, now)) is not None]

    def ages_s(self, now: datetime) -> dict[str, tuple[float, float]]:
        """Age of the newest sign and its limit, by name."""
        return {
            sign.name: ((now - self._kept[sign.name].seen_at).total_seconds(), sign.age_s_max) for sign in self._signs
        }

    def _judged(self, sign: Sign, now: datetime) -> Alarm | None:
        kept = self._kept[sign.name]
        if any(self._late(name, now) for name in sign.needs):
            kept.counted_from = now
            return None
        age_s = (now - max(kept.seen_at, kept.counted_from)).total_seconds()
        limit_s = sign.age_s_max * min(2**kept.restarts, self._limits.backoff_max)
        if age_s <= limit_s:
            return None
        kept.restarts += 1
        kept.counted_from = now + timedelta(seconds=STARTING_S)
        for other in self._signs:
            if other.process is not None and other.process == sign.process:
                # One restart is enough for all that this process owes.
                self._kept[other.name].counted_from = max(kept.counted_from, self._kept[other.name].counted_from)
        return Alarm(sign.name, sign.process, (now - kept.seen_at).total_seconds(), limit_s)

    def _late(self, name: str, now: datetime) -> bool:
        """Whether a sign that others need is nearly overdue, so that they are not blamed, or its process is new."""
        sign = next((item for item in self._signs if item.name == name), None)
        if sign is None:
            return False
        kept = self._kept[name]
        return kept.restarts > 0 or (now - kept.seen_at).total_seconds() > _LATE_RATIO * sign.age_s_max

    def _forgive(self, now: datetime) -> None:
        for kept in self._kept.values():
            kept.counted_from = max(kept.counted_from, now)
