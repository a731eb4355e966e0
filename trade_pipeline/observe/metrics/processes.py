"""When each process of the stack last showed that it lives, from the files that it leaves and from the ledger."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from trade_pipeline import __version__
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.observe.metrics.table import Reading
from trade_pipeline.runtime.environment import supervisor_socket, working_folder
from trade_pipeline.runtime.signs_file import read_signs
from trade_pipeline.runtime.supervise import Supervisor
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings


def stack(home: Home, settings: Settings) -> Iterator[Reading]:
    yield Reading("stack_info", 1, (__version__, settings.mode, settings.market.quote_asset))
    yield Reading("paused", float(home.pause.exists()))


def signs(home: Home, at: datetime) -> Iterator[Reading]:
    """Beats of workers and guard, and what the watchdog saw last, where one looks."""
    for file in sorted(working_folder(home).glob("*.beat")):
        yield Reading("beat_age_seconds", at.timestamp() - file.stat().st_mtime, (file.stem,))
    for process, sign in sorted(read_signs(home, at).items()):
        yield Reading("sign_of_life_age_seconds", sign.age_s, (process, sign.sign))
        yield Reading("sign_of_life_limit_seconds", sign.limit_s, (process, sign.sign))


def supervised(home: Home) -> Iterator[Reading]:
    """What the supervisor of `up` says. Containers have their own, which a scraper asks by itself."""
    if not supervisor_socket(home).exists():
        return
    for name, state in sorted(Supervisor(home).states().items()):
        yield Reading("process_up", float(state.alive), (name,))
        if state.started_at:
            yield Reading("process_started_timestamp_seconds", state.started_at, (name,))


def heartbeats(ledger: Ledger, at: datetime) -> Iterator[Reading]:
    for beat in ledger.heartbeats():
        yield Reading("guard_cycle_age_seconds", (at - beat.at).total_seconds(), (beat.process,))
