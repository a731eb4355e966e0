"""Every failure this product raises, drawn as one tree.

    TradePipelineError
    ├── ConfigurationError            halt    a human has to change something; exit code 2
    │   ├── SettingsError                     a setting is unknown, missing or out of range
    │   ├── ModeRefused                       the mode is not offered here
    │   ├── PreflightFailed                   live trading has not been earned; says what is missing
    │   ├── HomeInUse                         another stack runs in this home
    │   ├── PortTaken                         a port we need belongs to somebody else
    │   └── ReplayFileError                   a recorded file is missing, corrupt or of unknown layout
    ├── VenueError
    │   ├── VenueUnavailable          retry   certainly not executed; the same request may be repeated
    │   │   ├── RateLimited                   honour `retry_after_s`
    │   │   │   └── BudgetSpent               our own budget; the exchange was not asked
    │   │   ├── ClockSkew                     resynchronise, then repeat with the same client order id
    │   │   ├── SourceDisagrees               a secondary's prices are not those of the first source
    │   │   └── SourcesFailed                 no source of bars answered, and nothing kept covers it
    │   │       └── KeptBarsTooOld            what is kept is older than it may be
    │   ├── OutcomeUnknown            resolve may have been executed; look it up, never resend
    │   ├── OrderRefused              skip    certainly not executed and will not be as it stands
    │   │   ├── InsufficientFunds
    │   │   ├── FilterViolation               price, amount or notional off the symbol's grid
    │   │   ├── WouldTriggerImmediately       a stop that is already breached
    │   │   ├── DuplicateClientOrderId        look up and adopt
    │   │   └── CancelReplaceFailed           the old order was not cancelled, so no new one was sent
    │   ├── OrderNotFound             resolve the exchange does not know the order (yet)
    │   ├── SymbolUnknown             skip
    │   ├── MalformedAnswer           resolve an answer that cannot be read
    │   ├── Banned                    halt    418: stop asking until `retry_after_s` has passed
    │   └── AuthenticationFailed      halt
    ├── DataError
    │   ├── BadBars                   skip    bars that break a rule of `schemas.bars`
    │   ├── LateBars                  skip    the bar was not final in time: HOLD
    │   ├── BadTarget                 skip    a target without numbers to trade by; the others went on
    │   ├── LakeConflict              retry   another writer committed first
    │   └── ScenarioUnsupported       skip    a simulation was asked for what its policy does not know
    ├── LedgerError
    │   ├── LedgerUnavailable         retry
    │   ├── LeaseHeld                 skip    another holder has the account's lease
    │   ├── LeaseLost                 halt    our token is no longer the newest: send nothing
    │   ├── AlreadyClaimed            skip    somebody else runs this decision: end green
    │   ├── BadTrade                  skip    a trade without amount or price; all others were booked
    │   └── IllegalTransition         halt    an order was asked to take a step that does not exist
    └── GateClosed                    skip    orders that increase exposure are not allowed now

`action` says what a caller must do. `resolve` means: ask the exchange what happened, never send again.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from trade_pipeline.redaction import redacted

Action = Literal["retry", "resolve", "skip", "halt"]


class TradePipelineError(Exception):
    """A failure that names the thing, the value that was wrong and what repairs it."""

    action: ClassVar[Action] = "halt"

    def __init__(self, message: str, *, thing: str = "", value: object = None, repair: str = "") -> None:
        # Foreign words are quoted in all of these, and end in logs, events and answers.
        self.message = redacted(message)
        self.thing = redacted(thing)
        self.value = redacted(value) if isinstance(value, str) else value
        self.repair = redacted(repair)
        parts = [f"{thing}: {message}" if thing else message]
        if value is not None:
            parts.append(f"(got {value!r})")
        text = " ".join(parts)
        super().__init__(redacted(f"{text}. {repair}" if repair else text))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions cross process borders (Celery, Dagster); the default would lose the keywords.
        return (_rebuild, (type(self), self.message, self.thing, self.value, self.repair, self.__dict__))


def _rebuild(
    cls: type[TradePipelineError],
    message: str,
    thing: str,
    value: object,
    repair: str,
    state: dict[str, object],
) -> TradePipelineError:
    error = cls(message, thing=thing, value=value, repair=repair)
    error.__dict__.update(state)
    return error


class ConfigurationError(TradePipelineError):
    """A human has to change something before the product can start."""


class SettingsError(ConfigurationError):
    """A setting is unknown, missing, out of range or contradicts another."""


class ModeRefused(ConfigurationError):
    """The requested mode is not offered."""


class PreflightFailed(ConfigurationError):
    """A check of the preflight did not pass: live trading does not start."""


class HomeInUse(ConfigurationError):
    """Another stack holds this home."""


class PortTaken(ConfigurationError):
    """A port that we need is already bound."""


class ReplayFileError(ConfigurationError):
    """A recorded file is missing, corrupt or of a layout that nobody declared."""


class VenueError(TradePipelineError):
    """Something between us and an exchange."""

    action: ClassVar[Action] = "resolve"


class VenueUnavailable(VenueError):
    """Certainly not executed: the same request may be repeated, within bounds."""

    action: ClassVar[Action] = "retry"


class RateLimited(VenueUnavailable):
    """The exchange asks us to slow down."""

    def __init__(
        self,
        message: str,
        *,
        thing: str = "",
        value: object = None,
        repair: str = "",
        retry_after_s: float = 1.0,
    ) -> None:
        super().__init__(message, thing=thing, value=value, repair=repair)
        self.retry_after_s = retry_after_s


class BudgetSpent(RateLimited):
    """Our own budget of requests is used up: nothing was sent, and the exchange has not asked anybody to wait."""


class ClockSkew(VenueUnavailable):
    """Our timestamp is outside the exchange's window; it executed nothing."""


