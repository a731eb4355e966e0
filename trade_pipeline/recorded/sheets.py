"""Text with separators as a table: finds separator, lines above the header, and the header itself, if there is one."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from trade_pipeline.recorded.values import refuse

_SEPARATORS = ",;\t|"
_LINES_ABOVE_MAX = 20
_CELLS_MIN = 3
"""A line with fewer cells stands above the table: an address, a title, a remark."""
_BEGINNING_BYTES = 65_536
_ROWS_INFERRED = 10_000
"""Types are told from so many rows first: a look at all rows takes ten times as long as to read them."""
_NOTHING = ["", "NaN", "nan", "NAN", "null", "NULL", "None", "NA", "N/A", "n/a", "-"]
"""How others write that there is no value."""
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))


@dataclass(frozen=True, slots=True)
class Sheet:
    """`frame` with the header's names, or polars' own where `headed` is False. `tickers`: named above the columns."""

    frame: pl.DataFrame
    headed: bool
    tickers: tuple[str, ...] = ()


def read_sheet(path: Path, content: bytes) -> Sheet:
    """Raises ReplayFileError where no table is found, or rows have more cells than the header."""
    content = _as_utf8(content)
    above, separator, rows = _beginning(path, content)
    header = rows[0]
    headed = not any(_is_number(cell) for cell in header)
    tickers: tuple[str, ...] = ()
    if headed and _is_of_yfinance(rows):
        header, tickers = ["Date", *header[1:]], tuple(dict.fromkeys(cell for cell in rows[1][1:] if cell))
        above += 2
    body = content.split(b"\n", above + headed)
    frame = _table(body[-1] if len(body) > above + headed else b"", separator)
    return Sheet(_named(path, frame, header), True, tickers) if headed else Sheet(frame, False)


def _as_utf8(content: bytes) -> bytes:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            return content.decode(encoding).encode()
    return content


def _beginning(path: Path, content: bytes) -> tuple[int, str, list[list[str]]]:
    """Lines above the table, the separator, and the first rows."""
    lines = content[:_BEGINNING_BYTES].decode(errors="replace").split("\n")
    for above, line in enumerate(lines[:_LINES_ABOVE_MAX]):
        separator = max(_SEPARATORS, key=line.count)
        rows = list(csv.reader(lines[above : above + 3], delimiter=separator))
        filled = [cell for cell in rows[0] if cell.strip()] if rows else []
        if len(filled) >= _CELLS_MIN and not line.startswith("#"):
            return above, separator, [[cell.strip() for cell in row] for row in rows]
    return refuse(path, "the file holds no table", lines[0][:80], "Give rows of cells with commas between.")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _is_of_yfinance(rows: Sequence[Sequence[str]]) -> bool:
    """Three lines: Price,Close,High,.. then Ticker,AAPL,AAPL,.. then Date,,,"""
    return len(rows) == 3 and [row[0] for row in rows if row][:2] == ["Price", "Ticker"] and not any(rows[2][1:])


def _table(body: bytes, separator: str) -> pl.DataFrame:
    body = body.rstrip()
    if not body:
        return pl.DataFrame()
    try:
        frame = _parsed(body, separator, _ROWS_INFERRED)
    except pl.exceptions.ComputeError:
        frame = _parsed(body, separator, None)  # what stood so far were whole numbers, and then one is not
    # Empty lines are no rows, and a separator behind the last cell opens no column.
    rows = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    while rows.width and rows.to_series(-1).null_count() == rows.height:
        rows = rows.drop(rows.columns[-1])
    return rows


def _parsed(body: bytes, separator: str, rows_inferred: int | None) -> pl.DataFrame:
    return pl.read_csv(
        io.BytesIO(body),
        has_header=False,
        separator=separator,
        infer_schema_length=rows_inferred,
        null_values=_NOTHING,
        encoding="utf8-lossy",
    )


def _named(path: Path, frame: pl.DataFrame, header: Sequence[str]) -> pl.DataFrame:
    """Under the header's names; the second of two that are the same gets a number."""
    if frame.width > len(header):
        refuse(path, "rows have more cells than the header", f"{frame.width} and {len(header)}", "Name every column.")
    seen: Counter[str] = Counter()
    names = []
    for name in header:
        names.append(f"{name} ({seen[name]})" if seen[name] else name)
        seen[name] += 1
    missing = (pl.lit(None, dtype=pl.Null).alias(name) for name in names[frame.width :])
    return frame.rename(dict(zip(frame.columns, names, strict=False))).with_columns(missing)
