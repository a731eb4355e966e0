"""What is derived from the UI's token: values that open less than it, or for less long."""

from __future__ import annotations

import hmac
from hashlib import sha256


def derived(token: str, purpose: str) -> str:
    """64 hex characters from which the token cannot be found."""
    return hmac.new(token.encode(), purpose.encode(), sha256).hexdigest()


def reader_token(token: str) -> str:
    """What opens the read-only twin and nothing else: it can be given to people who may only look."""
    return derived(token, "read-only")
