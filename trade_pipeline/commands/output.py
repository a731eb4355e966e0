"""Prints to the terminal without letting rich change what is printed."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

PIPED_WIDTH = 200
WHOLE_WIDTH = 2000
"""For tables that are as wide as what is in them."""


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def hint(text: str) -> None:
    """A remark for the person, kept out of what a pipe reads."""
    sys.stderr.write(text + "\n")


def console(piped_width: int = PIPED_WIDTH) -> Console:
    """As wide as the terminal or COLUMNS say; in a pipe, where rich takes 80, nothing may be cut."""
    from rich.console import Console

    named = os.environ.get("COLUMNS", "").isdigit()
    return Console(width=None if named or sys.stdout.isatty() else piped_width)
