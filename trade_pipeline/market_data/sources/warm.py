"""Reads the sources shortly before a bar closes, so that the read after the close finds everything open and known.

What is warmed: connections, the difference of the clocks, the exchange's symbols, and the newest bars of every
symbol: by them a secondary source is believed, and with them a failing source is survived.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.market_data.sources.cascade import Cascade

LOGGER = logging.getLogger(__name__)

BAR_LENGTH = timedelta(minutes=1)
WARM_BARS = 5
"""Newest bars of each symbol: the running one and a few that are closed."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class Warmer:
    """At most one reading to come, on a thread that ends with it. Nothing runs before `after` is called."""

    def __init__(self, cascade: Cascade, lead_s: float, now: Callable[[], datetime] = utc_now) -> None:
        """`lead_s` before a close; 0 never warms."""
        self._cascade = cascade
        self._lead_s = lead_s
        self._now = now
        self._timer: threading.Timer | None = None

    def after(self, as_of: datetime, symbols: Sequence[str]) -> None:
        """A bar has closed at `as_of`: warm these symbols, the most wanted first, before the next one does."""
        self.close()
        if not self._lead_s:
            return
        at = as_of + BAR_LENGTH - timedelta(seconds=self._lead_s)
        wait_s = (at - self._now()).total_seconds()
        if wait_s <= 0:
            return  # the next close is too near: its own read comes first
        self._timer = threading.Timer(wait_s, self.warm, args=(tuple(symbols),))
        self._timer.name, self._timer.daemon = "warm-sources", True
        self._timer.start()

    def warm(self, symbols: Sequence[str]) -> None:
        """Read now. A failure is the cascade's to count, and nobody waits for it here."""
        try:
            # Half of the time until the close: a machine that is busy is no source that fails, and what is given up
            # here counts against a source that the decision then leaves alone.
            self._cascade.warm(symbols, WARM_BARS, self._lead_s / 2)
        except TradePipelineError as error:
            LOGGER.warning("the sources could not be warmed: %s", error)
        # A thread has nobody who would see what it raised.
        except Exception:
            LOGGER.exception("warming the sources failed in a way that nobody foresaw")

    def close(self) -> None:
        """Forget the reading to come."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
