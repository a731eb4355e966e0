"""Pandera models over polars frames: their common base, column types, and `validate`, which lists what fails.

Belongs here: how any model is held against any frame. Which columns a stage has is in the stage's own file.
Importing this takes a second: modules that the command line needs for `--help` do not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, TypeAlias

import pandera.polars as pa
import polars as pl

UtcMs: TypeAlias = Annotated[pl.Datetime, "ms", "UTC"]
Quantity: TypeAlias = Annotated[pl.Decimal, 38, 18]

ROWS_SHOWN_MAX = 20
ROW_CONTEXT = ("symbol", "open_time", "as_of", "strategy")
"""Columns that say which row failed, where the frame has them."""


class Frame(pa.DataFrameModel):
    """Base of every stage's model: exactly these columns, in this order, nothing converted."""

    class Config:
        strict = True
        ordered = True
        coerce = False


def number(**limits: Any) -> Any:
    """A float column that may hold nulls (warm-up) but no NaN and no infinity.

    Pandera lets NaN pass where nulls may; in polars' order NaN is above infinity, so an upper limit catches it.
    """
    bounds: dict[str, Any] = {"gt": -math.inf, "lt": math.inf}
    for strict, inclusive in (("gt", "ge"), ("lt", "le")):
        if inclusive in limits:
            bounds.pop(strict)
    return pa.Field(nullable=True, **(bounds | limits))


@dataclass(frozen=True, slots=True)
class Failure:
    """One check of a model that a frame fails: how often, and the first rows as a table for people."""

    check: str
    column: str | None
    count: int
    rows: tuple[Mapping[str, object], ...]
    """symbol, open_time and what else names the row, then `column` and `value`, all as they stand in the frame."""


@dataclass(frozen=True, slots=True)
class Failures:
    """What a model found in a frame; falsy when everything holds."""

    model: str
    rows_checked: int
    items: tuple[Failure, ...]

    def __bool__(self) -> bool:
        return bool(self.items)

    @property
    def count(self) -> int:
        """Failing cases of all checks together."""
        return sum(item.count for item in self.items)

    def describe(self) -> str:
        """One sentence with numbers."""
        if not self.items:
            return f"{self.rows_checked} rows agree with {self.model}"
        names = ", ".join(f"{item.column}: {item.check} ({item.count})" for item in self.items)
        return f"{self.count} failures in {self.rows_checked} rows against {self.model}: {names}"


def validate(model: type[Frame], frame: pl.DataFrame, rows_max: int = ROWS_SHOWN_MAX) -> Failures:
    """Every check of `model` that `frame`, a collected frame, does not pass, with up to `rows_max` rows each."""
    try:
        model.validate(frame, lazy=True)
    except pa.errors.SchemaErrors as errors:
        return Failures(model.__name__, frame.height, _failures(errors.failure_cases, frame, rows_max))
    return Failures(model.__name__, frame.height, ())


def _failures(cases: pl.DataFrame, frame: pl.DataFrame, rows_max: int) -> tuple[Failure, ...]:
    found = []
    for (column, check), group in cases.group_by(["column", "check"], maintain_order=True):
        name = str(column) if column in frame.columns else None
        rows = [_shown(case, name, frame) for case in group.head(rows_max).iter_rows(named=True)]
        found.append(Failure(str(check), name, group.height, tuple(rows)))
    return tuple(found)


def _shown(case: Mapping[str, Any], column: str | None, frame: pl.DataFrame) -> dict[str, object]:
    """A failing case beside the row it stands in; a case of the whole frame has no row."""
    index, value = case["index"], case["failure_case"]
    if index is None:
        return {"column": column, "value": _parsed(value)}
    row = frame.row(int(index), named=True)
    named = {name: row[name] for name in ROW_CONTEXT if name in row}
    if column is None:
        return {**named, "column": None, "value": _parsed(value)}
    return {**named, "column": column, "value": row[column]}


def _parsed(value: object) -> object:
    """Cases of frame-level checks come as JSON text."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
