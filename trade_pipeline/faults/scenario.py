"""From a seed to everything that will happen: markets, account, decisions, faults. Pure: one seed, one plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from random import Random

from trade_pipeline.exchange.engine.symbols import SymbolSpec
from trade_pipeline.faults.kinds import MOODS, OF_THE_WORLD, ON_CHANGES, ON_COMMITS, ON_READS, Crash, Fault, Injection
from trade_pipeline.schemas.trading import TargetKind

BAR_S = 12
BARS_MAX = 4
GUARD_EVERY_S = 3.0
NO_CRASH = 0.5
FAULTS_MAX = 5
AIMED = 3
APART = 11
SWAPS = {"replace": "trailing", "pair": "switching"}
"""Channel of a request that concerns two orders -> the setting of exits that brings it about."""
MOODS_OF = dict(zip((0, 8, 9, 12), MOODS, strict=True))
"""Seed modulo 13 -> what the exchange does to a stop. No seed that once found something is among them."""
READS = ("account", "open_orders", "order", "trades", "tops")
POINTS = (
    "execute|claim:before_commit",
    "execute|claim:after_commit",
    "execute|plan_order:before_commit",
    "execute|plan_order:after_commit",
    "execute|mark_sent:before_commit",
    "execute|mark_sent:after_commit",
    "execute|venue.create:before",
    "execute|venue.create:after_effect",
    "execute|venue.create:after",
    "execute|settle:before_commit",
    "execute|settle:after_commit",
    "execute|record_outcome:before_commit",
    "execute|record_outcome:after_commit",
    "execute|mark_pending_cancel:after_commit",
    "execute|venue.cancel:before",
    "execute|venue.cancel:after_effect",
    "execute|release_lease:before_commit",
    "guard|plan_order:before_commit",
    "guard|plan_order:after_commit",
    "guard|mark_sent:before_commit",
    "guard|mark_sent:after_commit",
    "guard|venue.create:before",
    "guard|venue.create:after_effect",
    "guard|venue.create:after",
    "guard|settle:before_commit",
    "guard|settle:after_commit",
    "guard|book_trades:before_commit",
    "guard|book_trades:after_commit",
    "guard|mark_pending_cancel:before_commit",
    "guard|mark_pending_cancel:after_commit",
    "guard|venue.cancel:before",
    "guard|venue.cancel:after_effect",
    "guard|venue.cancel:after",
    "guard|venue.account:before",
    "guard|venue.open_orders:after",
    "guard|heartbeat:before_commit",
)
"""Boundaries at which random crashes are drawn; the exhaustive run finds all there are."""

SWAP_POINTS = tuple(f"guard|venue.{channel}:{at}" for channel in SWAPS for at in ("before", "after_effect", "after"))
"""Boundaries of those requests: crashes are drawn here where the settings bring them about."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a decision wants of a symbol: its weight in equity when SET, and how far its stop is (share of price)."""

    symbol: str
    kind: TargetKind
    weight: Decimal = Decimal(0)
    stop_ratio: Decimal = Decimal("0.02")