class SourceDisagrees(VenueUnavailable):
    """A secondary source whose prices cannot be told to be those of the same market."""


class SourcesFailed(VenueUnavailable):
    """No source of bars answered for a symbol, and what is kept of it does not cover what was asked."""


class KeptBarsTooOld(SourcesFailed):
    """No source answered, and what is kept of the symbol is older than `sources.hard_age_s`."""


class OutcomeUnknown(VenueError):
    """A timeout, a 5xx, a cut connection: the order may or may not live. Never resend."""


class OrderRefused(VenueError):
    """The exchange said no: certainly not executed."""

    action: ClassVar[Action] = "skip"


class InsufficientFunds(OrderRefused):
    """Free balance does not cover the order."""


class FilterViolation(OrderRefused):
    """Price, amount or notional is off the symbol's grid or below its minimum."""


class WouldTriggerImmediately(OrderRefused):
    """A stop whose trigger is already passed: exit now instead."""


class DuplicateClientOrderId(OrderRefused):
    """The exchange has an order with this client id: look it up and adopt it."""


class CancelReplaceFailed(OrderRefused):
    """The old order could not be cancelled, so the new one was not sent: look the old one up."""


class OrderNotFound(VenueError):
    """The exchange does not know the order, or does not know it yet."""


class SymbolUnknown(VenueError):
    """The exchange does not list the symbol."""

    action: ClassVar[Action] = "skip"


class MalformedAnswer(VenueError):
    """The exchange's answer lacks a field or has one that cannot be read."""


class Banned(VenueError):
    """418: the exchange has blocked us for `retry_after_s` seconds."""

    action: ClassVar[Action] = "halt"

    def __init__(
        self,
        message: str,
        *,
        thing: str = "",
        value: object = None,
        repair: str = "",
        retry_after_s: float = 60.0,
    ) -> None:
        super().__init__(message, thing=thing, value=value, repair=repair)
        self.retry_after_s = retry_after_s


class AuthenticationFailed(VenueError):
    """Key, secret or permission is wrong."""

    action: ClassVar[Action] = "halt"


class DataError(TradePipelineError):
    """Market data that a decision must not stand on."""

    action: ClassVar[Action] = "skip"


class BadBars(DataError):
    """Bars that break a rule."""


class LateBars(DataError):
    """The bar was not final within its limit: the symbol is HOLD for this decision."""


class BadTarget(DataError):
    """A target whose numbers cannot be meant: nothing is sent for its symbol."""


class LakeConflict(DataError):
    """Another writer committed to the same day first."""

    action: ClassVar[Action] = "retry"


class ScenarioUnsupported(DataError):
    """A simulation was asked for something that its policy does not know: no answer is better than a wrong one."""

    action: ClassVar[Action] = "skip"


class LedgerError(TradePipelineError):
    """The book of orders and money could not be read or written."""


class LedgerUnavailable(LedgerError):
    """The database does not answer."""

    action: ClassVar[Action] = "retry"


class LeaseHeld(LedgerError):
    """Somebody else holds the account's lease right now."""

    action: ClassVar[Action] = "skip"


class LeaseLost(LedgerError):
    """Our fencing token is no longer the newest, or too little of the lease remains."""


class AlreadyClaimed(LedgerError):
    """Another run has claimed this decision; this one has nothing to do."""

    action: ClassVar[Action] = "skip"


class BadTrade(LedgerError):
    """Trades that cannot be true were not booked, and no order ended by them; everything else of the call was booked.

    `symbols`: of the refused trades. `booked`: what the call would have returned.
    """

    action: ClassVar[Action] = "skip"
    symbols: tuple[str, ...] = ()
    booked: tuple[object, ...] = ()


class IllegalTransition(LedgerError):
    """An order was asked to take a step that the state machine does not list."""


class GateClosed(TradePipelineError):
    """Orders that increase exposure are not allowed now."""

    action: ClassVar[Action] = "skip"
