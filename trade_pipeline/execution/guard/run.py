"""An exit under way: which step of selling it is at, and what it would send next. Pure.

An exit outlives cycles and restarts, so all of it is written down; no lease is held between its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from trade_pipeline.execution.exits.values import ExitReason
from trade_pipeline.execution.rounding import amount_down, limit_price
from trade_pipeline.schemas.trading import BookTop, MarketRules, OrderRequest, OrderType, Side, TimeInForce
from trade_pipeline.settings.exits import ExitSettings, TacticSettings

WORDS: Mapping[ExitReason, str] = {
    ExitReason.STOP_LOSS: "stop loss",
    ExitReason.TRAILING_STOP: "trailing stop",
    ExitReason.TARGET: "take profit",
    ExitReason.STAGE: "partial exit",
    ExitReason.HOLDING_TIME: "held long enough",
    ExitReason.LIQUIDATION: "emergency",
}
"""How a person reads a reason."""


@dataclass(frozen=True, slots=True)
class ExitRun:
    """One exit: one intent, as many attempts as its steps need. `keep` in base, `reference` in quote.

    Until `expires_at` the same reason begins no second one.
    """

    reason: ExitReason
    intent_id: str
    began_at: datetime
    expires_at: datetime
    reference: Decimal
    """The last trade when it began: slippage counts from here."""
    urgent: bool
    step_at: datetime
    keep: Decimal = Decimal(0)
    step: int = 0
    sent: int = 0
    """Attempts so far; the next one takes this number."""
    sent_in_step: int = 0

    def detail(self) -> dict[str, object]:
        """As the ledger keeps it."""
        return {
            "reason": str(self.reason),
            "intent_id": self.intent_id,
            "began_at": self.began_at.isoformat(),
            "expires_at": self.expires_at.isoformat(),
            "reference": f"{self.reference:f}",
            "urgent": self.urgent,
            "step_at": self.step_at.isoformat(),
            "keep": f"{self.keep:f}",
            "step": self.step,
            "sent": self.sent,
            "sent_in_step": self.sent_in_step,
        }

    @classmethod
    def from_detail(cls, detail: Mapping[str, object]) -> ExitRun:
        """The run that `detail` was written from."""
        return cls(
            reason=ExitReason(str(detail["reason"])),
            intent_id=str(detail["intent_id"]),
            began_at=datetime.fromisoformat(str(detail["began_at"])),
            expires_at=datetime.fromisoformat(str(detail["expires_at"])),
            reference=Decimal(str(detail["reference"])),
            urgent=bool(detail["urgent"]),
            step_at=datetime.fromisoformat(str(detail["step_at"])),
            keep=Decimal(str(detail["keep"])),
            step=int(str(detail["step"])),
            sent=int(str(detail["sent"])),
            sent_in_step=int(str(detail["sent_in_step"])),
        )

    def counted(self, now: datetime) -> ExitRun:
        """After one more attempt; written down before it is sent, so that a restart takes another number.

        A step's time counts from its first order: the account's lease may have been waited for until then.
        """
        step_at = self.step_at if self.sent_in_step else now
        return replace(self, sent=self.sent + 1, sent_in_step=self.sent_in_step + 1, step_at=step_at)


def steps_of(run: ExitRun, exits: ExitSettings) -> Sequence[TacticSettings]:
    return exits.stop_tactics if run.urgent else exits.tactics


def tactic_of(run: ExitRun, exits: ExitSettings) -> TacticSettings:
    """The step that it is at; the last one is repeated until nothing is left."""
    steps = steps_of(run, exits)
    return steps[min(run.step, len(steps) - 1)]


def first_immediate_step(run: ExitRun, exits: ExitSettings) -> int:
    """The first step that does not wait for a fill; there is one, for the last is a market order."""
    return next(number for number, step in enumerate(steps_of(run, exits)) if step.kind != "limit_gtc")


def advanced(run: ExitRun, exits: ExitSettings, now: datetime, *, resting: bool) -> ExitRun:
    """The run one step on if the present step has had its time. `resting`: its order still waits for a fill."""
    if run.step >= len(steps_of(run, exits)) - 1 or run.sent_in_step == 0:
        return run
    tactic = tactic_of(run, exits)
    time_is_over = now - run.step_at >= timedelta(seconds=tactic.wait_s)
    ended_early = tactic.kind == "limit_gtc" and not resting
    if time_is_over or ended_early:
        return replace(run, step=run.step + 1, step_at=now, sent_in_step=0)
    return run


def is_held_back(run: ExitRun, exits: ExitSettings, bid: Decimal, now: datetime) -> bool:
    """A market order waits a limited time for a bid within its slippage; after that it goes at any price."""
    tactic, floor = tactic_of(run, exits), floor_price(run, exits)
    if tactic.kind != "market" or floor is None or bid >= floor:
        return False
    return now - run.step_at < timedelta(seconds=tactic.wait_s)


def floor_price(run: ExitRun, exits: ExitSettings) -> Decimal | None:
    """The lowest price that the present step may sell at; None: any."""
    ratio = tactic_of(run, exits).slippage_ratio_max
    return None if ratio is None else run.reference * (1 - ratio)


def sale_request(
    run: ExitRun, exits: ExitSettings, named: str, amount: Decimal, top: BookTop | None, rules: MarketRules
) -> OrderRequest:
    """The order of the present step. Without a book it goes to the market: an exit does not wait for a price."""
    kind, floor = tactic_of(run, exits).kind, floor_price(run, exits) or Decimal(0)
    if kind == "market" or top is None or top.bid <= 0:
        size = amount_down(min(amount, rules.market_amount_max), rules)
        return OrderRequest(named, rules.symbol, Side.SELL, OrderType.MARKET, size)
    # Waiting asks for the best offer; an immediate order takes what is bid, down to its limit.
    price = max(top.ask, floor) if kind == "limit_gtc" else (floor or top.bid)
    size = amount_down(min(amount, rules.amount_max), rules)
    if size * price < rules.notional_min <= size * top.bid:
        # A limit's worth counts, not what it will bring: a little closer to what is bid, and the exchange takes it.
        price = rules.notional_min / size
    return OrderRequest(
        client_order_id=named,
        symbol=rules.symbol,
        side=Side.SELL,
        type=OrderType.LIMIT,
        amount=size,
        price=limit_price(price, Side.SELL, rules),
        time_in_force=TimeInForce.GTC if kind == "limit_gtc" else TimeInForce.IOC,
    )
