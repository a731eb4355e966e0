"""The first page of the Data Docs: every audited day and table, and whether its expectations were met.

Great Expectations' own index needs scripts from the internet to show anything. This one is plain HTML, as the pages
that it leads to are once they are read without scripts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape
from pathlib import Path

RESULTS = Path("gx") / "uncommitted" / "validations"
_HEAD = (
    "<!doctype html><meta charset='utf-8'><title>Audit of the lake</title>"
    "<style>body{font:15px sans-serif;margin:2em}td,th{padding:.3em 1em;text-align:left}"
    ".no{color:#b00020}.yes{color:#1b6e3c}</style><h1>Audit of the lake</h1>"
    "<table><tr><th>day<th>table<th>expectations<th>not met</tr>"
)


@dataclass(frozen=True, slots=True)
class Page:
    """One validation of one table; `path` is relative to the folder of the pages."""

    day: str
    table: str
    path: str
    expectations: int
    not_met: int


def write_index(folder: Path, site: str) -> Path:
    """Write `folder`/`site`/index.html over what is there, newest day first."""
    rows = "".join(_row(page) for page in sorted(_pages(folder), key=lambda page: (page.day, page.path), reverse=True))
    index = folder / site / "index.html"
    index.write_text(f"{_HEAD}{rows}</table>\n", encoding="utf-8")
    return index


def _pages(folder: Path) -> list[Page]:
    found = []
    for file in sorted((folder / RESULTS).rglob("*.json")):
        result = json.loads(file.read_text(encoding="utf-8"))
        table, day, *_ = file.relative_to(folder / RESULTS).parts
        path = Path("validations") / file.relative_to(folder / RESULTS).with_suffix(".html")
        counts = result["statistics"]
        found.append(
            Page(day, table, path.as_posix(), counts["evaluated_expectations"], counts["unsuccessful_expectations"])
        )
    return found


def _row(page: Page) -> str:
    word = "no" if page.not_met else "yes"
    return (
        f"<tr><td>{escape(page.day)}<td><a href='{escape(page.path)}'>{escape(page.table)}</a>"
        f"<td>{page.expectations}<td class='{word}'>{page.not_met}</tr>"
    )
