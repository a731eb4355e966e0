"""One account on any exchange of the table, through ccxt's unified methods and the exchange's capabilities.

Two clients, as on Binance: orders and cancels have their own connections and budget. `create` is sent once. Where an
exchange answers an order with no more than an id, the order is read again, once; if that fails it stands as accepted.
What the exchange cannot do safely is refused before anything is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from trade_pipeline.errors import (
    CancelReplaceFailed,
    MalformedAnswer,
    OrderRefused,
    OutcomeUnknown,
    VenueError,
)
from trade_pipeline.schemas.trading import (
    AccountReading,
    OrderRequest,
    Side,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.venues import client_ids
from trade_pipeline.venues.answers import distinct, mapping, milliseconds, text
from trade_pipeline.venues.error_map import Asked
from trade_pipeline.venues.order_budget import OrderBudget
from trade_pipeline.venues.permissions import KeyPermissions, ask_permissions
from trade_pipeline.venues.public_reads import utc_now
from trade_pipeline.venues.unified_account import account_kind_of
from trade_pipeline.venues.unified_answers import (
    acknowledged_order,
    read_unified_account,
    read_unified_order,
    read_unified_trade,
    time_of_trade_number_ms,
)
from trade_pipeline.venues.unified_client import UnifiedLine, UnifiedOptions, unified_client
from trade_pipeline.venues.unified_history import open_orders, orders_of_span, trades_of_span
from trade_pipeline.venues.unified_lines import MakeClient, UnifiedLines
from trade_pipeline.venues.unified_rules import rules_of

CANCEL_ATTEMPTS_MAX = 3
TRADES_BACK = timedelta(days=30)
"""How far "from the beginning" reaches where trades are asked for by time: our own are not older than their order."""
LISTED_BACK = timedelta(days=7)
"""How far back an order is searched in a list without a filter by id."""
CLOCKS_DIFFER = timedelta(seconds=5)
"""Lists are asked for until this much later than now: two clocks agree only so far."""
DEADLINE_MAX = timedelta(seconds=60)
"""Kraken's own limit."""
REMEMBERED_MAX = 1000
"""Orders of this process that are remembered as they were sent."""


