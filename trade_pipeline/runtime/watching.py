"""Looks at the signs of life beside the live view, in a thread of its own, and starts anew what has gone quiet.

Each restart is an event in the ledger, a line for the view, and stands in `status` for an hour. Events wait in memory
while the database is away.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from trade_pipeline.errors import TradePipelineError
from trade_pipeline.ledger.database import Database
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Event
from trade_pipeline.runtime import signs_of_life
from trade_pipeline.runtime.signs_file import nearest, write_signs
from trade_pipeline.runtime.stack import Stack
from trade_pipeline.runtime.supervise import ProcessState
from trade_pipeline.runtime.watchdog import Alarm, Watchdog, signs_of

RESTARTED, LATE = "watchdog_restart", "watchdog_late"
_EVENTS_MAX = 1000
_NOT_STARTED = "STOPPED"
"""The supervisor's word while `up` still starts the stack, or starts it again: nobody owes anything then."""


class Watching:
    """A context: looks from its beginning to its end. `note` hears a line per alarm, from the thread that looks."""

    def __init__(self, stack: Stack, ledger_url: str, note: Callable[[str], None]) -> None:
        self._stack, self._around, self._note = stack, stack.surroundings, note
        self._limits = self._around.settings.watchdog
        self._database = Database(ledger_url)
        self._ledger = Ledger(ledger_url)
        self._waiting: deque[Event] = deque(maxlen=_EVENTS_MAX)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def __enter__(self) -> Watching:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Returns when no restart can happen any more."""
        self._over.set()
        self._thread.join()
        self._database.close()
        self._ledger.close()

    def _run(self) -> None:
        settings = self._around.settings
        signs = signs_of(self._stack.names, self._limits, simulated=settings.mode == "sim")
        dog = Watchdog(signs, self._limits, datetime.now(UTC))
        while not self._over.wait(self._limits.look_every_s):
            # Whatever breaks here must not end the watch; what does not answer is a sign that is missing.
            with suppress(TradePipelineError, OSError):
                states = self._stack.states()
                if states and not any(state.state == _NOT_STARTED for state in states.values()):
                    for alarm in dog.look(self._seen(states), datetime.now(UTC)):
                        self._answer(alarm)
                    now = datetime.now(UTC)
                    write_signs(self._around.home, nearest(signs, dog.ages_s(now)), now)
            self._write()

    def _seen(self, states: dict[str, ProcessState]) -> dict[str, datetime]:
        around, now = self._around, datetime.now(UTC)
        mode, account = around.settings.mode, around.settings.account
        seen = signs_of_life.answers(self._stack.processes, states, around, now)
        seen |= signs_of_life.work(self._database, account, now, switched_on=mode != "live")
        if mode == "sim":
            seen |= signs_of_life.newest_candle(f"http://127.0.0.1:{around.settings.exchange.port}", now)
        return seen

    def _answer(self, alarm: Alarm) -> None:
        if self._over.is_set():
            return
        now = datetime.now(UTC)
        self._note(f"{now:%H:%M:%S} {alarm}")
        detail = {"sign": alarm.sign, "process": alarm.process, "what": str(alarm), "limit_s": alarm.limit_s}
        kind = RESTARTED if alarm.process else LATE
        self._waiting.append(Event(now, kind, "error", self._around.settings.account, detail=detail))
        if alarm.process:
            self._stack.replace(alarm.process)

    def _write(self) -> None:
        with suppress(TradePipelineError):
            while self._waiting:
                self._ledger.record_event(self._waiting[0])
                self._waiting.popleft()
