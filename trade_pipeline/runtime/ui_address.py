"""Where the UIs of a stack are, and the addresses that let a browser in."""

from __future__ import annotations

from trade_pipeline.runtime.ui_token import login_url
from trade_pipeline.settings.root import Settings
from trade_pipeline.settings.tokens import reader_token


def ui_url(settings: Settings) -> str:
    """Without a token: what may be written down."""
    return f"http://127.0.0.1:{settings.runtime.ui_port}"


def reading_url(settings: Settings) -> str | None:
    """The read-only twin's address, without a token; None where there is none."""
    port = settings.runtime.ui_read_only_port
    return None if port is None else f"http://127.0.0.1:{port}"


def to_open(settings: Settings, token: str) -> tuple[str, str | None]:
    """What to open in a browser, for the UI and its read-only twin: with the token where one is asked for. Secret."""
    address, reading = ui_url(settings), reading_url(settings)
    if not settings.token_required or not token:
        return address, reading
    return login_url(address, token), login_url(reading, reader_token(token)) if reading else None
