"""The journal that `flatten` writes ahead while the ledger may be down, and its booking into the ledger later.

One file per flatten, one JSON line per step, each on disk before the next step: `sending` before an order leaves,
then `answer`, `refused`, `unknown` or `absent`; `cancelled` for each order that it took back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

from trade_pipeline.errors import IllegalTransition, LedgerError
from trade_pipeline.execution.control import flatten_file, flatten_runs
from trade_pipeline.ledger.ledger import Ledger
from trade_pipeline.ledger.records import Event, Intent, Lease
from trade_pipeline.schemas.trading import (
    OrderRequest,
    OrderState,
    OrderType,
    Role,
    Side,
    VenueOrder,
    VenueTrade,
)
from trade_pipeline.settings.home import Home

LEASE_TTL_S = 15.0
HOLDER = "journal"
BOOKED = "booked"
EVIDENCE = "flatten's journal"


class Journal:
    """Appends steps to one file; every line is on disk when the method returns."""

    def __init__(self, home: Home, account: str, at: datetime) -> None:
        home.journal.mkdir(parents=True, exist_ok=True)
        path = home.journal / f"flatten-{at:%Y%m%dT%H%M%S%f}-{os.getpid()}.jsonl"
        self._account = account
        self._file: IO[str] = path.open("a", encoding="utf-8")
        folder = os.open(home.journal, os.O_RDONLY)
        try:
            os.fsync(folder)  # the file's name must survive as well as its lines
        finally:
            os.close(folder)

    def sending(self, intent_id: str, attempt: int, request: OrderRequest, reason: str, at: datetime) -> None:
        self._write(
            "sending", at, intent_id=intent_id, attempt=attempt, reason=reason, account=self._account,
            request=asdict(request),
        )  # fmt: skip

    def answer(self, order: VenueOrder, at: datetime) -> None:
        self._write("answer", at, order=asdict(order))

    def cancelled(self, order: VenueOrder, at: datetime) -> None:
        self._write("cancelled", at, account=self._account, order=asdict(order))

    def ended(self, kind: str, client_order_id: str, evidence: str, at: datetime) -> None:
        """`refused`, `unknown` or `absent`."""
        self._write(kind, at, client_order_id=client_order_id, evidence=evidence)

    def close(self) -> None:
        self._file.close()

    def _write(self, kind: str, at: datetime, **fields: Any) -> None:
        self._file.write(json.dumps({"kind": kind, "at": at.isoformat(), **fields}, default=_as_text) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(frozen=True, slots=True)
class Sending:
    """A journaled order and what became of it: `order` from the exchange, else `end` in words, else nobody knows."""

    account: str
    intent_id: str
    attempt: int
    reason: str
    request: OrderRequest
    at: datetime
    order: VenueOrder | None = None
    end: str | None = None
    evidence: str = ""


def unbooked_files(home: Home) -> list[Path]:
    """Journals that are not in the ledger yet, oldest first. While there are any, the ledger is behind."""
    return sorted(home.journal.glob("*.jsonl")) if home.journal.is_dir() else []


def sendings(home: Home, *, booked_too: bool = False) -> list[Sending]:
    """Every journaled order, oldest first; without `booked_too` only what the ledger does not know yet."""
    files = unbooked_files(home)
    if booked_too and (home.journal / BOOKED).is_dir():
        files = sorted([*files, *(home.journal / BOOKED).glob("*.jsonl")], key=lambda path: path.name)
    return _sendings_in(_lines(files))


def import_journal(ledger: Ledger, home: Home, *, lease: Lease | None = None) -> int:
    """Book the journals' orders as intents and orders; returns how many journals were finished. Idempotent.

    Without `lease` the account's lease is taken as an exit and given back. Nothing happens while a flatten runs.
    An order that nobody knows the end of becomes UNKNOWN, to be resolved as any other. Finished files move to
    `journal/booked/`; if an order cannot be booked yet (the ledger has not seen a fill that came before), all stay
    and an event says so. Raises LeaseHeld, LedgerUnavailable.
    """
    files = unbooked_files(home)
    if not files or flatten_runs(home):
        return 0
    lines = _lines(files)
    for account in {str(line["account"]) for line in lines if "account" in line}:
        if not _book(ledger, account, lines, lease):
            return 0
    (home.journal / BOOKED).mkdir(exist_ok=True)
    for path in files:
        path.rename(home.journal / BOOKED / path.name)
    flatten_file(home).unlink(missing_ok=True)  # from here on the ledger knows what was sold
    return len(files)


def _book(ledger: Ledger, account: str, lines: list[dict[str, Any]], lease: Lease | None) -> bool:
    held = lease or ledger.acquire_lease(account, HOLDER, LEASE_TTL_S, for_exit=True)
    try:
        for line in lines:
            if line["kind"] == "cancelled" and line["account"] == account:
                _book_cancelled(ledger, account, _order_from(line["order"]))
        ours = [sending for sending in _sendings_in(lines) if sending.account == account]
        booked = [_book_sending(ledger, held, sending) for sending in ours]
        return all(booked)
    finally:
        if lease is None:
            ledger.release_lease(held)


def _book_cancelled(ledger: Ledger, account: str, order: VenueOrder) -> None:
    known = ledger.order(order.client_order_id)
    if known is not None and known.state not in {OrderState.PLANNED, OrderState.ABANDONED}:
        with suppress(IllegalTransition):  # the ledger has learned another end meanwhile and keeps it
            ledger.apply_venue_order(account, order, EVIDENCE)


def _book_sending(ledger: Ledger, lease: Lease, sending: Sending) -> bool:
    name = sending.request.client_order_id
    if ledger.order(name) is None:
        try:
            ledger.plan_order(_intent(sending), sending.request, sending.attempt)
        except LedgerError as error:
            detail = {"client_order_id": name, "reason": error.message}
            ledger.record_event(
                Event(
                    sending.at,
                    "journal_not_booked",
                    "warning",
                    sending.account,
                    sending.request.symbol,
                    None,
                    None,
                    detail,
                )
            )
            return False
    order = ledger.order(name)
    if order is not None and order.state == OrderState.PLANNED:
        order = ledger.mark_sent(name, lease, 0.0)
    if order is None or order.state not in {OrderState.SENT, OrderState.UNKNOWN, OrderState.OPEN}:
        return True
    _book_end(ledger, sending, name)
    return True


def _book_end(ledger: Ledger, sending: Sending, name: str) -> None:
    if sending.order is not None:
        ledger.apply_venue_order(sending.account, sending.order, EVIDENCE)
        if sending.order.trades:
            ledger.book_trades(sending.account, sending.order.trades, prefix=name[:4])
    elif sending.end == "refused":
        ledger.mark_rejected(name, f"{EVIDENCE}: {sending.evidence}")
    else:
        ledger.mark_unknown(name, f"{EVIDENCE}: {sending.evidence or 'no answer'}")


def _intent(sending: Sending) -> Intent:
    request = sending.request
    return Intent(
        intent_id=sending.intent_id,
        account=sending.account,
        decision_id=None,
        symbol=request.symbol,
        role=Role.EXIT,
        side=request.side,
        amount=request.amount,
        strategy="flatten",
        sleeves={},  # no shares: the ledger takes from the sleeves what they hold
        reason=sending.reason,
        decision_price=None,
        stop_distance=None,
        created_at=sending.at,
    )


def _lines(files: Iterable[Path]) -> list[dict[str, Any]]:
    """Whole lines only: a file's last one may have been cut by a crash, and then nothing was sent after it."""
    found: list[dict[str, Any]] = []
    for path in files:
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                break
    return found


