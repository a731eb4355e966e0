"""When a long poll must end, so that one is always in flight around a bar's close.

The daemon's sensor loop has a floor of 5 s: an evaluation that ends just before the decision is done costs that
much. Two twin sensors end at different seconds of the minute, never both between 10 s before and 10 s after the
close, and each is back before the other ends.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

ENDS_S = (25, 50)
"""Seconds of the minute at which the first sensor's evaluations end."""
TWIN_ENDS_S = (10, 38)
SHORTEST_S = 2.0
"""An evaluation that began this shortly before an end goes on to the next one."""


def poll_deadline(now: datetime, ends_s: Sequence[int]) -> datetime:
    """The next of `ends_s` that is at least SHORTEST_S away; at most some 40 s off, below the limit of 60 s."""
    minute = now.replace(second=0, microsecond=0)
    ends = [minute + timedelta(seconds=end + 60 * turn) for turn in (0, 1) for end in sorted(ends_s)]
    return next(end for end in ends if end - now >= timedelta(seconds=SHORTEST_S))
