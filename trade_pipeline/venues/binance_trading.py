"""One account on Binance spot through ccxt's synchronous class.

Two clients: orders and cancels have their own, with their own connections and budget, so that a slow or throttled
read never delays an exit. `create` is sent once; only a request that the exchange certainly did not execute is
repeated, with the same client order id.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import stamina

from trade_pipeline.errors import (
    ClockSkew,
    MalformedAnswer,
    OutcomeUnknown,
)
from trade_pipeline.schemas.trading import AccountReading, OrderRequest, Side, VenueOrder, VenueTrade
from trade_pipeline.venues.answers import (
    distinct,
    listing,
    mapping,
    milliseconds,
    read_account,
    read_fee_rates,
    read_order,
    read_server_time,
    read_trade,
    whole,
)
from trade_pipeline.venues.binance_line import BinanceLine
from trade_pipeline.venues.capabilities import capabilities_of
from trade_pipeline.venues.ccxt_clients import WEIGHT_PER_MINUTE, ClientOptions, PerProcess
from trade_pipeline.venues.error_map import Asked, own_error
from trade_pipeline.venues.market_rules import Listing, read_listing
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.order_params import order_params, pair_params, the_order
from trade_pipeline.venues.permissions import KeyPermissions, ask_permissions
from trade_pipeline.venues.public_reads import BACKOFF_INITIAL_S, BACKOFF_S_MAX, PublicReads, backoff, utc_now
from trade_pipeline.venues.rate_budget import Cooldown, RollingWindow
from trade_pipeline.venues.shared_budget import ACCOUNT_SHARE, BudgetLine, SharedBudget
from trade_pipeline.venues.used_weight import UsedWeight, WeightReading

READ_SHARE = 0.5
"""Of the address's weight limit, for the account's reads in this process. The other processes of a stack share the
address: a 429 is still possible, and then honoured."""
RESYNCS_MAX = 2
CANCEL_ATTEMPTS_MAX = 3
ORDER_PAGES_MAX = 100
ROWS_MAX = 1000


class BinanceTrading(PublicReads):
    """Orders and balances of one account. Safe from any thread; made again after a fork."""

    capabilities = capabilities_of("binance")

    def __init__(
        self,
        exchange_url: str | None,
        api_key: str,
        api_secret: str,
        *,
        recv_window_ms: int = 5000,
        request_timeout_s: float = 5.0,
        read_attempts_max: int = 3,
        weight_per_minute: float = WEIGHT_PER_MINUTE,
        used_weight_share_max: float = 1.0,
        budget: SharedBudget | None = None,
        order_budget: OrderBudget | None = None,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`exchange_url` None is the real Binance. Connects at the first call.

        Without a `budget` that all processes share, a fixed part of the limit is this one's; without an
        `order_budget`, this process may send what the exchange allows the account.
        """
        super().__init__()
        options = ClientOptions(exchange_url, request_timeout_s, api_key, api_secret, recv_window_ms)

        def reads() -> RollingWindow | BudgetLine:
            return budget.line(ACCOUNT_SHARE) if budget else RollingWindow(weight_per_minute * READ_SHARE, 60.0)

        self._orders = PerProcess(lambda: BinanceLine(options))
        self._reads = PerProcess(lambda: BinanceLine(options, reads()))
        self._cooldown = budget or Cooldown()
        self._budget = budget
        self._order_budget = order_budget or OrderBudget(self.capabilities.order_limit)
        self._weight = UsedWeight(weight_per_minute, used_weight_share_max)
        self._read_attempts_max = read_attempts_max
        self._total_s = request_timeout_s * 2
        self._now = now

    def account(self) -> AccountReading:
        """Balances that are not zero, with the exchange's clock. Raises VenueError."""
        raw = self._ask("private_get_account", {"omitZeroBalances": "true"}, Asked("reading the account"), 20)
        return read_account(raw, self._exchange_now())

    def permissions(self) -> KeyPermissions:
        """What the exchange says of our key; where it does not say, None. Raises VenueError."""
        asked = Asked("the key's permissions")
        return ask_permissions("binance", lambda method: self._ask(method, {}, asked, 1))

    def account_kind(self) -> str:
        """spot or margin, as the exchange calls the account. Raises VenueError."""
        raw = self._ask("private_get_account", {"omitZeroBalances": "true"}, Asked("reading the account"), 20)
        return str(mapping(raw, "account").get("accountType") or "unknown").lower()

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        """Every resting order, ours or not. Raises VenueError; MalformedAnswer if one of them is unreadable."""
        known = self._markets_now(any_age=True)
        params = {} if symbol is None else {"symbol": known.id_of(symbol)}
        weight = 80 if symbol is None else 6
        raw = self._ask("private_get_openorders", params, Asked("listing open orders", symbol or ""), weight)
        return [read_order(row, known.symbol_of(row)) for row in listing(raw, "open orders")]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        """One order by its client id. Raises OrderNotFound: the exchange does not know it, or not yet."""
        params = {"symbol": self._markets_now(any_age=True).id_of(symbol), "origClientOrderId": client_order_id}
        return read_order(self._ask("private_get_order", params, Asked("looking up an order", symbol), 4), symbol)

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        """All orders of a symbol that were made at or after `since`, oldest first, finished ones included."""
        asked, name = Asked("listing orders", symbol), self._markets_now(any_age=True).id_of(symbol)
        window: dict[str, Any] = {"startTime": milliseconds(since)}
        found: list[VenueOrder] = []
        for _ in range(ORDER_PAGES_MAX):
            raw = self._ask("private_get_allorders", {"symbol": name, "limit": ROWS_MAX, **window}, asked, 20)
            rows = [read_order(row, symbol) for row in listing(raw, "orders", symbol)]
            found.extend(rows)
            if len(rows) < ROWS_MAX:
                return found
            window = {"orderId": max(whole(row.order_id, "orderId", symbol) for row in rows) + 1}
        raise MalformedAnswer("the list of orders does not end", thing=symbol, value=len(found))

    def trades(self, symbol: str, from_id: str | None = None, limit: int = ROWS_MAX) -> list[VenueTrade]:
        """Trades of a symbol from trade id `from_id` on (that one included), oldest first; without it the newest."""
        params: dict[str, Any] = {
            "symbol": self._markets_now(any_age=True).id_of(symbol),
            "limit": min(limit, ROWS_MAX),
        }
        if from_id is not None:
            params["fromId"] = from_id
        raw = self._ask("private_get_mytrades", params, Asked("reading trades", symbol), 20)
        return distinct(read_trade(row, symbol) for row in listing(raw, "trades", symbol))

    def create(self, request: OrderRequest) -> VenueOrder:
        """Send an order once. The answer's fills are in `.trades`.

        Raises OutcomeUnknown (look it up, never resend), OrderRefused and its kinds (not executed and will not be),
        VenueUnavailable and its kinds (not executed).
        """
        asked = Asked("sending an order", request.symbol, True, orders=1, increases=request.side == Side.BUY)
        params = order_params(request, self._markets_now(any_age=True).id_of(request.symbol))
        return self._changed("private_post_order", params, asked)

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        """Cancel by client id. Raises OrderNotFound when no such order rests, OutcomeUnknown when the answer is lost.

        Repeated, within bounds, only after an attempt that was certainly not executed.
        """
        asked = Asked("cancelling an order", symbol, may_execute=True)
        params = {"symbol": self._markets_now(any_age=True).id_of(symbol), "origClientOrderId": client_order_id}
        for attempt in stamina.retry_context(
            on=backoff(self._total_s),
            attempts=CANCEL_ATTEMPTS_MAX,
            timeout=self._total_s,
            wait_initial=BACKOFF_INITIAL_S,
            wait_max=BACKOFF_S_MAX,
            wait_jitter=BACKOFF_INITIAL_S,
        ):
            with attempt:
                return self._changed("private_delete_order", params, asked)
        raise AssertionError("stamina returns or raises")

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        """Cancel one order and send another in one step, once; if the cancel fails nothing is sent.

        The cancel fails if anything of the old order is filled: the new one was sized before.

        Raises CancelReplaceFailed (nothing changed), OutcomeUnknown (look both up), and as `create` does: then the
        old order is cancelled and there is no new one.
        """
        asked = Asked("replacing an order", symbol, True, orders=1, increases=request.side == Side.BUY)
        params = order_params(request, self._markets_now(any_age=True).id_of(symbol))
        old = {
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelRestrictions": "ONLY_NEW",
            "cancelOrigClientOrderId": client_order_id,
        }
        return self._changed("private_post_order_cancelreplace", {**params, **old}, asked)

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        """Send a take-profit above the market and a stop below it as one OCO, once: the first to act ends the other.

        Accepted or refused whole; raises as `create` does. An unknown outcome is looked up by either client id.
        """
        asked = Asked("sending an order list", above.symbol, True, orders=2, increases=above.side == Side.BUY)
        name = self._markets_now(any_age=True).id_of(above.symbol)
        raw = self._in_step(self._orders.get(), "private_post_orderlist_oco", pair_params(above, below, name), asked, 2)
        try:
            rows = listing(mapping(raw, "order list", above.symbol).get("orderReports"), "orderReports", above.symbol)
            found = {order.client_order_id: order for order in (read_order(row, above.symbol) for row in rows)}
            return found[above.client_order_id], found[below.client_order_id]
        except (MalformedAnswer, KeyError) as error:
            raise _unreadable(asked, str(error)) from error

    def close(self) -> None:
        """Close the connections of this process. The next call opens new ones."""
        for line in (self._orders.take(), self._reads.take()):
            if line is not None:
                line.client.session.close()

    def _changed(self, method: str, params: Mapping[str, Any], asked: Asked) -> VenueOrder:
        """Send what changes an order; an unreadable answer is an unknown outcome."""
        raw = self._in_step(self._orders.get(), method, params, asked, 1)
        try:
            return read_order(the_order(raw, params), asked.symbol)
        except MalformedAnswer as error:
            raise _unreadable(asked, error.message) from error

    def _ask(self, method: str, params: Mapping[str, Any], asked: Asked, weight: float) -> Any:
        for attempt in stamina.retry_context(
            on=backoff(self._total_s),
            attempts=self._read_attempts_max,
            timeout=self._total_s,
            wait_initial=BACKOFF_INITIAL_S,
            wait_max=BACKOFF_S_MAX,
            wait_jitter=BACKOFF_INITIAL_S,
        ):
            with attempt:
                return self._in_step(self._reads.get(), method, params, asked, weight)
        raise AssertionError("stamina returns or raises")

    def _in_step(self, line: BinanceLine, method: str, params: Mapping[str, Any], asked: Asked, cost: float) -> Any:
        """One request; after ClockSkew the clock is set and the very same request repeated, at most RESYNCS_MAX times.

        The exchange refuses a request outside its window before it looks at the order: nothing was executed.
        """
        for _ in range(RESYNCS_MAX):
            try:
                return self._once(line, method, params, asked, cost)
            except ClockSkew:
                self._resynchronise(line)
        return self._once(line, method, params, asked, cost)

    def _once(self, line: BinanceLine, method: str, params: Mapping[str, Any], asked: Asked, cost: float) -> Any:
        self._cooldown.check()
        # Outside of what the cooldown notes: our own budget for reads must not silence orders.
        if line is self._reads.get():
            self._pause(self._weight.pause_s(cost))
        elif self._budget is not None:
            self._budget.spend(cost)
        if asked.orders:
            self._order_budget.acquire(asked.orders, increases=asked.increases)
        if line.budget is not None:
            line.budget.acquire(cost)
        try:
            return line.ask(method, params)
        except Exception as error:
            failure = own_error(error, asked)
        finally:
            self._weight.note(line.client.last_response_headers)
        self._cooldown.note(failure)
        raise failure

    @staticmethod
    def _pause(seconds: float) -> None:
        if seconds > 0:
            time.sleep(seconds)

    def used_weight(self) -> WeightReading:
        """What the exchange has counted for this address in its present minute. Asks nobody."""
        return self._weight.reading()

    def _resynchronise(self, line: BinanceLine) -> None:
        """Measure how far our clock is ahead of the exchange's; ccxt subtracts it from every timestamp."""
        before = line.client.milliseconds()
        raw = self._once(line, "public_get_time", {}, Asked("the exchange's time"), 1)
        after = line.client.milliseconds()
        ahead_ms = (before + after) // 2 - milliseconds(read_server_time(raw))
        for each in (self._orders.get(), self._reads.get()):
            each.client.options["timeDifference"] = ahead_ms

    def _exchange_now(self) -> datetime:
        return self._now() - timedelta(milliseconds=self._reads.get().client.options["timeDifference"])

    def _read_listing(self) -> Listing:
        known = read_listing(self._ask("public_get_exchangeinfo", {}, Asked("the exchange's symbols"), 20))
        if known.order_limit is not None:
            self._order_budget.set_limit(known.order_limit)
        raw = self._ask("private_get_account", {"omitZeroBalances": "true"}, Asked("reading the account"), 20)
        return known.with_fees(*read_fee_rates(raw))


def _unreadable(asked: Asked, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{asked.what} got an unreadable answer; it may have been executed",
        thing=asked.symbol,
        value=why,
        repair="Look it up, do not send it again",
    )
