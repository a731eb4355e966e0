"""Prints to the terminal without letting rich change what is printed."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def hint(text: str) -> None:
    """A remark for the person, kept out of what a pipe reads."""
    sys.stderr.write(text + "\n")
