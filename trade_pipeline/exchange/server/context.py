"""What every route needs: the world, the clock's reading for this request, and the symbol by its exchange name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import TypeAlias

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.orders import Step
from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.exchange.faults import Faults
from trade_pipeline.exchange.market.replay import ReplayMarket
from trade_pipeline.exchange.server.auth import Credentials
from trade_pipeline.exchange.server.params import Params
from trade_pipeline.exchange.server.weights import Weights
from trade_pipeline.exchange.world import World

Follow: TypeAlias = Callable[[str, str, dict[str, str]], Awaitable[None]]
"""Gets method, path and parameters of a request. Raises Rejected where it cannot be answered from the truth."""


@dataclass
class Context:
    """One running exchange."""

    world: World
    credentials: Credentials
    weights: Weights
    faults: Faults
    description: dict[str, object] = field(default_factory=dict)
    replay: ReplayMarket | None = None
    by_id: dict[str, SymbolSpec] = field(default_factory=dict)
    follow: Follow | None = None
    """Where the market follows a real one: brings what a request needs up to date before it is answered."""
    background: list[Callable[[], Coroutine[None, None, None]]] = field(default_factory=list)
    """What runs beside the server for as long as it does."""
    key_permissions: dict[str, bool] = field(default_factory=dict)
    """What differs from a key that may trade and nothing else; tests give more to it, or take from it."""

    def __post_init__(self) -> None:
        self.by_id = {spec.id: spec for spec in self.world.market.specs.values()}


@dataclass(frozen=True, slots=True)
class Call:
    """One request: its parameters, its moment, and headers to answer with."""

    context: Context
    params: Params
    now_ms: int
    headers: dict[str, str]

    @property
    def world(self) -> World:
        return self.context.world

    def spec(self, name: str = "symbol") -> SymbolSpec:
        """The symbol that a parameter names. Raises Rejected -1121 for one that is not listed (yet)."""
        return self.listed(self.params.needed(name))

    def optional_spec(self) -> SymbolSpec | None:
        name = self.params.text("symbol")
        return self.listed(name) if name is not None else None

    def listed(self, exchange_id: str) -> SymbolSpec:
        spec = self.context.by_id.get(exchange_id)
        if spec is None or not self.world.market.is_listed(spec.symbol, self.now_ms):
            raise rejections.invalid_symbol()
        return spec

    def step(self, spec: SymbolSpec) -> Step:
        """The symbol's newest step, after its path has been played up to now."""
        step = self.world.advance(spec.symbol, self.now_ms)
        if step is None:
            raise rejections.overloaded()
        return step
