"""How old each process's oldest sign of life is, as the watchdog saw it last: a file for `status`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from trade_pipeline.runtime.environment import working_folder
from trade_pipeline.runtime.watchdog import Sign
from trade_pipeline.settings.home import Home

VALID = timedelta(minutes=1)
"""Nobody watches any more when the file is older."""


@dataclass(frozen=True, slots=True)
class SignAge:
    """Of the sign that is nearest to its limit, of those that a process owes."""

    sign: str
    age_s: float
    limit_s: float


def nearest(signs: Sequence[Sign], ages_s: Mapping[str, tuple[float, float]]) -> dict[str, SignAge]:
    """By process; signs that no process owes are left out."""
    found: dict[str, SignAge] = {}
    for sign in signs:
        if sign.process is None:
            continue
        age = SignAge(sign.name, *ages_s[sign.name])
        other = found.get(sign.process)
        if other is None or age.age_s / age.limit_s > other.age_s / other.limit_s:
            found[sign.process] = age
    return found


def write_signs(home: Home, signs: Mapping[str, SignAge], now: datetime) -> None:
    """Raises OSError."""
    rows = {name: [one.sign, round(one.age_s, 1), one.limit_s] for name, one in signs.items()}
    path = _path(home)
    scratch = path.with_suffix(".new")
    scratch.write_text(json.dumps({"at": now.isoformat(), "signs": rows}))
    scratch.replace(path)


def read_signs(home: Home, now: datetime) -> dict[str, SignAge]:
    """Ages as the last look saw them; empty where nobody has looked for a while."""
    try:
        whole = json.loads(_path(home).read_text())
        passed = now - datetime.fromisoformat(whole["at"])
        rows = {name: SignAge(str(row[0]), float(row[1]), float(row[2])) for name, row in whole["signs"].items()}
    except (OSError, ValueError, KeyError, TypeError, IndexError):
        return {}
    return rows if passed <= VALID else {}


def _path(home: Home) -> Path:
    return working_folder(home) / "signs.json"
