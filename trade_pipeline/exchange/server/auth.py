"""Keys, signatures and timestamps of signed requests (HMAC SHA256 over the parameters as sent)."""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.rejections import Rejected

_KEY_FORMAT = re.compile(r"^[A-Za-z0-9_-]{8,128}$")
_SIGNATURE = re.compile(r"(^|&)signature=([^&]*)")
_RECV_WINDOW_MAX_MS = 60_000
_AHEAD_MAX_MS = 1000


@dataclass(frozen=True, slots=True)
class Credentials:
    """The one key that this exchange knows."""

    key: str
    secret: str = field(repr=False)

    def check_key(self, sent: str | None) -> None:
        """Raise Rejected unless the header carries our key."""
        if not sent or not _KEY_FORMAT.match(sent):
            raise Rejected(-2014, "API-key format invalid.", status=401)
        if not hmac.compare_digest(sent, self.key):
            raise Rejected(-2015, "Invalid API-key, IP, or permissions for action.", status=401)

    def check_signature(self, query: str, body: str) -> None:
        """Raise Rejected unless `signature` signs query string and body, joined without a character between."""
        found = _SIGNATURE.search(query) or _SIGNATURE.search(body)
        if found is None:
            raise rejections.missing("signature")
        payload = _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)
        expected = hmac.new(self.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        if not hmac.compare_digest(expected, found.group(2).lower()):
            raise Rejected(-1022, "Signature for this request is not valid.")

    def check_token(self, sent: str | None) -> bool:
        """Whether the admin header carries the secret."""
        return sent is not None and hmac.compare_digest(sent, self.secret)


def check_timestamp(timestamp: int | None, recv_window: int | None, now_ms: int) -> None:
    """Raise Rejected -1021 outside the window: at most 1 s ahead, at most recvWindow behind."""
    if timestamp is None:
        raise rejections.missing("timestamp")
    window = 5000 if recv_window is None else recv_window
    if not 0 <= window <= _RECV_WINDOW_MAX_MS:
        raise Rejected(-1131, "recvWindow must be less than 60000")
    if timestamp >= now_ms + _AHEAD_MAX_MS:
        raise Rejected(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now_ms - timestamp > window:
        raise Rejected(-1021, "Timestamp for this request is outside of the recvWindow.")


def merged(query: str, body: str) -> dict[str, str]:
    """Parameters by name; a parameter sent twice in one place is refused, the query string wins over the body."""
    values: dict[str, str] = {}
    for text in (query, body):
        pairs = parse_qsl(text, keep_blank_values=True)
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise Rejected(-1101, "Duplicate values for a parameter detected.")
        for name, value in pairs:
            values.setdefault(name, value)
    return values
