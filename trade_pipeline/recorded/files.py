"""Opens a recorded file of any known kind and tells what is in it: a table of bars or of trades under our names."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from trade_pipeline.errors import ReplayFileError
from trade_pipeline.recorded.answers import Answer, read_answer
from trade_pipeline.recorded.layouts import (
    REQUIRED,
    SOURCE_NAMES,
    SOURCE_OF_LAYOUT,
    SYMBOL_NAMES,
    TRADE_COLUMNS,
    WHOSE_NAMES,
    by_name,
    by_place,
    layout_of,
    plain,
    trades_by_name,
)
from trade_pipeline.recorded.names import UNKNOWN_SOURCE, named, source_of
from trade_pipeline.recorded.packages import Package, unpacked
from trade_pipeline.recorded.pairs import is_contract, symbol_of
from trade_pipeline.recorded.sheets import read_sheet
from trade_pipeline.recorded.strangers import check_columns, check_rows
from trade_pipeline.recorded.values import Table, refuse


def open_file(path: Path, layout: str | None, symbol: str | None) -> Table:
    """Bars or trades under our names. `symbol` is what the caller says, `layout` how columns without names stand.
    Raises ReplayFileError."""
    try:
        package = unpacked(path)
        return _table(path, package, _opened(path, package), layout, symbol)
    except ReplayFileError:
        raise
    # Readers raise exceptions of many kinds for a file that they cannot read; a panic of polars' Rust is no Exception.
    except (Exception, pl.exceptions.PanicException) as error:
        reason = " ".join(str(error).split())[:120]
        raise ReplayFileError(
            f"the file cannot be read ({reason})", thing=str(path), repair="Copy it again: it is corrupt or cut off."
        ) from error


def _opened(path: Path, package: Package) -> Answer:
    """The table as it stands in the file, with what is told around it."""
    if package.kind in ("parquet", "arrow"):
        read = pl.read_parquet if package.kind == "parquet" else pl.read_ipc
        return Answer(read(path if package.content is None else io.BytesIO(package.content)), headed=True)
    content = path.read_bytes() if package.content is None else package.content
    if package.kind == "json":
        return read_answer(path, content)
    sheet = read_sheet(path, content)
    if len(sheet.tickers) > 1:
        _refuse_several(path, sheet.tickers)
    return Answer(sheet.frame, sheet.headed, symbol=symbol_of(sheet.tickers[0]) if sheet.tickers else None)


def _table(path: Path, package: Package, answer: Answer, layout: str | None, given: str | None) -> Table:
    source = _source(path, answer)
    if not answer.headed:
        if answer.frame.is_empty():
            refuse(path, "the file holds no bar", None, "Give a longer recording.")
        check_rows(path, answer.frame)
        chosen = layout_of(path, answer.frame.row(0), layout or answer.layout)
        source = source or SOURCE_OF_LAYOUT.get(chosen) or UNKNOWN_SOURCE
        symbol = given or _agreed(path, answer.symbol, _by_files(path, package, answer.source))
        return Table(_flat(path, by_place(answer.frame, chosen)), chosen, symbol, source, answer.closed_until_ms)
    check_columns(path, answer.frame.columns)
    _check_one_symbol(path, answer)
    exchange = source.partition("-")[0] if source else None
    by_columns = (symbol_of(word, exchange) for word in _words(answer, SYMBOL_NAMES))
    told = answer.symbol or next((symbol for symbol in by_columns if symbol), None)
    symbol = given or _agreed(path, told, _by_files(path, package, answer.source))
    trades = trades_by_name(answer.frame)
    frame = by_name(path, answer.frame, symbol) if trades is None else trades
    return Table(_flat(path, frame), "named", symbol, source or UNKNOWN_SOURCE, answer.closed_until_ms)


def _flat(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """Without columns of lists and objects. Raises ReplayFileError where they stand in place of what is needed."""
    odd = [name for name, dtype in frame.schema.items() if dtype.is_nested() or dtype == pl.Object]
    for name in odd:
        if name in REQUIRED + TRADE_COLUMNS:
            refuse(path, f"the column {name} holds lists or objects", str(frame.get_column(name)[0])[:80])
    return frame.drop(odd)


def _source(path: Path, answer: Answer) -> str | None:
    """The answer's own, a column's, or what name and folders say; None where nothing does."""
    exchange, _, kind = source_of(path).partition("-")
    said = (answer.source or next(_words(answer, SOURCE_NAMES), None) or exchange).lower()
    if said.endswith("-futures") or any(is_contract(word) for word in _words(answer, SYMBOL_NAMES)):
        kind = kind or "futures"
    found = said.removesuffix("-futures") + (f"-{kind}" if kind else "")
    return None if found == UNKNOWN_SOURCE else found


def _by_files(path: Path, package: Package, source: str | None) -> str | None:
    return named(path, source).symbol or named(Path(package.name), source).symbol


def _check_one_symbol(path: Path, answer: Answer) -> None:
    for column in _columns_of_words(answer, WHOSE_NAMES):
        values = answer.frame.get_column(column).drop_nulls().unique().cast(pl.String).to_list()
        if len(values) > 1:
            _refuse_several(path, sorted(values))


def _columns_of_words(answer: Answer, names: tuple[str, ...]) -> list[str]:
    kinds = (pl.String, pl.Categorical, pl.Enum)
    schema = answer.frame.schema if answer.headed else {}
    return [column for column, dtype in schema.items() if plain(column) in names and dtype in kinds]


def _words(answer: Answer, names: tuple[str, ...]) -> Iterator[str]:
    """The first value of each such column."""
    for column in _columns_of_words(answer, names):
        values = answer.frame.get_column(column).drop_nulls()
        if values.len():
            yield str(values[0])


def _refuse_several(path: Path, symbols: list[str] | tuple[str, ...]) -> None:
    refuse(path, f"the file holds {len(symbols)} symbols", list(symbols[:5]), "Split it into one file a symbol.")


def _agreed(path: Path, told: str | None, by_name_of_file: str | None) -> str | None:
    """What the rows say, held against the file's name."""
    if told and by_name_of_file and told != by_name_of_file:
        refuse(
            path,
            f"the name says {by_name_of_file}, the rows say {told}",
            path.name,
            "Give the right one with --symbol.",
        )
    return told or by_name_of_file
