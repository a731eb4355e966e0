"""What each exchange can do through ccxt, as far as an order's safety depends on it: one line per exchange.

Only facts belong here, each held by a test that lets ccxt's own class sign and parse over a recorded transport
(`client_ids` acts on them). Where nothing is documented the worse answer stands: no bound, no stop, unknown reuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from trade_pipeline.errors import SettingsError

UNBOUNDED_WAIT_S = 600.0
"""How long a lost order may still arrive where the exchange bounds nothing (RELIABILITY rule 3)."""


class Reuse(StrEnum):
    """What becomes of a second order with the client id of a first one."""

    OPEN_ONLY = "unique among open orders: the id of a finished one is accepted again"
    REFUSED = "refused"
    RETURNS_FIRST = "answered with the first order"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class LookUp:
    """One question for an order: ccxt's unified `method`, and the parameter that carries the client id.

    `parameter` None: the answer is a list without a filter and has to be searched. `trigger` asks for a resting stop.
    """

    method: str
    parameter: str | None
    trigger: bool = False

    @property
    def is_list(self) -> bool:
        return self.method != "fetch_order"


@dataclass(frozen=True, slots=True)
class OrderLimit:
    """So many orders of an account within any window."""

    orders: float
    window_s: float


@dataclass(frozen=True, slots=True)
class VenueCapabilities:
    """One exchange. Parameters are names within ccxt's `params`; ids are our 32 hexadecimal characters, unchanged.

    A default is what holds where nothing better is documented, so a line of the table names only what differs.
    """

    exchange: str
    client_id_parameter: str
    """Of create_order."""
    look_ups: tuple[LookUp, ...]
    """Asked in this order until one knows the order. Not found means: none of them does."""
    histories: tuple[str, ...]
    """ccxt's methods that together list every order of a symbol since a time, open and finished ones."""
    cancel_parameter: str | None = None
    """Of cancel_order. None: only the exchange's own id cancels, so the order is looked up first."""
    reuse: Reuse = Reuse.UNKNOWN
    duplicate_codes: frozenset[str] = frozenset()
    """Of a refusal because of the id: look the order up and adopt it. ccxt has a class for none of them."""
    acceptance_bound_s: float | None = None
    """A request older than this is refused, because every one that we sign says so. None: no bound."""
    deadline_parameter: str | None = None
    """Of create_order: the moment after which the exchange refuses the order, where its signature does not say so."""
    unfilled_kept: timedelta | None = None
    """How long an order cancelled without a fill can be found; None where no limit is documented."""
    look_up_lag_s: float = 5.0
    """How long a new order may be missing from an answer: assumed, not measured."""
    stop_parameter: str | None = "stopLossPrice"
    """Of create_order, for the trigger of a sale below the market. None: ccxt drops it and sends the order at once."""
    plain_stop: bool = True
    """Whether a stop may sell at the market. Where not, a stop has a limit price and has to be escalated."""
    stop_refused: str = ""
    """Why no stop rests there, though ccxt would send one. The exit guard then watches the price by itself."""
    oco: bool = False
    """An exchange-side pair that this product can send."""
    cancel_replace: bool = False
    """An atomic one that sends nothing if the cancel fails."""
    stop_client_id_parameter: str | None = None
    """Of create_order for a stop, where it differs."""
    not_found_codes: frozenset[str] = frozenset()
    """Of "no such order", where ccxt's class does not say so."""
    market_buys: bool = True
    """Whether a market order can buy an amount of base."""
    open_orders_by_symbol: bool = False
    """Open orders are listed for one symbol at a time only."""
    whole_answers: bool = False
    """Whether the answer to an order tells its state. Where not, it tells an id, and the order is read again."""
    refused_times_in_force: frozenset[str] = frozenset()
    """Of limit orders: ccxt, or the exchange, cannot send or read them."""
    tickers_one_by_one: bool = False
    """The list of tickers has no best prices."""
    order_limit: OrderLimit = OrderLimit(5, 1.0)
    """What the exchange allows an account of its lowest tier; where nothing certain is documented, what it surely
    allows. An exchange that publishes its limits with its symbols is believed (`market_rules`)."""
    cancels_count: bool = True
    """Whether a cancel is counted as an order is."""
    clock_step_s: float = 0.001
    """How finely the exchange tells its time."""
    order_params: Mapping[str, str] = field(default_factory=dict)
    """Sent with every order."""
    balance_params: Mapping[str, object] = field(default_factory=dict)
    """Sent with the question for the balances."""
    needs_passphrase: bool = False
    """Whether a key has a third part."""
    sandbox: bool = False
    """Whether ccxt knows an address for play money."""

    @property
    def acceptance_bounded(self) -> bool:
        """Whether a lost order can be told absent soon, because an old request is refused."""
        return self.acceptance_bound_s is not None

    @property
    def acceptance_wait_s(self) -> float:
        """After this long a lost order can no longer appear (RELIABILITY rule 3), the look-up's lag included."""
        bound_s = UNBOUNDED_WAIT_S if self.acceptance_bound_s is None else self.acceptance_bound_s
        return bound_s + self.look_up_lag_s

    @property
    def rests_stops(self) -> bool:
        """Whether a protective stop can rest on the exchange, in whatever form."""
        return self.stop_parameter is not None and not self.stop_refused

    @property
    def stop_types(self) -> frozenset[str]:
        """Of `OrderType`, the stops that can rest."""
        if not self.rests_stops:
            return frozenset()
        return frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT"} if self.plain_stop else {"STOP_LOSS_LIMIT"})


