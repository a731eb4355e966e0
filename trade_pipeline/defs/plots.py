"""Pictures for the UI, as Markdown with the image inside. matplotlib is imported when something is drawn."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from datetime import datetime

import dagster as dg


def line_plot(title: str, unit: str, times: Sequence[datetime], lines: dict[str, Sequence[float]]) -> dg.MetadataValue:
    """Lines over time."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="tight")
    axes = figure.subplots()
    for name, values in lines.items():
        axes.plot(times, values, label=name, linewidth=1.2)  # type: ignore[arg-type]  # times are fine here
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.grid(alpha=0.3)
    if lines:
        axes.legend(loc="best", fontsize=8)
    return _as_markdown(title, figure)


def bar_plot(title: str, unit: str, names: Sequence[str], values: Sequence[float]) -> dg.MetadataValue:
    """A bar for each name, green above 0."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3.2), layout="tight")
    axes = figure.subplots()
    axes.bar(list(names), list(values), color=["tab:green" if value >= 0 else "tab:red" for value in values])
    axes.set_title(title)
    axes.set_ylabel(unit)
    axes.tick_params(axis="x", labelrotation=60, labelsize=7)
    axes.grid(alpha=0.3, axis="y")
    return _as_markdown(title, figure)


def _as_markdown(title: str, figure: object) -> dg.MetadataValue:
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=80)  # type: ignore[attr-defined]  # a matplotlib Figure
    text = base64.b64encode(picture.getvalue()).decode()
    return dg.MetadataValue.md(f"![{title}](data:image/png;base64,{text})")
