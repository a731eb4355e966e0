"""The one hash of a frame: equal rows give equal text, whatever order, chunks or file they came in.

Belongs here: turning a frame into bytes. Which frames are hashed, and what is done with the answer, does not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import polars as pl

from trade_pipeline.symbol_blocks import strictly_ordered

FORMAT_VERSION = b"content-hash-1"
"""In front of every hash: a change of the byte layout below must change every hash at once."""


def content_hash(frame: pl.DataFrame, key: Sequence[str]) -> str:
    """32 hex characters over the rows of `frame`, independent of the order of rows and columns.

    Rows are sorted by `key` (by every column where the key is not unique), columns by name; per column name,
    type, length, null mask and values go into blake2b. -0.0 equals 0.0 and every NaN equals every other.
    """
    ordered = _ordered(frame, key)
    digest = hashlib.blake2b(FORMAT_VERSION, digest_size=16)
    digest.update(f"{frame.height}|{frame.width}".encode())
    for name in sorted(ordered.columns):
        _feed(digest, ordered.get_column(name).rechunk())  # column by column: a second frame would be in the way
    return digest.hexdigest()


def _ordered(frame: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows in the one order that their content determines."""
    if strictly_ordered(frame, key):
        return frame
    sort_by = list(key)
    if not sort_by or frame.select(pl.struct(sort_by).is_duplicated().any()).item():
        sort_by += [name for name in sorted(frame.columns) if name not in key]
    if frame.height > 1 and sort_by:
        frame = frame.sort(sort_by, maintain_order=True)
    return frame


def _feed(digest: hashlib.blake2b, column: pl.Series) -> None:
    nulls = column.is_null()
    digest.update(f"|{column.name}|{column.dtype}|{len(column)}|{int(nulls.sum())}|".encode())
    if nulls.any():
        digest.update(_buffer(nulls.cast(pl.UInt8)))
    if column.dtype.is_float() and (nans := column.is_nan().fill_null(False)).any():
        digest.update(b"nan")
        digest.update(_buffer(nans.cast(pl.UInt8)))
        column = column.fill_nan(0.0)
    if column.dtype == pl.String:
        _feed_text(digest, column.fill_null(""))
        return
    digest.update(_buffer(_plain(column)))


def _plain(column: pl.Series) -> pl.Series:
    """Values of a fixed width whose bytes follow from their meaning, with nothing left where a null stands."""
    if column.dtype.is_float():
        values = column.fill_null(0.0)
        # -0.0 equals 0.0, so that this writes 0.0 over both. Adding 0.0 would do nothing: polars leaves it out.
        return values.zip_with(values != 0.0, pl.Series([0.0], dtype=values.dtype))
    if column.dtype.is_decimal():
        return column.fill_null(0)
    if column.dtype == pl.Boolean:
        return column.cast(pl.UInt8).fill_null(0)
    if column.dtype.is_temporal() or column.dtype.is_integer():
        return column.to_physical().fill_null(0)
    raise TypeError(f"column {column.name}: {column.dtype} has no content hash; store a plain type")


def _feed_text(digest: hashlib.blake2b, column: pl.Series) -> None:
    """Texts as a dictionary in order of first appearance, and codes into it: one symbol is hashed once."""
    words = column.unique(maintain_order=True)
    encoded = [word.encode() for word in words]
    digest.update(b"".join(len(word).to_bytes(8, "little") + word for word in encoded))
    digest.update(_buffer(column.cast(pl.Enum(words)).to_physical().cast(pl.Int32)))


def _buffer(column: pl.Series) -> memoryview:
    """The value bytes of a null-free column of fixed width, which stay where they are but for decimals."""
    if not len(column):
        return memoryview(b"")
    if column.dtype.is_decimal():  # a number of 16 bytes; numpy has none
        numbers = column.to_physical().to_list()
        return memoryview(b"".join(number.to_bytes(16, "little", signed=True) for number in numbers))
    return memoryview(column.rechunk().to_numpy(allow_copy=False).data).cast("B")
