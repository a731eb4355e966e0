"""When is a stack well again? Every process lives and answers, killed ones as new processes."""

from __future__ import annotations

import time
import xmlrpc.client
from collections.abc import Mapping
from types import MappingProxyType

from trade_pipeline.runtime.chaos.subject import Subject
from trade_pipeline.runtime.health import Surroundings, is_ready

LIMIT_S = 120.0
_LOOK_S = 0.25


def unwell(subject: Subject, killed: Mapping[str, int] = MappingProxyType({})) -> list[str]:
    """Names of processes that do not do their work now; the supervisor's where it does not answer itself.

    `killed` are process ids, by name, that the supervisor may still believe to live.
    """
    try:
        states = subject.states()
    except (OSError, xmlrpc.client.Error):
        return ["supervisor"]
    surroundings = Surroundings(subject.home, subject.settings, subject.environment)
    found = []
    for process in subject.processes:
        state = states.get(process.name)
        is_new = state is not None and state.alive and state.process_id != killed.get(process.name)
        if state is None or not is_new or not is_ready(process.ready, process.name, state.process_id, surroundings):
            found.append(process.name)
    return found


def seconds_until_well(
    subject: Subject, killed: Mapping[str, int], *, limit_s: float = LIMIT_S
) -> tuple[float, list[str]]:
    """How long it took, and who was still unwell when the limit came."""
    began = time.monotonic()
    while True:
        left = unwell(subject, killed)
        passed_s = time.monotonic() - began
        if not left or passed_s > limit_s:
            return passed_s, left
        time.sleep(_LOOK_S)
