"""Builds the exchange of a home: a fresh one from its settings, or the stored one exactly as it was.

A home remembers which market it plays (seed and origin, or recording and mapping). Settings that name another
market are refused: orders and balances of one would be filled with prices of the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

from trade_pipeline.errors import SettingsError
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.settlement import Fees
from trade_pipeline.exchange.engine.state import State
from trade_pipeline.exchange.faults import Faults
from trade_pipeline.exchange.market.market import Market
from trade_pipeline.exchange.market.process import SeededMarket
from trade_pipeline.exchange.market.recordings import Recording, fingerprint, read_recordings
from trade_pipeline.exchange.market.replay import ReplayMarket, iso, slots, start_slot
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.exchange.server.context import Context
from trade_pipeline.exchange.server.weights import Weights
from trade_pipeline.exchange.store import Store
from trade_pipeline.exchange.world import World, wall_clock_ms
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.market import SimulatedExchangeSettings

WITHOUT_STOPS = ("LIMIT", "LIMIT_MAKER", "MARKET")


@dataclass(frozen=True, slots=True)
class _Opened:
    source: SeededMarket | ReplayMarket
    seed: int
    description: dict[str, object]


def open_exchange(
    home: Home | None, settings: SimulatedExchangeSettings, credentials: Credentials, now_ms: int | None = None
) -> Context:
    """The exchange of a home (None: one that lives in memory only).

    Raises ReplayFileError for a bad recording, SettingsError when the home plays another market.
    """
    store = Store(home.exchange / "exchange.sqlite" if home is not None else None)
    minute = (wall_clock_ms() if now_ms is None else now_ms) // 60_000
    meta = store.meta()
    recordings = read_recordings(settings.replay) if settings.replay is not None else {}
    identity = _identity(settings, recordings)
    check_identity(home, meta, identity)
    opened = _replay(settings, recordings, meta, minute) if recordings else _seeded(settings, meta, minute)
    if not settings.stop_orders:
        for symbol, spec in opened.source.specs.items():
            opened.source.specs[symbol] = replace(spec, order_types=WITHOUT_STOPS)
    state = store.load() or State.opening(settings.opening_balances)
    fees = Fees(settings.maker_fee_rate, settings.taker_fee_rate)
    engine = Engine(opened.source.specs.values(), state, fees, volume_share_max=settings.volume_share_max)
    market = Market(opened.source, opened.seed)
    # The days up to now are made before anybody asks: the first request would wait for all of them.
    for symbol in list(opened.source.specs)[:1]:
        opened.source.bars(symbol, minute, minute)
    world = World(engine, market, store, late_candle_ms=settings.late_candle_ms)
    write_identity(store, identity, opened.description["origin_minute"])
    world.save()
    return Context(
        world=world,
        credentials=credentials,
        weights=Weights(settings.weight_limit_per_minute),
        faults=Faults(),
        description=opened.description,
        replay=opened.source if isinstance(opened.source, ReplayMarket) else None,
    )


def _identity(settings: SimulatedExchangeSettings, recordings: Mapping[str, Recording]) -> dict[str, object]:
    """What decides the market of a home; of a recording its content, which a path does not hold still."""
    if recordings:
        return {"replay": str(settings.replay), "replay_from": settings.replay_from, "content": fingerprint(recordings)}
    return {"seed": settings.seed, "symbols": settings.symbols, "history_days": settings.history_days}


def check_identity(home: Home | None, meta: dict[str, str], identity: dict[str, object]) -> None:
    """Raises SettingsError where the home plays or follows another market."""
    if "identity" not in meta or json.loads(meta["identity"]) == identity:
        return
    stored = json.loads(meta["identity"])
    raise SettingsError(
        f"this home's exchange plays another market ({_text(stored)})",
        thing=str(home.exchange) if home is not None else "exchange",
        value=_text(identity),
        repair="Use the settings it was started with, another home, or remove the folder to begin anew.",
    )


def write_identity(store: Store, identity: dict[str, object], origin_minute: object) -> None:
    store.write_meta({"identity": json.dumps(identity), "origin": str(origin_minute)})


def _text(identity: dict[str, object]) -> str:
    return ", ".join(f"{name}={value}" for name, value in identity.items())


def _seeded(settings: SimulatedExchangeSettings, meta: dict[str, str], minute: int) -> _Opened:
    origin = int(meta.get("origin", minute - settings.history_days * 1440))
    source = SeededMarket(settings.seed, origin, settings.symbols)
    return _Opened(source, settings.seed, {"seed": settings.seed, "origin_minute": origin})


def _replay(
    settings: SimulatedExchangeSettings, recordings: Mapping[str, Recording], meta: dict[str, str], minute: int
) -> _Opened:
    start = start_slot(recordings, settings.replay_from, settings.history_days)
    m0 = int(meta.get("origin", minute - start))
    source = ReplayMarket(recordings, m0)
    timeline = source.mapping
    description: dict[str, object] = {
        "replay": str(settings.replay),
        "origin_minute": m0,
        "m0": iso(m0 * 60_000),
        "first_recorded_bar": iso(timeline.first_ms),
        "last_recorded_bar": iso(timeline.first_ms + (slots(recordings) - 1) * timeline.bar_ms),
        "bar_minutes": timeline.bar_ms // 60_000,
        "last_minute": iso((m0 + slots(recordings) - 1) * 60_000),
    }
    return _Opened(source, settings.seed, description)
