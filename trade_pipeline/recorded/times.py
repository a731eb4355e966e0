"""The length of a bar, from the distances between the times of a recorded file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.values import refuse

LENGTHS_S = (
    60, 180, 300, 600, 900, 1800, 3600, 7200, 10_800, 14_400, 21_600, 28_800, 43_200, 86_400, 259_200, 604_800,
)  # fmt: skip
ON_GRID_SHARE_MIN = 0.98
"""Share of distances that must be whole lengths; a few misplaced bars do not hide the length."""
OWN_LENGTH_SHARE_MIN = 0.005
"""Share of distances that must be one length, not several: a length that no two bars keep is none."""
ANCHORED_FROM_S, ANCHOR_S = 3600, 900
"""Shorter bars open where their length divides the day; longer ones at a quarter of an hour that somebody chose."""


def bar_length_s(path: Path, times: pl.Series, said_s: int | None, closing: pl.Series | None) -> int:
    """Seconds of a bar: what the distances between times say, held against what the file's name says.

    The largest usual length that divides nearly all distances, if some bars are that far apart; minutes in which
    nothing was traded leave it as it is. Raises ReplayFileError where the name says something else.
    """
    ordered = _rising(times.drop_nulls())
    often = _distances_s(ordered)
    if not often:
        length = said_s or _length_of_one(ordered, closing)
        return length or refuse(path, "one bar does not tell its length", None, "Put the length into the file's name.")
    fitting = _fitting(often)
    if said_s is not None and said_s in fitting:
        return said_s
    found = max(fitting, default=_most_common(often))
    if said_s is not None and said_s != found:
        refuse(path, f"the name says bars of {said_s} s, most of them are {found} s apart", None, "Correct the name.")
    return found


def grid_offset_s(times: pl.Series, length_s: int) -> int | None:
    """Seconds from the epoch's grid at which nearly all bars of an hour or more open: days of Hong Kong begin at 16:00,
    weeks of some on a Friday, hours of shares at half past. None where there is no such place."""
    if length_s < ANCHORED_FROM_S or times.is_empty():
        return None
    often = Counter(dict((times.drop_nulls().to_physical() % (length_s * 1000)).value_counts().iter_rows()))
    offset_ms, count = min(often.items(), key=lambda item: (-item[1], item[0]))
    anchored = offset_ms % (ANCHOR_S * 1000) == 0 and count >= ON_GRID_SHARE_MIN * often.total()
    return offset_ms // 1000 if anchored else None


def _rising(times: pl.Series) -> pl.Series:
    """Each time once, in order; nearly all files have them so, and to see it is cheaper than to sort."""
    return times if (times.head(times.len() - 1) < times.slice(1)).all() else times.unique().sort()


def _distances_s(ordered: pl.Series) -> Counter[int]:
    """How often each distance occurs, in whole seconds."""
    often: Counter[int] = Counter()
    for distance_ms, count in ordered.to_physical().diff().drop_nulls().value_counts().iter_rows():
        often[distance_ms // 1000] += count
    return often


def _fitting(often: Counter[int]) -> list[int]:
    """LENGTHS_S that some distances are, and of which nearly all are whole multiples."""
    own_min, whole_min = OWN_LENGTH_SHARE_MIN * often.total(), ON_GRID_SHARE_MIN * often.total()
    return [
        length
        for length in LENGTHS_S
        if often[length] >= own_min
        and sum(count for distance, count in often.items() if distance % length == 0) >= whole_min
    ]


def _most_common(often: Counter[int]) -> int:
    """The shortest of those that occur most."""
    return min(often, key=lambda distance: (-often[distance], distance))


def _length_of_one(times: pl.Series, closing: pl.Series | None) -> int | None:
    if closing is None or not times.len() or not closing.len():
        return None
    length_ms = closing.dt.timestamp("ms")[0] - times.dt.timestamp("ms")[0]
    return int(length_ms // 1000) or None
