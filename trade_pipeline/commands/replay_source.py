"""Looks at the recording that `--replay` names before anything starts; playing it is the exchange's business."""

from __future__ import annotations

from pathlib import Path

from trade_pipeline.errors import ReplayFileError

SUFFIXES = (".feather", ".parquet", ".csv")


def check_replay(path: Path) -> None:
    """Raises ReplayFileError when there is nothing that could be played."""
    if not path.exists():
        raise ReplayFileError(
            "the recording does not exist", thing=str(path), repair="Name a folder or file of recorded bars."
        )
    files = [path] if path.is_file() else sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
    if not files:
        raise ReplayFileError(
            "the folder holds no recorded bars",
            thing=str(path),
            repair=f"Put files like BTC_USDT-5m.feather there ({', '.join(SUFFIXES)}).",
        )
    if path.is_file() and path.suffix not in SUFFIXES:
        raise ReplayFileError(
            "the file is of an unknown kind", thing=str(path), value=path.suffix, repair=f"Use {', '.join(SUFFIXES)}."
        )
    for file in files:
        if file.stat().st_size == 0:
            raise ReplayFileError("the file is empty", thing=str(file), repair="Record it again or remove it.")
