"""The token of the UI: what is derived from it, and whether a request carries it.

The token itself is kept in the home's secrets. A browser never holds it for long: it is exchanged for a cookie that
is derived from it, because browsers send a cookie to every port of a host, and so to other people's servers too.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from trade_pipeline.settings.tokens import derived

LOGIN = "/login"
"""The one path on which a token may stand in the address; it answers with the cookie and leads away at once."""

Headers = Mapping[str, Sequence[str]]


def login_url(address: str, token: str) -> str:
    """The address to open once in a browser."""
    return f"{address}{LOGIN}?token={token}"


@dataclass(frozen=True, slots=True)
class Doorkeeper:
    """Who may pass: `tokens` are all that open this door. Comparisons take the same time whatever is wrong."""

    tokens: tuple[str, ...] = field(repr=False)
    port: int

    @property
    def cookie_name(self) -> str:
        # Cookies know no ports: two stacks on one host must not overwrite each other's.
        return f"trade_pipeline_{self.port}"

    def admits(self, headers: Headers) -> bool:
        """Whether an Authorization header or the cookie is right."""
        shown = [value[7:].strip() for value in headers.get("authorization", []) if value[:7].lower() == "bearer "]
        if any(self.knows(value) for value in shown):
            return True
        cookies = [value for line in headers.get("cookie", []) for value in self._cookies(line)]
        return any(_equal(value, self._cookie_of(token)) for value in cookies for token in self.tokens)

    def knows(self, token: str) -> bool:
        return any(_equal(token, known) for known in self.tokens)

    def cookie(self, token: str) -> str:
        """The Set-Cookie header for who has shown `token`: no script can read it, no other site's page sends it."""
        return f"{self.cookie_name}={self._cookie_of(token)}; Path=/; HttpOnly; SameSite=Strict"

    def _cookie_of(self, token: str) -> str:
        return derived(token, f"cookie {self.port}")

    def _cookies(self, line: str) -> list[str]:
        try:
            found = SimpleCookie(line).get(self.cookie_name)
        except CookieError:
            return []
        return [found.value] if found else []


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
