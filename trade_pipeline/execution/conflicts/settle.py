"""One round of the guard's: compare, resolve, read back, compare again; then what halts, and what halts no more.

Two passes at most. Differences of amounts are believed when they are seen twice: a fill on its way looks like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from trade_pipeline.errors import VenueError
from trade_pipeline.execution.conflicts.compare import Sides, compare
from trade_pipeline.execution.conflicts.history import History
from trade_pipeline.execution.conflicts.kinds import Finding, Key, Kind, Outcome
from trade_pipeline.execution.conflicts.resolve import Decided, resolve, scope_of, strategy_of, unsettled
from trade_pipeline.execution.desk import EVERY, Desk
from trade_pipeline.execution.emergency.journal import sendings
from trade_pipeline.execution.readback.reconcile import Reconciliation, reconcile
from trade_pipeline.execution.sending.submit import halt
from trade_pipeline.ledger.records import Conflict, Event, Fill
from trade_pipeline.ledger.trade_checks import DIFFERS, REFUSED

PASSES_MAX = 2
AT_ONCE = frozenset(
    {Kind.FOREIGN_ORDER, Kind.FOREIGN_TRADE, Kind.ORDER_DIFFERS, Kind.BAD_ORDER, Kind.BAD_BALANCE, Kind.BAD_TRADE}
)
"""Seen once is enough: nothing on its way looks like these."""
SIGHTS = 2
"""How often in a row the others have to be seen."""
ONE_OFF = frozenset({Kind.FOREIGN_TRADE, Kind.ORPHAN_ORDER, Kind.BAD_TRADE})
"""They happened: they are over when a person unlocks the symbol, not when they are seen no more."""
FOREIGN_SINCE = timedelta(hours=1)
FILLS_MAX = 100
MISSING_COINS = "coins are missing"
RESIDUALS = "balances differ from the ledger"
OTHERS = "conflict"
_FOREIGN = ("foreign_trade", "trade_unattributed")
_BAD = (DIFFERS, REFUSED)
_RESIDUAL_KINDS = frozenset({Kind.BALANCE_RESIDUAL, Kind.POSITION_LONG})


@dataclass(frozen=True, slots=True)
class Settled:
    """The last reading, and the symbols that the guard should sell."""

    found: Reconciliation
    exits: tuple[str, ...] = ()


@dataclass
class Conflicts:
    """The guard's memory of differences. Losing it costs one cycle: the history is in the ledger."""

    history: History = field(default_factory=History)
    sights: dict[Key, tuple[int, Finding]] = field(default_factory=dict)
    """Key -> (times seen in a row, as it was last)."""

    def settle(self, desk: Desk, found: Reconciliation, *, full: bool = False) -> Settled:
        """Compare and resolve. Raises LedgerUnavailable; an exchange that does not answer leaves a conflict open."""
        self.history.read(desk)
        exits: list[str] = []
        acted: dict[Key, Decided] = {}
        findings: list[Finding] = []
        for _ in range(PASSES_MAX):
            findings = compare(sides_of(desk, found))
            due = self._due(findings, acted, full=full)
            for finding in due:
                decided = self._decide(desk, finding, found, acted.get(finding.key))
                acted[finding.key] = decided
                if decided.exit:
                    exits.append(finding.subject)
            if not any(acted[finding.key].changed for finding in due):
                break
            found = reconcile(desk, before=found)
        self._close_what_is_gone(desk, findings)
        self._hold(desk, findings)
        return Settled(found, tuple(exits))

    def _due(self, findings: Sequence[Finding], acted: Mapping[Key, Decided], *, full: bool) -> list[Finding]:
        """What is certain, and new, changed, to be tried again, or there in spite of what was just `acted`."""
        counted: dict[Key, tuple[int, Finding]] = {}
        due: list[Finding] = []
        for finding in findings:
            key = finding.key
            before = self.sights.get(key)
            same = before is not None and (finding.kind not in _RESIDUAL_KINDS or before[1].gap == finding.gap)
            times = before[0] + 1 if before is not None and same else 1
            counted[key] = (times, finding)
            last = self.history.of(key)
            if key in acted:
                if acted[key].changed and finding.kind not in ONE_OFF:
                    due.append(finding)
            elif self._is_certain(finding, times) and _is_news(finding, last, full=full):
                due.append(finding)
        self.sights = counted
        return due

    def _is_certain(self, finding: Finding, times: int) -> bool:
        return finding.kind in AT_ONCE or times >= SIGHTS

    def _decide(self, desk: Desk, finding: Finding, found: Reconciliation, before: Decided | None) -> Decided:
        strategy, last = strategy_of(desk, finding), self.history.of(finding.key)
        if last is None or last.outcome not in {str(Outcome.FOUND), str(Outcome.HALTED)}:
            last = self.history.write(desk, finding, strategy, Outcome.FOUND)
        if before is not None:
            decided = unsettled(before)
        else:
            reference = f"{last.conflict_id}:{finding.gap:f}"
            try:
                decided = resolve(desk, finding, strategy, found, reference)
            except VenueError as error:
                return Decided(Outcome.FOUND, f"not resolved yet: {error}")
        told = (last.outcome, last.ledger_amount, last.exchange_amount)
        if decided.outcome != Outcome.FOUND and told != _as_told(decided, finding):
            self.history.write(desk, finding, strategy, decided.outcome, {"why": decided.why})
        return decided

    def _close_what_is_gone(self, desk: Desk, findings: Sequence[Finding]) -> None:
        seen, halts = {finding.key for finding in findings}, desk.halts()
        for key, row in list(self.history.last.items()):
            if row.outcome == str(Outcome.RESOLVED):
                continue
            if key.kind not in ONE_OFF:
                if key not in seen:
                    self.history.close(desk, key, "the two agree again")
            elif row.outcome == str(Outcome.HALTED) and row.at < desk.now() and key.subject not in halts:
                self.history.close(desk, key, "unlocked by hand")

    def _hold(self, desk: Desk, findings: Sequence[Finding]) -> None:
        """Entries halt for what is open and halted, and for nothing else of ours."""
        by_key = {finding.key: finding for finding in findings}
        wanted = _halts_of({key: row for key, row in self.history.open().items() if row.outcome == "halted"}, by_key)
        now = desk.halts()
        for scope, reason in wanted.items():
            if scope not in now:
                halt(desk, scope, reason)
        for scope, reason in now.items():
            if scope not in wanted and reason.startswith((MISSING_COINS, RESIDUALS, f"{OTHERS} ")):
                desk.ledger.unlock(desk.account, EVERY, scope)
                detail = {"reason": "ledger and exchange agree again"}
                symbol = None if scope == EVERY else scope
                event = Event(desk.now(), "entries_resumed", "info", desk.account, symbol, detail=detail)
                desk.ledger.record_event(event)


