"""Deterministic ids: the same reason to trade has the same id, on every attempt and after every restart."""

from __future__ import annotations

import hashlib

from trade_pipeline.schemas.trading import Role

CLIENT_ORDER_ID_CHARACTERS = 32
PREFIX_CHARACTERS = 4


def intent_id(account: str, cause: str, symbol: str, role: Role, step: int = 0) -> str:
    """32 hexadecimal characters for what is wanted; `cause` is a decision's id or the guard's reason."""
    return _digest(f"{account}|{cause}|{symbol}|{role}|{step}", CLIENT_ORDER_ID_CHARACTERS)


def client_order_id(prefix: str, account: str, intent: str, attempt: int) -> str:
    """RELIABILITY rule 1: the installation's prefix, then a hash of account, intent and attempt."""
    return prefix + _digest(f"{account}|{intent}|{attempt}", CLIENT_ORDER_ID_CHARACTERS - PREFIX_CHARACTERS)


def is_ours(client_id: str, prefix: str) -> bool:
    """Whether an order on the exchange was made by this installation."""
    return len(client_id) == CLIENT_ORDER_ID_CHARACTERS and client_id.startswith(prefix)


def _digest(text: str, characters: int) -> str:
    return hashlib.blake2b(text.encode(), digest_size=32).hexdigest()[:characters]