@dataclass(frozen=True, slots=True)
class MarketPlan:
    spec: SymbolSpec
    price: int
    volatility: float
    volume: int
    plain_stops: bool
    seed: int
    drift: float = 0.0
    """Mean change of the price in one step, as a share."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """`decisions[k]` is taken at the end of bar k."""

    seed: int
    markets: Sequence[MarketPlan]
    balances: Mapping[str, Decimal]
    fee_asset: str | None
    decisions: Sequence[Sequence[Wish]]
    injections: tuple[Injection, ...]
    crashes: tuple[Crash, ...]
    exits: Mapping[str, object] = field(default_factory=dict)
    """Settings of exits beside the defaults: targets, trailing, stages."""

    @property
    def active_s(self) -> int:
        return BAR_S * (len(self.decisions) + 1)


_SPECS = (
    (SymbolSpec("BTC/USDT", 2, 5), 9_000_000, 4000),
    (SymbolSpec("ETH/USDT", 2, 4), 300_000, 9000),
    (SymbolSpec("DOGE/USDT", 5, 0), 30_000, 100_000),
)
_BNB = SymbolSpec("BNB/USDT", 2, 3)


def make_scenario(seed: int) -> Scenario:
    """The plan of one simulation."""
    random = Random(f"scenario {seed}")
    markets = [_market(random, *each) for each in random.sample(_SPECS, random.randint(1, 3))]
    fee_asset = "BNB" if random.random() < 0.25 else None
    balances = {"USDT": Decimal(random.choice((10_000, 50_000)))}
    if fee_asset:
        markets.append(_market(random, _BNB, 60_000, 5000))
        balances["BNB"] = Decimal(random.choice(("0.05", "2")))
    for market in markets:
        if market.spec.base != "BNB" and random.random() < 0.3:
            # Coins that were there before are nobody's to sell (TRADING 7).
            balances[market.spec.base] = market.spec.amount(random.randint(1, 10**6))
    symbols = [market.spec.symbol for market in markets if market.spec.base != "BNB"]
    bars = random.randint(2, BARS_MAX)
    decisions = [_wishes(random, symbols) for _ in range(bars)]
    injections = tuple(_injection(random, bars) for _ in range(random.randint(0, FAULTS_MAX)))
    crashes = tuple(_crash(random) for _ in range(random.choice((0, 0, 1, 1, 2))))
    faults, deaths = _aimed(seed)
    broken, dying = (*injections, *faults), (*crashes, *deaths)
    return _aimed_at_stops(
        _aimed_at_swaps(Scenario(seed, markets, balances, fee_asset, decisions, broken, dying, _exits(seed)))
    )


def _aimed_at_swaps(scenario: Scenario) -> Scenario:
    """Where stops follow the price or stand in pairs: prices rise, positions stay, and that very request goes wrong."""
    seed, random = scenario.seed, Random(f"swaps {scenario.seed}")
    channels = [channel for channel, setting in SWAPS.items() if setting in scenario.exits]
    if not channels or random.random() < 0.1:
        return scenario
    first, *later = scenario.decisions
    bought = [replace(wish, kind=TargetKind.SET) for wish in first]
    held = [[replace(w, kind=TargetKind.HOLD) if w.kind == TargetKind.FLAT else w for w in bar] for bar in later]
    rising = [replace(market, drift=random.choice((0.002, 0.004))) for market in scenario.markets]
    scenario = replace(scenario, markets=rising, decisions=[bought, *held])
    # A stop is replaced often, a pair is placed once or twice.
    nth, turn = _early(random, 3) if channels == ["replace"] else 1, seed // 5
    if turn % 2:
        points = [point for point in SWAP_POINTS if any(f".{channel}:" in point for channel in channels)]
        # Before a pair is placed the stop is cancelled: there too.
        before = (Crash("guard|venue.cancel:before", 1),) if "pair" in channels else ()
        return replace(scenario, crashes=(*scenario.crashes, *before, Crash(points[turn // 2 % len(points)], nth)))
    broken = Injection(random.choice(ON_CHANGES), random.choice(channels), nth)
    return replace(scenario, injections=(*scenario.injections, broken))


def _aimed_at_stops(scenario: Scenario) -> Scenario:
    """Four seeds in thirteen: something was bought, and what happens to its stop is not the guard's doing."""
    fault, random = MOODS_OF.get(scenario.seed % 13), Random(f"moods {scenario.seed}")
    if fault is None:
        return scenario
    bought = [replace(wish, kind=TargetKind.SET) for wish in scenario.decisions[0]]
    held = [[replace(wish, kind=TargetKind.HOLD) for wish in bought] for _ in range(BARS_MAX - 1)]
    # Where no stop rests yet it happens later; it happens once.
    second = random.randint(BAR_S + 6, 2 * BAR_S)
    moods = tuple(Injection(fault, "world", second + later) for later in (0, 7, 14))
    return replace(scenario, decisions=[bought, *held], injections=(*scenario.injections, *moods))


def _aimed(seed: int) -> tuple[tuple[Injection, ...], tuple[Crash, ...]]:
    """Two seeds in nine die at the first passing of some boundaries, in turn: chance alone leaves some out."""
    turn = seed // 9
    if seed % 9 == 3:
        rare = ([p for p in POINTS if p.startswith(name) and _is_rare(p)] for name in ("execute", "guard"))
        return (), tuple(Crash(points[(turn + step) % len(points)], 1) for points in rare for step in (0, 2))
    if seed % 9 == 7:
        # A cancelled order is looked up when nobody knows whether it was cancelled.
        lost = Injection(Fault.LOST_ANSWER, "cancel", 1), Injection(Fault.CLOSED_FOR_CANCELLED, "order", 1)
        chosen = (POINTS[(turn * AIMED + APART * step) % len(POINTS)] for step in range(AIMED))
        return lost, tuple(Crash(point, 1) for point in chosen)
    return (), ()