class UnifiedTrading(UnifiedLines):
    """Orders and balances of one account. Safe from any thread; made again after a fork."""

    def __init__(
        self,
        options: UnifiedOptions,
        *,
        symbols: Sequence[str] = (),
        read_attempts_max: int = 3,
        budget_path: Path | None = None,
        order_budget: OrderBudget | None = None,
        make_client: MakeClient = unified_client,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        """`symbols`: whose open orders are listed, where an exchange lists them by symbol only. `budget_path`: as
        `UnifiedLines`. Connects at the first call. Raises SettingsError for an exchange that is not in the table."""
        super().__init__(
            options,
            read_attempts_max=read_attempts_max,
            budget_path=budget_path,
            order_budget=order_budget,
            make_client=make_client,
            now=now,
        )
        # Binance has both; through ccxt's unified methods nobody has.
        self.capabilities = replace(self.capabilities, oco=False, cancel_replace=False)
        self._symbols = tuple(symbols)
        self._recv_window = min(timedelta(milliseconds=options.recv_window_ms), DEADLINE_MAX)
        self._sent: dict[str, OrderRequest] = {}

    # --- what is read -------------------------------------------------------------------------------------------

    def account(self) -> AccountReading:
        """Balances that are not zero, with the exchange's clock. Raises VenueError."""
        self._markets_now(any_age=True)
        params = dict(self.capabilities.balance_params)
        raw = self._ask(lambda client: client.fetch_balance(params), Asked("reading the account"))
        return read_unified_account(raw, self._exchange_now())

    def permissions(self) -> KeyPermissions:
        """What the exchange says of our key; where it does not say, None. Raises VenueError."""
        asked = Asked("the key's permissions")
        return ask_permissions(
            self.capabilities.exchange, lambda method: self._ask(lambda client: getattr(client, method)({}), asked)
        )

    def account_kind(self) -> str:
        """spot, margin or unified. Raises VenueError."""
        self._markets_now(any_age=True)
        return self._ask(partial(account_kind_of, self.capabilities.exchange), Asked("the account"))

    def open_orders(self, symbol: str | None = None) -> list[VenueOrder]:
        """Every resting order, ours or not. Raises VenueError; MalformedAnswer if one of them is unreadable."""
        rules = self._markets_now(any_age=True)
        if symbol is not None:
            rules_of(rules, symbol)
        wanted: Sequence[str | None] = (symbol,)
        if symbol is None and self.capabilities.open_orders_by_symbol:
            wanted = [name for name in dict.fromkeys((*self._symbols, *self._symbols_sent())) if name in rules]
        exchange, rows = self.capabilities.exchange, list[Any]()
        for name in wanted:
            listing = partial(open_orders, exchange=exchange, symbol=name)
            rows += self._ask(listing, Asked("listing open orders", name or ""))
        return [self._read_order(row) for row in rows]

    def order(self, symbol: str, client_order_id: str) -> VenueOrder:
        """One order by its client id. Raises OrderNotFound: the exchange does not know it, or not yet."""
        return self._look_up(self._reads.get(), symbol, client_order_id, attempts_max=self._attempts_max)

    def orders(self, symbol: str, since: datetime) -> list[VenueOrder]:
        """All orders of a symbol that were made at or after `since`, oldest first, finished ones included."""
        rules_of(self._markets_now(any_age=True), symbol)
        since_ms, until_ms = milliseconds(since), milliseconds(self._exchange_now() + CLOCKS_DIFFER)
        found: dict[str, VenueOrder] = {}
        for method in self.capabilities.histories:
            listing = partial(self._listed, method=method, symbol=symbol, since_ms=since_ms, until_ms=until_ms)
            rows = self._ask(listing, Asked("listing orders", symbol))
            # A finished order, listed after the open ones, is the newer word.
            found.update({order.order_id: order for order in map(self._read_order, rows)})
        return sorted((order for order in found.values() if order.created_at >= since), key=lambda o: o.created_at)

    def _listed(self, client: Any, method: str, symbol: str, since_ms: int, until_ms: int) -> list[Any]:
        exchange = self.capabilities.exchange
        if method == "fetch_open_orders":
            return open_orders(client, exchange, symbol)
        return orders_of_span(client, exchange, method, symbol, since_ms, until_ms)

    def trades(self, symbol: str, from_id: str | None = None, limit: int = 1000) -> list[VenueTrade]:
        """Trades of a symbol from trade id `from_id` on (that one included), oldest first; without it the newest."""
        rules_of(self._markets_now(any_age=True), symbol)
        exchange, asked = self.capabilities.exchange, Asked("reading trades", symbol)
        if exchange == "binance":
            params = {} if from_id is None else {"fromId": from_id}
            rows = self._ask(lambda client: client.fetch_my_trades(symbol, None, limit, params), asked)
            return sorted(distinct(read_unified_trade(row, exchange) for row in rows), key=lambda t: int(t.trade_id))
        until = self._exchange_now()
        earliest_ms = milliseconds(until - TRADES_BACK)
        since_ms = max(time_of_trade_number_ms(from_id or "0") - 1, 0) or earliest_ms
        until_ms = milliseconds(until + CLOCKS_DIFFER)
        rows = self._ask(lambda client: trades_of_span(client, exchange, symbol, since_ms, until_ms), asked)
        found = sorted(distinct(read_unified_trade(row, exchange) for row in rows), key=lambda t: int(t.trade_id))
        if from_id is None:
            return found[-limit:]
        return [trade for trade in found if int(trade.trade_id) >= int(from_id)][:limit]

    # --- what changes -------------------------------------------------------------------------------------------

    def create(self, request: OrderRequest) -> VenueOrder:
        """Send an order once.

        Raises OutcomeUnknown (look it up, never resend), OrderRefused and its kinds (not executed and will not be),
        VenueUnavailable and its kinds (not executed).
        """
        rules_of(self._markets_now(any_age=True), request.symbol)
        client_ids.create_arguments(self.capabilities, request)  # what is refused here has asked nobody
        asked = Asked("sending an order", request.symbol, True, orders=1, increases=request.side == Side.BUY)
        self._remember(request)
        raw = self._in_step(self._orders.get(), lambda client: client.create_order(*self._arguments(request)), asked)
        try:
            if self.capabilities.whole_answers:
                return self._read_order(raw)
            answer = mapping(raw, "order", request.symbol)
            # ccxt takes any bare word of an answer for an id: it counts only within a structure.
            mapping(answer.get("info"), "order", request.symbol)
            order_id = text(answer, "id", request.symbol)
        except MalformedAnswer as error:
            raise _unreadable(asked, error) from error
        return self._read_again(request, order_id)

    def _arguments(self, request: OrderRequest) -> tuple[Any, ...]:
        """With the deadline as it is at this moment: after a wrong clock the same order is sent with another one."""
        arguments = client_ids.create_arguments(self.capabilities, request)
        if self.capabilities.deadline_parameter is not None:
            until = self._exchange_now_or_ours() + self._recv_window
            written = until.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            arguments[-1][self.capabilities.deadline_parameter] = written
        return arguments

    def _read_again(self, request: OrderRequest, order_id: str) -> VenueOrder:
        """The order as it is now. It is there: a look-up that fails, or is too early, takes nothing back."""
        try:
            return self._look_up(self._orders.get(), request.symbol, request.client_order_id, attempts_max=1)
        except VenueError:
            return acknowledged_order(request, order_id, self._exchange_now_or_ours())

    def cancel(self, symbol: str, client_order_id: str) -> VenueOrder:
        """Cancel by client id and read the order again: it may still be open while the exchange works on it.

        Raises OrderNotFound when no such order rests, OutcomeUnknown when the answer, or the reading, is lost.
        Repeated, within bounds, only after an attempt that was certainly not executed.
        """
        rules_of(self._markets_now(any_age=True), symbol)
        asked = Asked("cancelling an order", symbol, True, orders=int(self.capabilities.cancels_count))
        line = self._orders.get()
        since_ms = milliseconds(self._exchange_now_or_ours() - LISTED_BACK)
        for attempt in self._attempts(CANCEL_ATTEMPTS_MAX):
            with attempt:
                self._in_step(
                    line,
                    lambda client: client_ids.cancel(client, self.capabilities, symbol, client_order_id, since_ms),
                    asked,
                )
        try:
            return self._look_up(line, symbol, client_order_id, attempts_max=1)
        except VenueError as error:
            raise OutcomeUnknown(
                "the cancel was taken, and what became of the order could not be read",
                thing=symbol,
                value=error.message,
                repair="Look it up",
            ) from error

    def cancel_replace(self, symbol: str, client_order_id: str, request: OrderRequest) -> VenueOrder:
        """No exchange here does it in one step through ccxt: always CancelReplaceFailed, and nothing has changed."""
        raise CancelReplaceFailed(
            f"{self.capabilities.exchange} has no step that cancels one order and sends another",
            thing=symbol,
            value=client_order_id,
            repair="Cancel, confirm, and send",
        )

    def create_pair(self, above: OrderRequest, below: OrderRequest) -> tuple[VenueOrder, VenueOrder]:
        """No exchange here rests a pair of orders through ccxt: always OrderRefused."""
        raise OrderRefused(
            f"{self.capabilities.exchange} rests no pair of orders here",
            thing=above.symbol,
            value=below.client_order_id,
            repair="Let the stop rest and watch the target",
        )

    # --- how ----------------------------------------------------------------------------------------------------

    def _look_up(self, line: UnifiedLine, symbol: str, client_order_id: str, *, attempts_max: int) -> VenueOrder:
        rules_of(self._markets_now(any_age=True), symbol)
        since_ms = milliseconds(self._exchange_now_or_ours() - LISTED_BACK)
        raw = self._ask(
            lambda client: client_ids.find(client, self.capabilities, symbol, client_order_id, since_ms),
            Asked("looking up an order", symbol),
            line=line,
            attempts_max=attempts_max,
        )
        return self._read_order(raw)

    def _read_order(self, raw: object) -> VenueOrder:
        """With what we know of it ourselves, where this process sent it."""
        named = raw.get("clientOrderId") if isinstance(raw, dict) else None
        request = self._sent.get(client_ids.canonical_id(named)) if isinstance(named, str) else None
        return read_unified_order(raw, self.capabilities.exchange, request)

    def _remember(self, request: OrderRequest) -> None:
        self._sent[request.client_order_id] = request
        while len(self._sent) > REMEMBERED_MAX:
            self._sent.pop(next(iter(self._sent)))

    def _symbols_sent(self) -> list[str]:
        return [request.symbol for request in self._sent.values()]


def _unreadable(asked: Asked, error: MalformedAnswer) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{asked.what} got an unreadable answer; it may have been executed",
        thing=asked.symbol,
        value=error.message,
        repair="Look it up, do not send it again",
    )
