"""Builds the exchange of a home in paper mode: the stored account, and a real exchange that it follows."""

from __future__ import annotations

from trade_pipeline.errors import SettingsError
from trade_pipeline.exchange.engine.engine import Engine
from trade_pipeline.exchange.engine.state import State
from trade_pipeline.exchange.faults import Faults
from trade_pipeline.exchange.opening import check_identity, write_identity
from trade_pipeline.exchange.paper.book import FollowedBook
from trade_pipeline.exchange.paper.feed import ExchangeClock, Followed, Follower
from trade_pipeline.exchange.paper.market import FollowedMarket
from trade_pipeline.exchange.paper.specs import fees_of, spec_of
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.exchange.server.context import Context
from trade_pipeline.exchange.server.weights import Weights
from trade_pipeline.exchange.store import Store
from trade_pipeline.exchange.world import World, wall_clock_ms
from trade_pipeline.schemas.trading import MarketRules
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings
from trade_pipeline.venues.public_feed import public_feed


def open_paper(
    home: Home | None, settings: Settings, credentials: Credentials, venue: Followed | None = None
) -> Context:
    """The exchange of a home (None: in memory only). Reads the real exchange's symbols and time.

    Raises VenueError where they cannot be read, SettingsError when the home follows another exchange, or when the
    real one has none of the symbols.
    """
    name, paper = settings.venue.name, settings.paper
    store = Store(home.exchange / "exchange.sqlite" if home is not None else None)
    identity: dict[str, object] = {"paper": name}
    check_identity(home, store.meta(), identity)
    budgets = home.budgets if home is not None else None
    followed = venue or public_feed(name, settings.market, exchange_url=paper.feed_url, budgets=budgets)
    clock, asked_ms = ExchangeClock(), wall_clock_ms()
    clock.set(followed.server_time(), asked_ms)
    rules = _wanted(followed.markets(), settings)
    market = FollowedMarket(spec for rule in rules if (spec := spec_of(rule)) is not None)
    book = FollowedBook(market, clock, int(paper.data_age_s_max * 1000))
    exchange = settings.exchange
    engine = Engine(
        market.specs.values(),
        store.load() or State.opening(exchange.opening_balances),
        fees_of(rules),
        volume_share_max=exchange.volume_share_max,
        real_book=book,
    )
    world = World(engine, market, store, candles=market, clock_ms=clock)
    write_identity(store, identity, clock() // 60_000)
    world.save()
    follower = Follower(followed, world, market, book, paper)
    return Context(
        world=world,
        credentials=credentials,
        weights=Weights(exchange.weight_limit_per_minute),
        faults=Faults(),
        description={"kind": "paper", "paper": name, "feed": paper.feed_url or name},
        follow=follower.follow,
        background=[follower.run],
    )


def _wanted(rules: dict[str, MarketRules], settings: Settings) -> list[MarketRules]:
    """Symbols that are named, else all active ones of the quote asset."""
    market = settings.market
    found = [
        rule
        for rule in rules.values()
        if (rule.symbol in market.symbols if market.symbols else rule.active and rule.quote == market.quote_asset)
    ]
    if not found:
        raise SettingsError(
            "the exchange has none of the symbols",
            thing=f"{settings.venue.name}, market.symbols",
            value=list(market.symbols) or market.quote_asset,
            repair="Name symbols that it lists, or another market.quote_asset",
        )
    return found
