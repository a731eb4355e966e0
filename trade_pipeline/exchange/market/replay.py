"""Recorded bars played one a minute: recorded bar k becomes the 1m bar of minute M0 + k, whatever its own length
(TRADING rule 22).

A slot of the recording without a bar is a minute without a trade: no candle exists for it. A symbol is listed from
its first bar on; after its last one nothing trades any more and its book stays where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.market.bars import Bars
from trade_pipeline.exchange.market.noise import Ints, key_of, uniforms
from trade_pipeline.exchange.market.recordings import Recording

_TYPICAL_TRADE_QUOTE = 500.0
_SPREAD_BPS = 0.8


@dataclass(frozen=True, slots=True)
class Timeline:
    """How the recording lies on the wall clock: slot k of it is minute `m0 + k`."""

    m0: int
    first_ms: int
    bar_ms: int

    def recorded_ms(self, minute: int) -> int:
        return self.first_ms + (minute - self.m0) * self.bar_ms


class ReplayMarket:
    """A BarSource over recordings."""

    def __init__(self, recordings: Mapping[str, Recording], m0: int) -> None:
        first_ms = min(int(recording.times_ms[0]) for recording in recordings.values())
        self.mapping = Timeline(m0, first_ms, next(iter(recordings.values())).bar_ms)
        self.specs: dict[str, SymbolSpec] = {symbol: r.spec for symbol, r in sorted(recordings.items())}
        self._tracks = {symbol: _track(recordings[symbol], self.mapping) for symbol in self.specs}

    def span(self, symbol: str) -> tuple[int, int | None]:
        minutes = self._tracks[symbol].minutes
        return int(minutes[0]), int(minutes[-1])

    def spread_bps(self, symbol: str) -> float:
        return _SPREAD_BPS

    def bars(self, symbol: str, first: int, last: int) -> Bars:
        return self._tracks[symbol].between(first, last)

    def recorded_time(self, symbol: str, minute: int) -> str | None:
        """The recorded bar (its opening time, ISO UTC) that is played in a minute; None where there is none."""
        name = next((known for known in self.specs if symbol in {known, known.replace("/", "")}), None)
        if name is None:
            raise ValueError(f"symbol {symbol!r} is not in the recording")
        found = self.bars(name, minute, minute)
        if not len(found) or not found.present[0]:
            return None
        return iso(self.mapping.recorded_ms(minute))


def slots(recordings: Mapping[str, Recording]) -> int:
    """Length of the recording in bars, over all symbols."""
    first = min(int(recording.times_ms[0]) for recording in recordings.values())
    last = max(int(recording.times_ms[-1]) for recording in recordings.values())
    return (last - first) // next(iter(recordings.values())).bar_ms + 1


def start_slot(recordings: Mapping[str, Recording], replay_from: str | None, history_days: int) -> int:
    """The slot that is played in the first minute: of `replay_from`, or after the history, or half-way through.

    Raises ReplayFileError when `replay_from` is no time or lies outside the recording.
    """
    total = slots(recordings)
    if replay_from is None:
        return min(history_days * 1440, total // 2)
    first = min(int(recording.times_ms[0]) for recording in recordings.values())
    bar_ms = next(iter(recordings.values())).bar_ms
    inside = f"a time between {iso(first)} and {iso(first + (total - 1) * bar_ms)}"
    try:
        at = datetime.fromisoformat(replay_from.replace("Z", "+00:00"))
    except ValueError as error:
        raise ReplayFileError(
            "this is no date or time", thing="exchange.replay_from", value=replay_from, repair=f"Give {inside}."
        ) from error
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    slot = (int(at.timestamp() * 1000) - first) // bar_ms
    if not 1 <= slot < total:
        raise ReplayFileError(
            "the recording does not cover it", thing="exchange.replay_from", value=replay_from, repair=f"Give {inside}."
        )
    return slot


def iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat().replace("+00:00", "Z")


def _track(recording: Recording, mapping: Timeline) -> Bars:
    slot = (recording.times_ms - mapping.first_ms) // mapping.bar_ms
    first, count = int(slot[0]), int(slot[-1] - slot[0]) + 1
    at = slot - first

    def spread_out(values: Ints) -> Ints:
        column = np.zeros(count, dtype=np.int64)
        column[at] = values
        return column

    present = np.zeros(count, dtype=np.bool_)
    present[at] = True
    minutes = np.arange(mapping.m0 + first, mapping.m0 + first + count, dtype=np.int64)
    return Bars(
        minutes,
        spread_out(recording.open),
        spread_out(recording.high),
        spread_out(recording.low),
        spread_out(recording.close),
        spread_out(recording.volume),
        spread_out(_trades(recording.spec, slot, recording)),
        present,
    )


def _trades(spec: SymbolSpec, slot: Ints, recording: Recording) -> Ints:
    """Trade counts are not recorded: made from the notional and from the slot, so that they are always the same."""
    scale = 10.0 ** -(spec.price_decimals + spec.amount_decimals)
    notional = recording.close * recording.volume * scale
    size = _TYPICAL_TRADE_QUOTE * (0.5 + uniforms(key_of(spec.symbol, "trades"), slot, 1)[0])
    counts: Ints = (notional / size).astype(np.int64)
    return counts
