"""What else a stack may have to do while it decides: a year of history, an audit, and somebody busy in the UI.

All of it is asked for through the webserver, as a person would. The backfill begins first and lasts longer than is
measured; a burst of runs comes at each bar's close, when it hurts most.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from trade_pipeline.errors import ConfigurationError

YEAR_DAYS = 365
BURST_RUNS = 8
BEFORE_CLOSE_S = 2.0
"""How long before a bar's close a burst is asked for: its runs are made and start while the bar is decided on."""
BEGINS_S_MAX = 300.0
POLL_S = 1.0
TAG = "trade/bench_load"

Ask = Callable[[str, dict[str, object]], dict[str, Any]]

_LAUNCH = """
mutation Launch($job: String!, $location: String!, $tags: [ExecutionTag!]!) {
  launchRun(executionParams: {
    selector: {repositoryLocationName: $location, repositoryName: "__repository__", jobName: $job}
    runConfigData: "{}"
    executionMetadata: {tags: $tags}
  }) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on UnauthorizedError { message }
  }
}
"""
_RUNS = """
query Runs($tag: String!, $value: String!) {
  runsOrError(filter: {tags: [{key: $tag, value: $value}]}, limit: 1000) {
    ... on Runs { results { runId status pipelineName } }
  }
}
"""


def days_of_a_year(history_days: int, today: datetime) -> list[str]:
    """The days before this one, oldest first: a year of them, or as many as the exchange has."""
    count = min(YEAR_DAYS, history_days - 1)
    return [f"{today - timedelta(days=back):%Y-%m-%d}" for back in range(count, 0, -1)]


@dataclass
class Load:
    """`begin_backfill` launches one of the given days and answers with its id."""

    ask: Ask
    begin_backfill: Callable[[Sequence[str]], str]
    days: Sequence[str]
    tell: Callable[[str], None]
    backfill_id: str = ""
    bursts: int = field(default=0)

    def begin(self, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """Returns when the backfill's run is under way. Raises ConfigurationError where it does not come to that."""
        self.backfill_id = self.begin_backfill(self.days)
        deadline = time.monotonic() + BEGINS_S_MAX
        while self._statuses("dagster/backfill", self.backfill_id)["STARTED"] == 0:
            if time.monotonic() > deadline:
                raise ConfigurationError("the backfill does not begin", thing=f"backfill {self.backfill_id}")
            sleep(POLL_S)
        self.tell(f"load: a backfill of {len(self.days)} days is under way")

    def burst(self) -> None:
        """One audit of this day, and the reports again and again."""
        self.bursts += 1
        day = f"{datetime.now(UTC):%Y-%m-%d}"
        self._launch("audit", "research", {"dagster/partition": day})
        for _ in range(BURST_RUNS):
            self._launch("reports", "trading", {})

    def figures(self) -> dict[str, object]:
        """What was asked for and what has become of it so far: statuses of runs, and days that are done."""
        return {
            "backfill_days": len(self.days),
            "backfill": dict(self._statuses("dagster/backfill", self.backfill_id)),
            "bursts": self.bursts,
            "runs_asked_for": self.bursts * (BURST_RUNS + 1),
            "runs": dict(self._statuses(TAG, "yes")),
        }

    def _launch(self, job: str, location: str, tags: Mapping[str, str]) -> None:
        pairs = [{"key": key, "value": value} for key, value in {**tags, TAG: "yes"}.items()]
        answer = self.ask(_LAUNCH, {"job": job, "location": location, "tags": pairs})["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise ConfigurationError(
                f"Dagster refused it: {answer.get('message', answer['__typename'])}", thing=f"job {job}"
            )

    def _statuses(self, tag: str, value: str) -> Counter[str]:
        found = self.ask(_RUNS, {"tag": tag, "value": value})["runsOrError"].get("results", [])
        return Counter(str(run["status"]) for run in found)
