"""Other clients of a simulated exchange, that read as fast as its budget for one address allows."""

from __future__ import annotations

import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

READERS = 4
PAUSE_S = 0.04
"""Between the questions of one reader. A ban would be another test."""


@contextmanager
def reading_hard(url: str) -> Iterator[list[int]]:
    """Clients on the same address that ask for long lists of candles; the list counts their answers."""
    stop, answers = threading.Event(), [0] * READERS
    asked = f"{url}/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000"

    def read(number: int) -> None:
        while not stop.wait(PAUSE_S):
            with suppress(OSError), urllib.request.urlopen(asked, timeout=5) as answer:
                answer.read()
                answers[number] += 1

    threads = [threading.Thread(target=read, args=(number,), daemon=True) for number in range(READERS)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        stop.set()
        for thread in threads:
            thread.join(10)
