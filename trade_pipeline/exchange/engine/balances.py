"""Free and locked amounts by asset: exact, never negative."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from trade_pipeline.exchange.engine.orders import ZERO


class Balances:
    """Every change goes through here and is refused before it could make an amount negative."""

    def __init__(self, opening: Mapping[str, Decimal]) -> None:
        self._free: dict[str, Decimal] = dict(opening)
        self._locked: dict[str, Decimal] = {}
        self.changed: set[str] = set(opening)

    def free(self, asset: str) -> Decimal:
        return self._free.get(asset, ZERO)

    def locked(self, asset: str) -> Decimal:
        return self._locked.get(asset, ZERO)

    def assets(self) -> list[str]:
        return sorted(self._free.keys() | self._locked.keys())

    def restore(self, asset: str, free: Decimal, locked: Decimal) -> None:
        self._free[asset] = free
        self._locked[asset] = locked

    def add(self, asset: str, amount: Decimal) -> None:
        """Credit (or, with a negative amount, debit) the free balance."""
        after = self.free(asset) + amount
        assert after >= 0, f"{asset} would become {after}"
        self._free[asset] = after
        self.changed.add(asset)

    def lock(self, asset: str, amount: Decimal) -> None:
        """Move from free to locked (a negative amount moves back)."""
        free, locked = self.free(asset) - amount, self.locked(asset) + amount
        assert free >= 0, f"{asset}: free would become {free}"
        assert locked >= 0, f"{asset}: locked would become {locked}"
        self._free[asset], self._locked[asset] = free, locked
        self.changed.add(asset)
