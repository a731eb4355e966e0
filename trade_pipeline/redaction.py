"""Takes secrets out of texts by their values, in every form in which they may appear. Knows nothing of the product.

One redactor per process, set by `settings.protect`. What is matched is the value itself, so that no format of a
message, address or header can be forgotten. A secret shorter than SECRET_LENGTH_MIN would mangle every text: it is
left alone.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

SECRET_LENGTH_MIN = 6
SHOWN = "***"


def forms_of(secret: str) -> set[str]:
    """The value, and what encodings make of it: URL, JSON and repr escapes, hexadecimal, base64 at any position."""
    raw = secret.encode()
    found = {secret, quote(secret, safe=""), quote(secret), quote_plus(secret), json.dumps(secret)[1:-1]}
    found |= {repr(secret)[1:-1], raw.hex(), quote(secret, safe="").lower()}
    for ahead in range(3):
        # Within base64 a value reads differently by how many bytes stand before it; the edges depend on neighbours.
        text = base64.b64encode(b"\0" * ahead + raw).decode().rstrip("=")
        inner = text[(ahead * 8 + 5) // 6 : (ahead + len(raw)) * 8 // 6]
        found |= {inner, inner.replace("+", "-").replace("/", "_")}
    found |= {base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()}
    return {form for form in found if len(form) >= SECRET_LENGTH_MIN}


class Redactor:
    """Replaces every form of the given secrets. Without secrets it changes nothing."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self.secrets = frozenset(secrets)
        forms = {form for secret in self.secrets if len(secret) >= SECRET_LENGTH_MIN for form in forms_of(secret)}
        # The longest first: a form may be part of another.
        self._forms = sorted(forms, key=len, reverse=True)
        self._bytes = [form.encode() for form in self._forms]
        self._shortest = min(map(len, self._forms), default=0)

    def __repr__(self) -> str:
        return f"Redactor({len(self._forms)} forms)"

    def text(self, text: str) -> str:
        if len(text) < self._shortest:  # most of what goes to the database
            return text
        for form in self._forms:
            if form in text:
                text = text.replace(form, SHOWN)
        return text

    def same_length(self, body: bytes) -> bytes:
        """The same number of bytes, asterisks for secrets: for bodies whose length was announced."""
        for form in self._bytes:
            if form in body:
                body = body.replace(form, b"*" * len(form))
        return body

    def value(self, value: object) -> object:
        """Strings and bytes within lists, tuples and mappings too; the very same object where nothing was found."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, bytes):
            cleaned = self.same_length(value)
            return value if cleaned == value else cleaned
        if isinstance(value, Mapping):
            pairs = {key: self.value(item) for key, item in value.items()}
            return value if all(pairs[key] is item for key, item in value.items()) else pairs
        if isinstance(value, list | tuple):
            items = [self.value(item) for item in value]
            if all(new is old for new, old in zip(items, value, strict=True)):
                return value
            return items if isinstance(value, list) else tuple(items)
        return value


_current = Redactor()


def use(redactor: Redactor) -> None:
    """From now on this process redacts with it."""
    global _current  # noqa: PLW0603  (one per process, like its standard streams)
    _current = redactor


def current() -> Redactor:
    return _current


def redacted(text: str) -> str:
    """`text` without the secrets of this process."""
    return _current.text(text)