_BINANCE = VenueCapabilities(
    exchange="binance",
    client_id_parameter="newClientOrderId",
    look_ups=(LookUp("fetch_order", "origClientOrderId"),),
    histories=("fetch_orders",),
    cancel_parameter="origClientOrderId",
    reuse=Reuse.OPEN_ONLY,
    duplicate_codes=frozenset({"-2010"}),
    acceptance_bound_s=5.0,
    unfilled_kept=timedelta(days=90),
    look_up_lag_s=1.0,
    oco=True,
    cancel_replace=True,
    whole_answers=True,
    # The lower one of the two that it has published; 100 is what its exchangeInfo says now.
    order_limit=OrderLimit(50, 10.0),
    cancels_count=False,
    sandbox=True,
)

_KRAKEN = VenueCapabilities(
    exchange="kraken",
    client_id_parameter="cl_ord_id",
    # fetch_order would turn a client id into `userref`, a number, and ask for the order "None".
    look_ups=(LookUp("fetch_open_orders", "clientOrderId"), LookUp("fetch_closed_orders", "clientOrderId")),
    histories=("fetch_open_orders", "fetch_closed_orders"),
    cancel_parameter="cl_ord_id",
    reuse=Reuse.OPEN_ONLY,
    deadline_parameter="deadline",
    # Five seconds, and one because its clock is known to a second.
    acceptance_bound_s=6.0,
    # `triggerPrice` would pass unread: a limit order that rests, or sells, at once. So stopLossPrice, the default.
    # A sale's fee would be taken in base; ccxt reads every fee of a trade as one in quote.
    order_params={"oflags": "fciq"},
    refused_times_in_force=frozenset({"FOK"}),
    # It counts by pair: 60, less one a second; a young order's cancel is eight.
    order_limit=OrderLimit(40, 8.0),
    clock_step_s=1.0,
)

_BYBIT = VenueCapabilities(
    exchange="bybit",
    client_id_parameter="orderLinkId",
    # Its "closed orders" are filled ones only: a cancelled order would seem absent.
    look_ups=(
        LookUp("fetch_open_orders", "orderLinkId"),
        LookUp("fetch_canceled_and_closed_orders", "orderLinkId"),
    ),
    histories=("fetch_open_orders", "fetch_canceled_and_closed_orders"),
    cancel_parameter="orderLinkId",
    reuse=Reuse.REFUSED,
    duplicate_codes=frozenset({"170141", "110072", "12141"}),
    order_limit=OrderLimit(20, 1.0),
    acceptance_bound_s=5.0,
    unfilled_kept=timedelta(hours=24),
    stop_parameter="triggerPrice",
    stop_refused="a conditional order holds no coins until it triggers, and what it becomes is not proven",
    sandbox=True,
)

