"""An exchange that takes no stops, as some real ones: it says so, and sells nothing on a trigger."""

from __future__ import annotations

from trade_pipeline.exchange.opening import WITHOUT_STOPS, open_exchange
from trade_pipeline.exchange.server.answers import symbol_info
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.settings.market import SimulatedExchangeSettings

NOW_MS = 1_760_000_000_000


def offered(*, stop_orders: bool) -> set[str]:
    settings = SimulatedExchangeSettings(symbols=2, history_days=1, stop_orders=stop_orders)
    context = open_exchange(None, settings, Credentials("key", "secret"), NOW_MS)
    return {str(symbol_info(spec)["orderTypes"]) for spec in context.world.market.specs.values()}


def test_an_exchange_without_stops_lists_none() -> None:
    assert offered(stop_orders=False) == {str(list(WITHOUT_STOPS))}
    (usual,) = offered(stop_orders=True)
    assert "STOP_LOSS_LIMIT" in usual
