"""Frames of many symbols, evaluated piece by piece: what a piece needs meanwhile stays small and close to the cores.

Belongs here: cutting ordered frames at symbols and putting the answers together. What is evaluated does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import polars as pl

ALONE_ROWS = 8_000
"""A symbol of as many rows is a block of its own: from there on a grouping costs more than it spreads."""
BLOCK_ROWS = 16_000
"""Rows at which a block of shorter symbols is full."""
THREADS_MAX = 4
"""Blocks evaluated at once, each of which needs memory of its own."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows of whole symbols; `single`: of one symbol only."""

    frame: pl.DataFrame
    single: bool


def strictly_ordered(frame: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether the rows stand in the order of `key`, no key twice and none null: to see it is cheaper than to sort."""
    rises = pl.repeat(False, max(frame.height - 1, 0), eager=True)
    for name in reversed(key):
        column = frame.get_column(name).rechunk()
        before, this = column.head(max(frame.height - 1, 0)), column.slice(1)
        rises = (before < this) | ((before == this) & rises)
    return bool(key) and bool(rises.fill_null(False).all())


def in_order(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """The frame sorted by `key`, which nearly all are already: a copy less."""
    return frame if strictly_ordered(frame, key) else frame.sort(key)


def starts_of(symbol: pl.Series) -> pl.Series:
    """Whether the row above is of another symbol, or none."""
    return (symbol != symbol.shift(1)).fill_null(True)


def blocks_of(frame: pl.DataFrame) -> list[Block]:
    """A frame that is sorted by symbol, cut at symbols; one empty block if it has no rows. Nothing is copied."""
    if frame.is_empty():
        return [Block(frame, single=True)]
    symbol = frame.get_column("symbol")
    starts = starts_of(symbol).arg_true().to_list()
    blocks: list[Block] = []
    begin, symbols = 0, 0
    for start, end in zip(starts, [*starts[1:], frame.height], strict=True):
        if symbols and end - start >= ALONE_ROWS:
            blocks.append(Block(frame.slice(begin, start - begin), symbols == 1))
            begin, symbols = start, 0
        symbols += 1
        if end - begin >= (ALONE_ROWS if symbols == 1 else BLOCK_ROWS) or end == frame.height:
            blocks.append(Block(frame.slice(begin, end - begin), symbols == 1))
            begin, symbols = end, 0
    return blocks


def in_blocks(frame: pl.DataFrame, evaluate: Callable[[Block], pl.DataFrame]) -> pl.DataFrame:
    """The answers of all blocks in the blocks' order; several are evaluated at once. `frame` is sorted by symbol."""
    blocks = blocks_of(frame)
    threads = min(pl.thread_pool_size(), len(blocks), THREADS_MAX)
    if threads == 1:
        return pl.concat([evaluate(block) for block in blocks])
    with ThreadPoolExecutor(threads, thread_name_prefix="symbol-blocks") as pool:
        return pl.concat(list(pool.map(evaluate, blocks)))
