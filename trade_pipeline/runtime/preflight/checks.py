"""The checks of the preflight: pure functions from facts to findings. What is not known never passes."""

from __future__ import annotations

from collections.abc import Callable

from trade_pipeline.runtime.preflight.facts import Facts, Finding
from trade_pipeline.runtime.preflight.risky import RULES, risks

LOOPBACK = ("127.0.0.1", "::1", "localhost")

Check = Callable[[Facts], Finding]


def judge(facts: Facts) -> list[Finding]:
    """One finding per check, in the order in which a person would repair them."""
    return [check(facts) for check in CHECKS]


def passed(findings: list[Finding]) -> bool:
    return all(finding.passed for finding in findings)


KEYS_REPAIR = "Set the keys, then check again."


def _unknown(check: str, facts: Facts, fact: str, repair: str) -> Finding:
    """The exchange cannot be asked without keys: they come first, whatever else may be wrong."""
    if not facts.keys_present and fact != "lease":
        repair = KEYS_REPAIR
    return Finding(check, False, f"not known: {facts.troubles.get(fact, 'the exchange does not say')}", repair)


def keys(facts: Facts) -> Finding:
    name = "trading keys are set"
    if facts.keys_present:
        return Finding(name, True, "key and secret are set")
    return Finding(
        name,
        False,
        "key or secret is missing",
        "Set TRADE_PIPELINE_EXCHANGE_API_KEY and TRADE_PIPELINE_EXCHANGE_API_SECRET.",
    )


def address(facts: Facts) -> Finding:
    """The address of a simulated exchange must never be taken for the real one, nor the other way round."""
    name = "orders go to the exchange itself"
    if facts.exchange_url is None:
        return Finding(name, True, "the exchange's own address")
    return Finding(
        name, False, f"they would go to {facts.exchange_url}", "Unset TRADE_PIPELINE_EXCHANGE_URL; live has no other."
    )


def home(facts: Facts) -> Finding:
    """The book of a simulated account must not be continued with real money."""
    name, mode = "the home has traded in no other mode", facts.home_mode
    if mode in (None, facts.settings.mode):
        return Finding(name, True, "new" if mode is None else mode)
    return Finding(name, False, f"it was last used in mode {mode}", "Name a home of its own with --home.")


def withdrawal(facts: Facts) -> Finding:
    name, repair = "the key cannot withdraw", "Make a key without the permission to withdraw, at the exchange."
    if facts.key is None:
        return _unknown(name, facts, "key", f"{repair} A key of which this is not known counts as one that can.")
    if facts.key.can_withdraw is False:
        return Finding(name, True, f"no withdrawals ({facts.key.source})")
    if facts.key.can_withdraw is None:
        return Finding(name, False, f"not known ({facts.key.source}), which counts as yes", repair)
    return Finding(name, False, f"it can withdraw ({facts.key.source})", repair)


def trading(facts: Facts) -> Finding:
    name, repair = "the key can trade", "Give the key the permission for spot trading, at the exchange."
    if facts.key is None:
        return _unknown(name, facts, "key", repair)
    if facts.key.can_trade is False:
        return Finding(name, False, f"it cannot trade ({facts.key.source})", repair)
    # A key that cannot trade is refused by the first order at the latest: not knowing does no harm here.
    return Finding(name, True, "it can trade" if facts.key.can_trade else "the exchange does not say")


def clock(facts: Facts) -> Finding:
    name, limit = "the clock is in step", facts.settings.preflight.clock_offset_ms_max
    repair = f"Synchronise this machine's clock (NTP): {limit} ms are allowed."
    if facts.clock_offset_ms is None:
        return _unknown(name, facts, "clock", repair)
    # What cannot be told apart from the way there and back counts against us.
    worst = abs(facts.clock_offset_ms) + facts.clock_uncertainty_ms
    found = f"{facts.clock_offset_ms:+.0f} ms, known to {facts.clock_uncertainty_ms:.0f} ms"
    return Finding(name, worst <= limit, found, "" if worst <= limit else repair)


def account(facts: Facts) -> Finding:
    wanted = facts.settings.preflight.account_kind
    name, repair = "the account is of the expected kind", "Use another account, or set preflight.account_kind."
    if facts.account_kind is None:
        return _unknown(name, facts, "account", repair)
    same = facts.account_kind == wanted
    return Finding(name, same, f"{facts.account_kind}, expected {wanted}", "" if same else repair)


def instance(facts: Facts) -> Finding:
    name = "no second instance"
    if facts.lease_holder is not None:
        return Finding(
            name,
            False,
            f"{facts.lease_holder} guards account {facts.settings.account}",
            "Stop it with `trade-pipeline down` in its home, or trade another account.",
        )
    if "lease" in facts.troubles:
        return _unknown(name, facts, "lease", "Start the ledger's database.")
    if facts.foreign_orders is None:
        return _unknown(name, facts, "orders", "Try again when the exchange answers.")
    if facts.foreign_orders:
        return Finding(
            name,
            False,
            f"{facts.foreign_orders} open orders carry another installation's prefix",
            "Stop that installation and cancel its orders, or trade another account.",
        )
    return Finding(name, True, "no lease and no orders of another installation")


def risky_values(facts: Facts) -> Finding:
    name, found = "risky settings are confirmed", risks(facts.settings)
    unknown = sorted(facts.confirmed - {rule.setting for rule in RULES})
    if unknown:
        return Finding(name, False, f"no risky setting: {', '.join(unknown)}", "Correct the name after --confirm.")
    open_ones = [risk for risk in found if risk.setting not in facts.confirmed]
    if open_ones:
        said = "; ".join(f"{risk.setting} = {_short(risk.value)}: {risk.why}" for risk in open_ones)
        options = " ".join(f"--confirm {risk.setting}" for risk in open_ones)
        return Finding(name, False, said, f"Change them, or say that they are meant: {options}")
    names = ", ".join(risk.setting for risk in found)
    return Finding(name, True, f"confirmed: {names}" if found else "no value is risky")


def closed_ui(facts: Facts) -> Finding:
    name, runtime = "the UI is closed", facts.settings.runtime
    if not facts.settings.token_required:
        return Finding(name, False, "no token is asked for", "Set runtime.ui_token_in_sim, or a mode other than sim.")
    if runtime.ui_address in LOOPBACK:
        return Finding(name, True, f"token, {runtime.ui_address} only")
    if runtime.ui_names:
        return Finding(name, True, f"token, {runtime.ui_address} as {', '.join(runtime.ui_names)}")
    return Finding(
        name,
        False,
        f"it would listen on {runtime.ui_address} under no name",
        "Set runtime.ui_address to 127.0.0.1, or name the proxy's host in runtime.ui_names.",
    )


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


CHECKS: tuple[Check, ...] = (
    keys, address, home, withdrawal, trading, clock, account, instance, risky_values, closed_ui,
)  # fmt: skip
