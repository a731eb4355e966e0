"""Blocks hold whole symbols, and what is evaluated in them is what is evaluated at once."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pytest

from trade_pipeline.symbol_blocks import ALONE_ROWS, BLOCK_ROWS, Block, blocks_of, in_blocks, in_order


def frame_of(lengths: Sequence[int]) -> pl.DataFrame:
    parts = [
        pl.DataFrame({"symbol": [f"S{number:03}"] * length, "value": range(length)})
        for number, length in enumerate(lengths)
    ]
    return pl.concat([pl.DataFrame(schema={"symbol": pl.String, "value": pl.Int64}), *parts])


@pytest.mark.parametrize(
    ("lengths", "symbols_by_block"),
    [
        ([], [0]),
        ([3], [1]),
        ([3, 2, 4], [3]),
        ([ALONE_ROWS, ALONE_ROWS], [1, 1]),
        ([5, ALONE_ROWS + 1, 5, 6], [1, 1, 2]),
        ([BLOCK_ROWS // 8] * 9, [8, 1]),
    ],
)
def test_long_symbols_stand_alone_and_short_ones_share_a_block(lengths: list[int], symbols_by_block: list[int]) -> None:
    frame = frame_of(lengths)
    blocks = blocks_of(frame)
    assert [block.frame.get_column("symbol").n_unique() for block in blocks] == symbols_by_block
    assert [block.single for block in blocks] == [count <= 1 for count in symbols_by_block]
    assert pl.concat([block.frame for block in blocks]).equals(frame)


def test_answers_stand_in_the_order_of_the_blocks() -> None:
    frame = frame_of([ALONE_ROWS, 3, ALONE_ROWS, 2, 2])

    def last(block: Block) -> pl.DataFrame:
        return block.frame.group_by("symbol", maintain_order=True).last()

    assert in_blocks(frame, last).get_column("symbol").to_list() == [f"S{number:03}" for number in range(5)]


def test_what_stands_in_order_is_not_copied_and_what_does_not_is_sorted() -> None:
    frame = frame_of([3, 2])
    assert in_order(frame, ("symbol", "value")) is frame
    assert in_order(frame.reverse(), ("symbol", "value")).equals(frame)
