"""When is a stack well again? Every process lives and answers, killed ones as new processes."""

from __future__ import annotations

import time
import xmlrpc.client
from collections.abc import Callable

from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline.runtime.health import Surroundings, is_ready

LIMIT_S = 120.0
_LOOK_S = 0.25


def unwell(subject: Subject) -> list[str]:
    """Names of processes that do not do their work now; the supervisor's where it does not answer itself."""
    try:
        states = subject.states()
    except (OSError, xmlrpc.client.Error):
        return ["supervisor"]
    surroundings = Surroundings(subject.home, subject.settings, subject.environment)
    found = []
    for process in subject.processes:
        state = states.get(process.name)
        if (
            state is None
            or not state.alive
            or not is_ready(process.ready, process.name, state.process_id, surroundings)
        ):
            found.append(process.name)
    return found


def seconds_until_well(
    subject: Subject, *, limit_s: float = LIMIT_S, sleep: Callable[[float], None] = time.sleep
) -> tuple[float, list[str]]:
    """How long it took, and who was still unwell when the limit came."""
    began = time.monotonic()
    while True:
        left = unwell(subject)
        passed_s = time.monotonic() - began
        if not left or passed_s > limit_s:
            return passed_s, left
        sleep(_LOOK_S)