def sides_of(desk: Desk, found: Reconciliation) -> Sides:
    """Both sides after a reconciliation: the ledger is read now, the exchange was read by it."""
    told = desk.ledger.events(desk.account, desk.now() - FOREIGN_SINCE, kinds=(*_FOREIGN, *_BAD))
    return Sides(
        now=desk.now(),
        prefix=desk.prefix,
        quote=desk.settings.market.quote_asset,
        dust_quote=desk.settings.positions.dust_quote,
        unprotected_for=timedelta(seconds=desk.settings.exits.unprotected_s_max),
        positions=desk.ledger.positions(desk.account),
        expected=desk.ledger.expected_balances(desk.account),
        live=desk.ledger.live_orders(desk.account),
        reading=found.reading,
        open_orders=found.open_orders,
        rules=desk.venue.markets(),
        journaled=frozenset(sending.request.client_order_id for sending in sendings(desk.home)),
        denied=found.denied,
        bad_balances=found.bad_balances,
        bad_orders=found.bad_orders,
        unreadable=found.unreadable,
        foreign_fills=_foreign_fills(desk, [event for event in told if event.kind in _FOREIGN]),
        bad_trades=[event for event in told if event.kind in _BAD],
    )


def _foreign_fills(desk: Desk, told: Sequence[Event]) -> list[Fill]:
    """Trades of which it was `told` that no order of ours explains, whoever booked them, and where that is still so."""
    wanted = {(event.symbol, str(event.detail.get("trade_id"))) for event in told}
    symbols = sorted({symbol for symbol, _ in wanted if symbol is not None})
    fills = [fill for symbol in symbols for fill in desk.ledger.fills(desk.account, symbol, limit=FILLS_MAX)]
    unresolved = {order.symbol for order in desk.ledger.live_orders(desk.account) if order.venue_order_id is None}
    return [f for f in fills if not f.managed and (f.symbol, f.trade_id) in wanted and f.symbol not in unresolved]


def _is_news(finding: Finding, last: Conflict | None, *, full: bool) -> bool:
    if last is None or last.outcome == str(Outcome.RESOLVED):
        return last is None or finding.kind not in ONE_OFF
    if last.outcome == str(Outcome.FOUND) and finding.kind != Kind.PROTECTION_MISSING:
        return True  # What came of it was never written: the guard died, or the database refused.
    if finding.kind in ONE_OFF:
        return False
    if finding.kind == Kind.MISSING_ORDER and last.outcome == str(Outcome.HALTED):
        return True  # What others lock changes, and its position has no stop: asking again costs no request.
    changed = (last.ledger_amount, last.exchange_amount) != (finding.ledger_amount, finding.exchange_amount)
    if finding.kind in _RESIDUAL_KINDS and last.ledger_amount is not None and last.exchange_amount is not None:
        # Trading goes on beside a residual: it is the difference that counts, not the two balances.
        changed = last.exchange_amount - last.ledger_amount != finding.gap
    return changed or (full and last.outcome in {str(Outcome.FOUND), str(Outcome.HALTED)})


def _as_told(decided: Decided, finding: Finding) -> tuple[str, object, object]:
    return (str(decided.outcome), finding.ledger_amount, finding.exchange_amount)


def _halts_of(halted: Mapping[Key, Conflict], findings: Mapping[Key, Finding]) -> dict[str, str]:
    """Scope -> reason, of all conflicts that halt it."""
    parts: dict[str, list[str]] = {}
    for key, row in sorted(halted.items(), key=lambda item: (item[0].kind, item[0].subject)):
        finding = findings.get(key) or Finding(key, row.ledger_amount, row.exchange_amount, detail=row.detail)
        if finding.kind == Kind.ORPHAN_ORDER:
            continue  # Halted where it was seen, in the words of that place.
        parts.setdefault(scope_of(finding), []).append(_words(finding, row))
    return {scope: _joined(words) for scope, words in parts.items()}


def _words(finding: Finding, row: Conflict) -> str:
    if finding.kind == Kind.POSITION_SHORT:
        return f"{MISSING_COINS}: {-finding.gap:f} of the position were sold or moved by hand"
    if finding.kind in _RESIDUAL_KINDS:
        return f"{RESIDUALS}: {finding.subject} {finding.gap:+f}"
    return f"{OTHERS} {finding.kind} {finding.subject} {finding.key.reference}: {row.detail.get('why', '')}".rstrip(
        " :"
    )


def _joined(words: Sequence[str]) -> str:
    """Residuals of several assets are one sentence."""
    first, *rest = words
    return ", ".join([first, *(word.removeprefix(f"{RESIDUALS}: ") for word in rest)])