def _sendings_in(lines: list[dict[str, Any]]) -> list[Sending]:
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["kind"] == "sending":
            found[line["request"]["client_order_id"]] = {
                "account": line["account"], "intent_id": line["intent_id"], "attempt": int(line["attempt"]),
                "reason": line["reason"], "request": _request_from(line["request"]),
                "at": datetime.fromisoformat(line["at"]),
            }  # fmt: skip
        elif line["kind"] == "answer":
            order = _order_from(line["order"])
            found.get(order.client_order_id, {}).update(order=order)
        elif line["kind"] in {"refused", "unknown", "absent"}:
            found.get(line["client_order_id"], {}).update(end=line["kind"], evidence=line["evidence"])
    return [Sending(**fields) for fields in found.values()]


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in the journal")


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)


def _request_from(raw: Mapping[str, Any]) -> OrderRequest:
    return OrderRequest(
        client_order_id=raw["client_order_id"],
        symbol=raw["symbol"],
        side=Side(raw["side"]),
        type=OrderType(raw["type"]),
        amount=Decimal(raw["amount"]),
        price=_decimal(raw["price"]),
        stop_price=_decimal(raw["stop_price"]),
    )


def _order_from(raw: Mapping[str, Any]) -> VenueOrder:
    plain = {name: raw[name] for name in ("order_id", "client_order_id", "symbol", "venue_status")}
    return VenueOrder(
        **plain,
        side=Side(raw["side"]),
        type=OrderType(raw["type"]),
        amount=Decimal(raw["amount"]),
        filled=Decimal(raw["filled"]),
        quote_filled=Decimal(raw["quote_filled"]),
        state=OrderState(raw["state"]),
        price=_decimal(raw["price"]),
        stop_price=_decimal(raw["stop_price"]),
        created_at=datetime.fromisoformat(raw["created_at"]),
        updated_at=datetime.fromisoformat(raw["updated_at"]),
        trades=tuple(_trade_from(trade) for trade in raw["trades"]),
    )


def _trade_from(raw: Mapping[str, Any]) -> VenueTrade:
    return VenueTrade(
        symbol=raw["symbol"],
        trade_id=raw["trade_id"],
        order_id=raw["order_id"],
        side=Side(raw["side"]),
        price=Decimal(raw["price"]),
        amount=Decimal(raw["amount"]),
        fee=Decimal(raw["fee"]),
        fee_asset=raw["fee_asset"],
        at=datetime.fromisoformat(raw["at"]),
        is_maker=bool(raw["is_maker"]),
    )
