"""One preflight from settings to findings: builds what the reader asks, and closes it again."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import ExitStack, closing

from trade_pipeline.errors import ModeRefused
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.runtime.environment import with_driver
from trade_pipeline.runtime.preflight.checks import judge
from trade_pipeline.runtime.preflight.facts import Finding
from trade_pipeline.runtime.preflight.reader import FactReader
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.load import Secrets, secrets_from
from trade_pipeline.settings.protect import protect_process
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.factory import EXCHANGE_URL_VARIABLE, trading_venue


def preflight(
    settings: Settings, home: Home, environ: Mapping[str, str], confirmed: Collection[str] = ()
) -> list[Finding]:
    """Every finding; nothing is sent and nothing is started. Raises ModeRefused for a mode other than live."""
    if settings.mode != "live":
        raise ModeRefused(
            "only live trading has a preflight", thing="mode", value=settings.mode, repair="Use `--mode live`."
        )
    secrets = keys_of(environ, home)
    protect_process(secrets, streams=False)
    with ExitStack() as open_things:
        venue = ledger = None
        if secrets.exchange_api_key and secrets.exchange_api_secret:
            # Never the address that the environment names: were one set, the check of it fails below.
            venue = open_things.enter_context(closing(trading_venue(settings, secrets, None)))
        if settings.storage.ledger_url is not None:
            url = with_driver(settings.storage.ledger_url.get_secret_value())
            ledger = open_things.enter_context(closing(Ledger(url)))
        reader = FactReader(
            settings, home, exchange_url=environ.get(EXCHANGE_URL_VARIABLE) or None, home_mode=home_mode(home)
        )
        return judge(reader.read(venue, ledger, confirmed))


def keys_of(environ: Mapping[str, str], home: Home) -> Secrets:
    """Keys from the environment, or those of an earlier live start; a simulated exchange's keys are no keys."""
    return secrets_from(environ, home if home_mode(home) == "live" else None)


def home_mode(home: Home) -> str | None:
    """The mode in which a stack was last started in this home; None for a new one."""
    try:
        found = json.loads(home.settings_in_force.read_text())["mode"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return str(found)