def _is_rare(point: str) -> bool:
    return "cancel" in point or "guard|book_trades" in point


def _exits(seed: int) -> dict[str, object]:
    """Every fifth seed leaves positions by more than the stop. None of it by time: quiet has to stay quiet."""
    random = Random(f"exits {seed}")
    if seed % 5 != 1:
        return {}
    chosen: dict[str, object] = {"lock_cooldown_s": random.choice((0, 10, 1800))}
    if random.random() < 0.6:
        distance, move = random.choice(("0.002", "0.005", "0.01")), random.choice(("0", "0.0005"))
        chosen["trailing"] = {"enabled": True, "distance_ratio": distance, "move_ratio_min": move}
    if random.random() < 0.6:
        chosen["take_profit"] = [{"after_minutes": 0, "profit_ratio": random.choice(("0.001", "0.004", "0.02"))}]
    if random.random() < 0.4:
        chosen["stages"] = [{"profit_ratio": "0.001", "share": "0.4"}, {"profit_ratio": "0.003", "share": "0.3"}]
    if random.random() < 0.3:
        chosen["breakeven_profit_ratio"] = "0.0025"
    if "take_profit" in chosen and Random(f"pairs {seed}").random() < 0.7:
        # A target that is not reached at once: on the way to it the pair is placed.
        chosen["take_profit"] = [{"after_minutes": 0, "profit_ratio": random.choice(("0.01", "0.03"))}]
        chosen["switching"] = {"enabled": True, "stop_threshold": "0.2", "profit_threshold": "0.4", "cooldown_s": 1}
    return chosen


def _market(random: Random, spec: SymbolSpec, price: int, volume: int) -> MarketPlan:
    return MarketPlan(
        spec=spec,
        price=round(price * random.uniform(0.7, 1.4)),
        volatility=random.choice((0.0005, 0.002, 0.006)),
        # A thin market fills orders in parts.
        volume=round(volume * random.choice((0.02, 0.3, 10.0, 100.0))),
        plain_stops=random.random() < 0.6,
        seed=random.getrandbits(48),
    )


def _wishes(random: Random, symbols: Sequence[str]) -> list[Wish]:
    kinds = random.choices((TargetKind.SET, TargetKind.FLAT, TargetKind.HOLD), (0.6, 0.25, 0.15), k=len(symbols))
    return [
        Wish(symbol, kind, Decimal(random.randint(20, 90)) / 1000, Decimal(random.choice((4, 10, 20, 40))) / 1000)
        for symbol, kind in zip(symbols, kinds, strict=True)
    ]


def _injection(random: Random, bars: int) -> Injection:
    where = random.choices(("change", "read", "commit", "world"), (0.43, 0.24, 0.15, 0.18))[0]
    if where == "change":
        channel = random.choices(("create", "cancel"), (0.7, 0.3))[0]
        return Injection(random.choice(ON_CHANGES), channel, _early(random, 10 if channel == "create" else 5))
    if where == "read":
        fault = random.choice(ON_READS)
        channel = {
            Fault.STALE_READ: random.choice(("account", "open_orders")),
            Fault.NOT_FOUND_DELAY: random.choice(("order", "open_orders")),
            Fault.TRUNCATED_TRADES: "trades",
            Fault.CLOSED_FOR_CANCELLED: "order",
        }.get(fault, random.choice(READS))
        return Injection(fault, channel, _early(random, {"order": 4, "trades": 6}.get(channel, 40)))
    if where == "commit":
        if random.random() < 0.35:
            # Where standing still is worst: everything was checked, and nothing has left yet.
            return Injection(Fault.STALL, "sent", _early(random, 5))
        return Injection(random.choice(ON_COMMITS), "commit", random.randint(5, 120))
    return Injection(random.choice(OF_THE_WORLD), "world", random.randint(BAR_S, BAR_S * (bars + 1)))


def _crash(random: Random) -> Crash:
    return Crash(random.choice(POINTS), _early(random, 6))


def _early(random: Random, most: int) -> int:
    """Small numbers more often: the first crossings happen in every simulation."""
    return min(random.randint(1, most), random.randint(1, most))
