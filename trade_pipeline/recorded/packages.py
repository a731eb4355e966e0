"""Takes the content out of gzip and zip, and tells by names and first bytes what kind of file it is."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trade_pipeline.recorded.values import refuse

BYTES_MAX = 2_000_000_000
"""A larger file is refused: it would not fit into memory next to its bars."""
KINDS: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv", ".txt", ".tsv"),
    "json": (".json", ".jsonl", ".ndjson"),
    "parquet": (".parquet",),
    "arrow": (".feather", ".arrow", ".ipc"),
}
_PACKED = (".gz", ".zip")
_GZIP, _ZIP = b"\x1f\x8b", b"PK\x03\x04"
_GIVE = "Give feather, parquet, csv or json, also gzipped or zipped."


@dataclass(frozen=True, slots=True)
class Package:
    """`name` of the table inside, its `kind` (a key of KINDS), and its bytes; None where they need no unpacking."""

    name: str
    kind: str
    content: bytes | None


def unpacked(path: Path) -> Package:
    """Raises ReplayFileError for a file that is absent, empty, too large or of no known kind, and for an archive of
    several tables."""
    if not path.is_file():
        refuse(path, "there is no such file", None, "Name an existing one.")
    size = path.stat().st_size
    if not size:
        refuse(path, "the file is empty", None, "Copy it again.")
    _check_size(path, size)
    name = path.name.lower().removesuffix(".gz").removesuffix(".zip")
    kind = _kind(name)
    if kind is None and not path.name.lower().endswith(_PACKED):
        refuse(path, "the file is of no known kind", path.suffix, _GIVE)
    with path.open("rb") as file:
        begins = file.read(len(_ZIP))
    if begins == _ZIP:
        return _from_zip(path)
    if begins.startswith(_GZIP):
        with gzip.open(path) as packed:
            content = packed.read(BYTES_MAX + 1)
        _check_size(path, len(content))
        return Package(name, kind or refuse(path, "what is packed is of no known kind", name, _GIVE), content)
    return Package(name, kind or refuse(path, "the file is no archive", path.suffix, "Copy it again."), None)


def _from_zip(path: Path) -> Package:
    with zipfile.ZipFile(path) as archive:
        files = [
            member
            for member in archive.infolist()
            if not member.is_dir() and not member.filename.startswith("__MACOSX")
        ]
        known = [member for member in files if _kind(member.filename.lower())]
        if len(known) != 1:
            names = [member.filename for member in files]
            refuse(path, "the archive does not hold one table", names[:5], "Unpack it and give the files one by one.")
        (member,) = known
        _check_size(path, member.file_size)
        content = archive.read(member)
    name = Path(member.filename).name
    if content.startswith(_GZIP):
        content = gzip.GzipFile(fileobj=io.BytesIO(content)).read(BYTES_MAX + 1)
        _check_size(path, len(content))
    return Package(name, _kind(name.lower()) or "csv", content)


def _kind(name: str) -> str | None:
    bare = name.removesuffix(".gz")
    return next((kind for kind, suffixes in KINDS.items() if bare.endswith(suffixes)), None)


def _check_size(path: Path, size: int) -> None:
    if size > BYTES_MAX:
        refuse(path, "the file is too large", size, f"Split it into parts of at most {BYTES_MAX} bytes.")