_OKX = VenueCapabilities(
    exchange="okx",
    client_id_parameter="clOrdId",
    look_ups=(LookUp("fetch_order", "clOrdId"),),
    histories=("fetch_open_orders", "fetch_closed_orders", "fetch_canceled_orders"),
    cancel_parameter="clOrdId",
    reuse=Reuse.REFUSED,
    duplicate_codes=frozenset({"51016"}),
    order_limit=OrderLimit(60, 2.0),
    unfilled_kept=timedelta(hours=2),
    stop_refused="a stop that triggers becomes another order with another id, and its fills name only that one",
    # An algo order has an id field of its own, and ccxt fills the other one.
    stop_client_id_parameter="algoClOrdId",
    # Else ccxt may send an order as one on margin.
    order_params={"tdMode": "cash"},
    needs_passphrase=True,
    sandbox=True,
)

_COINBASE = VenueCapabilities(
    exchange="coinbase",
    client_id_parameter="client_order_id",
    # Its "closed orders" are filled ones only, and fetch_order takes no client id. What rests is listed however old it
    # is; the list of every status goes back a few days only.
    look_ups=(LookUp("fetch_open_orders", None), LookUp("fetch_orders", None)),
    histories=("fetch_orders",),
    reuse=Reuse.RETURNS_FIRST,
    # Thirty private requests a second, of which half are left to reads.
    order_limit=OrderLimit(15, 1.0),
    # `triggerPrice` would make it a stop above the market. So stopLossPrice, the default.
    plain_stop=False,
    # Only an amount of quote can be bought at the market, and it would differ from what the ledger has committed.
    market_buys=False,
    # ccxt sends it and cannot read its amount back.
    refused_times_in_force=frozenset({"FOK"}),
    tickers_one_by_one=True,
    clock_step_s=1.0,
    # Else ccxt asks an older address whose answer knows nothing of what orders hold.
    balance_params={"v3": True},
)

_KUCOIN = VenueCapabilities(
    exchange="kucoin",
    client_id_parameter="clientOid",
    # By client id only orders that are active: a finished one is found in the list.
    look_ups=(LookUp("fetch_order", "clientOid"), LookUp("fetch_closed_orders", None)),
    histories=("fetch_open_orders", "fetch_closed_orders"),
    cancel_parameter="clientOid",
    reuse=Reuse.REFUSED,
    duplicate_codes=frozenset({"126044"}),
    # Its weights allow more, and reads are in them.
    order_limit=OrderLimit(30, 3.0),
    stop_refused="a stop is no order until it triggers: it holds no coins and becomes another order with another id",
    needs_passphrase=True,
)

_MEXC = VenueCapabilities(
    exchange="mexc",
    client_id_parameter="clientOrderId",
    look_ups=(LookUp("fetch_order", "clientOrderId"),),
    histories=("fetch_orders",),
    cancel_parameter="clientOrderId",
    acceptance_bound_s=5.0,
    # Every trigger passes unread: what was meant as a stop is sold at once.
    stop_parameter=None,
    plain_stop=False,
    not_found_codes=frozenset({"-2013"}),
    open_orders_by_symbol=True,
)

CAPABILITIES: Mapping[str, VenueCapabilities] = {
    line.exchange: line for line in (_BINANCE, _KRAKEN, _BYBIT, _OKX, _COINBASE, _KUCOIN, _MEXC)
}


def capabilities_of(exchange: str) -> VenueCapabilities:
    """Raises SettingsError for an exchange whose behaviour is not known."""
    if exchange not in CAPABILITIES:
        raise SettingsError(
            "nothing is known of this exchange",
            thing="exchange",
            value=exchange,
            repair=f"Use one of {', '.join(CAPABILITIES)}",
        )
    return CAPABILITIES[exchange]
