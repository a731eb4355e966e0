"""What goes wrong and in which order, from a seed alone. Pure: nothing here touches a stack."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

KILL, STOP, OUTAGE, DISK, TWICE = "kill", "stop", "outage", "disk_full", "twice"
OUTAGES = ("http_500", "http_429", "timeout", "lost_before_effect")
STOPPED = ("postgres", "worker_execute", "guard", "exchange")
"""What is frozen and goes on later, unaware of the time between: a lease may have ended meanwhile."""
FULL = ("worker_decide", "worker_execute", "guard", "exchange", "postgres")
"""Processes for which the disk is full."""
DELIVERED_TWICE = ("run", "message")
HOLD_S = (2.0, 7.0)
PAUSE_S = (1.0, 6.0)
DOUBLE_SHARE = 0.25
"""Share of episodes in which a second thing goes wrong at the same time."""
ORDER_PATH = "/api/v3/order"
ANSWER_DELAY_S = 8.0
"""Longer than our client waits for an answer."""


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that goes wrong for `hold_s` seconds; 0: at once and over. `fault` is for the exchange."""

    kind: str
    target: str
    hold_s: float = 0.0
    fault: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def name(self) -> str:
        where = self.fault.get("path", "all answers") if self.fault else ""
        return f"{self.kind} {self.target}" + (f" on {where}" if where else "")


@dataclass(frozen=True, slots=True)
class Episode:
    """Actions that overlap, and the pause after the stack has recovered from them."""

    actions: tuple[Action, ...]
    pause_s: float


def episodes(seed: int, processes: Sequence[str]) -> Iterator[Episode]:
    """Without end. Every kind comes early, and every target of a kind before any comes again."""
    chance = random.Random(seed)
    decks = {kind: _deck(chance, targets) for kind, targets in _targets(processes).items()}
    kinds = _deck(chance, tuple(decks))
    while True:
        chosen = [next(kinds)]
        if chance.random() < DOUBLE_SHARE:
            chosen.append(chance.choice([kind for kind in decks if kind != chosen[0]]))
        actions = tuple(_action(chance, kind, next(decks[kind])) for kind in chosen)
        yield Episode(actions, round(chance.uniform(*PAUSE_S), 2))


def _targets(processes: Sequence[str]) -> dict[str, tuple[str, ...]]:
    here = set(processes)
    found = {
        KILL: tuple(sorted(here)),
        STOP: tuple(name for name in STOPPED if name in here),
        OUTAGE: OUTAGES if "exchange" in here else (),
        DISK: tuple(name for name in FULL if name in here),
        TWICE: DELIVERED_TWICE if "webserver" in here else (),
    }
    return {kind: targets for kind, targets in found.items() if targets}


def _deck(chance: random.Random, items: Sequence[str]) -> Iterator[str]:
    """Shuffled, dealt to the end, shuffled again."""
    while True:
        yield from chance.sample(items, len(items))


def _action(chance: random.Random, kind: str, target: str) -> Action:
    hold_s = round(chance.uniform(*HOLD_S), 2)
    if kind in (KILL, TWICE):
        return Action(kind, target)
    if kind != OUTAGE:
        return Action(kind, target, hold_s)
    fault: dict[str, object] = {"kind": target}
    if target in ("timeout", "lost_before_effect"):
        fault["delay_s"] = ANSWER_DELAY_S
    if chance.random() < 0.5:
        fault["path"] = ORDER_PATH
        hold_s += 10.0  # orders are rare: a short outage would meet none
    return Action(kind, target, hold_s, MappingProxyType(fault))
