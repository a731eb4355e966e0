"""`backfill`: recomputes history as one run of the stack, through the webserver's GraphQL."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from trade_pipeline.commands.context import Context, open_context
from trade_pipeline.commands.output import say
from trade_pipeline.errors import ConfigurationError, SettingsError
from trade_pipeline.market_data.lake import Lake, lake_of
from trade_pipeline.market_data.repair import Hole, followers, holes, summary
from trade_pipeline.market_data.universe import known_of_day
from trade_pipeline.runtime.stack_file import read_stack_file
from trade_pipeline.runtime.ui_question import ask_ui
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

ASSETS = (
    *("raw_bars", "bars", "quarantined_bars", "quality_scores"),
    *("features", "regimes", "signals", "target_positions"),
)
"""approved_targets is left out: history must never reach the sensor that trades."""
REPAIRED = (*ASSETS, "coarse_bars")
"""A night has made the coarser bars of a repaired day already, without what was missing."""

_POLL_S = 1.0
_LIMIT_S = 3600.0

Ask = Callable[[str, dict[str, object]], dict[str, Any]]

_LAUNCH = """
mutation Backfill($selection: [AssetKeyInput!], $days: [String!]) {
  launchPartitionBackfill(backfillParams: {assetSelection: $selection, partitionNames: $days, title: "backfill"}) {
    __typename
    ... on LaunchBackfillSuccess { backfillId }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
    ... on RunConflict { message }
    ... on PartitionKeysNotFoundError { message }
  }
}
"""
_LOOK = """
query Look($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    __typename
    ... on PartitionBackfill {
      status
      error { message }
      runs: cancelableRuns { runId }
    }
    ... on PythonError { message }
  }
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $id}]}) {
    ... on Runs { results { runId status startTime endTime } }
  }
}
"""


def run_backfill(home: Path | None, first: str, last: str) -> None:
    """Launches the backfill, waits for it and prints its result. Raises ConfigurationError when it fails."""
    days = days_between(first, last, today=datetime.now(UTC).date())
    launch(open_context(home), days)


def run_repair(home: Path | None, first: str | None, last: str | None, *, dry_run: bool) -> None:
    """Prints the holes of the days that are over, and backfills them with the days that stand on them.

    Without `first` and `last` every day of the lake is looked at. Raises SettingsError, ConfigurationError.
    """
    context = open_context(home)
    today = datetime.now(UTC).date()
    settings = context.settings
    lake = lake_of(settings.storage, context.home)
    known = [day for day in lake.days("raw_bars") if day < str(today)]
    if not known:
        say("the lake holds no day that is over")
        return
    yesterday = str(today - timedelta(days=1))
    days = days_between(first or known[0], last or yesterday, today)
    found = missing(lake, settings, days[0], min(days[-1], yesterday))
    for hole in found:
        say(f"{hole.day}: {hole.missing_bars} bars are missing of {', '.join(hole.symbols)}")
    wanted = followers([hole.day for hole in found], settings.market.warmup_bars, yesterday)
    if not wanted:
        say(f"{days[0]} to {days[-1]}: nothing is missing")
        return
    say(f"to be computed again, by the look-back of {settings.market.warmup_bars} bars: {', '.join(wanted)}")
    for stretched in [] if dry_run else contiguous(wanted):
        launch(context, stretched, REPAIRED)


def missing(lake: Lake, settings: Settings, first: str, last: str) -> list[Hole]:
    """Holes of the days from `first` to `last`. All days of the lake are looked at: those around tell what is missing
    at the borders."""
    return holes(summary(lake, lake.days("raw_bars")), first, last, partial(known_of_day, lake, settings))


def contiguous(days: Sequence[str]) -> list[list[str]]:
    """Sorted days in stretches without a day between: each is one run."""
    found: list[list[str]] = []
    for day in days:
        before = str(date.fromisoformat(day) - timedelta(days=1))
        if found and found[-1][-1] == before:
            found[-1].append(day)
        else:
            found.append([day])
    return found


def stretch(days: Sequence[str]) -> str:
    """Sorted days in words."""
    return f"1 day, {days[0]}" if len(days) == 1 else f"{len(days)} days, {days[0]} to {days[-1]}"


def launch(context: Context, days: list[str], assets: Sequence[str] = ASSETS) -> None:
    """A backfill of these partitions, awaited. Raises ConfigurationError when it fails, or no stack runs."""
    ask, ui_url = asker(context.home, context.secrets.ui_token)
    named = begin_backfill(ask, days, assets)
    say(f"backfill {named} of {stretch(days)}: {ui_url}/runs")
    _wait(ask, ui_url, named)


def asker(home: Home, token: str) -> tuple[Ask, str]:
    """Who asks the UI of the stack that runs in `home`, and its address. Raises ConfigurationError where none runs."""
    stack = read_stack_file(home)
    if stack is None:
        raise ConfigurationError("no stack runs here", thing="backfill", repair="Start one with `trade-pipeline up`.")
    return partial(ask_ui, stack.ui_url, token), stack.ui_url


def begin_backfill(ask: Ask, days: Sequence[str], assets: Sequence[str] = ASSETS) -> str:
    """Launches a backfill of these partitions and returns its id. Raises ConfigurationError where it is refused."""
    variables: dict[str, object] = {"selection": [{"path": [name]} for name in assets], "days": list(days)}
    answer = ask(_LAUNCH, variables)["launchPartitionBackfill"]
    if answer["__typename"] != "LaunchBackfillSuccess":
        raise ConfigurationError(
            f"Dagster refused it: {answer.get('message', answer['__typename'])}",
            thing="backfill",
            repair="Name days that the exchange has bars of.",
        )
    return str(answer["backfillId"])


def days_between(first: str, last: str, today: date) -> list[str]:
    """Partition keys from `first` to `last`; of the present day, up to the last closed bar. Raises SettingsError."""
    begin, end = _day(first, "--from"), _day(last, "--to")
    if end < begin:
        raise SettingsError("the last day lies before the first", thing="--to", value=last, repair="Exchange the two.")
    if begin > today:
        raise SettingsError("that day has not begun", thing="--from", value=first, repair="Go further back.")
    end = min(end, today)
    return [(begin + timedelta(days=offset)).isoformat() for offset in range((end - begin).days + 1)]


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise SettingsError("this is no day", thing=option, value=text, repair="Write it as YYYY-MM-DD.") from error


def _wait(ask: Ask, ui_url: str, backfill_id: str) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        answer = ask(_LOOK, {"id": backfill_id})
        state = answer["partitionBackfillOrError"]
        runs = answer["runsOrError"].get("results", [])
        if state["__typename"] != "PartitionBackfill":
            raise ConfigurationError(str(state.get("message")), thing=f"backfill {backfill_id}")
        # Dagster's backfill daemon looks every 30 s; the backfill is one run, whose end is known at once.
        ended = bool(runs) and all(run["status"] == "SUCCESS" for run in runs)
        if ended or state["status"] in ("COMPLETED_SUCCESS", "COMPLETED"):
            return _tell(runs)
        if runs and all(run["status"] in ("FAILURE", "CANCELED") for run in runs):
            state["status"] = "FAILED"
        if state["status"] in ("COMPLETED_FAILED", "FAILED", "CANCELED", "CANCELING", "FAILING"):
            reason = (state.get("error") or {}).get("message") or "a run of it failed"
            raise ConfigurationError(
                f"it ended as {state['status']}: {reason}",
                thing=f"backfill {backfill_id}",
                repair=f"Its runs are at {ui_url}/runs.",
            )
        time.sleep(_POLL_S)
    raise ConfigurationError(f"not done after {_LIMIT_S:.0f} s", thing=f"backfill {backfill_id}")


def _tell(runs: list[dict[str, Any]]) -> None:
    for run in runs:
        seconds = (run["endTime"] or 0) - (run["startTime"] or 0)
        say(f"run {run['runId']} {run['status']} in {seconds:.1f} s")
    say(f"done in {len(runs)} run{'' if len(runs) == 1 else 's'}")
