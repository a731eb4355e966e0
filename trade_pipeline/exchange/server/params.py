"""Request parameters: read, typed, and refused with the exchange's own codes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TypeVar

from trade_pipeline.exchange.engine import rejections
from trade_pipeline.exchange.engine.rejections import Rejected

_CLIENT_ID = re.compile(r"^[\.A-Z\:/a-z0-9_-]{1,36}$")
_DECIMAL = re.compile(r"^[0-9]{1,20}(\.[0-9]{1,20})?$")

Choice = TypeVar("Choice", bound=StrEnum)


class Params:
    """The merged query string and form body of one request."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def text(self, name: str) -> str | None:
        value = self._values.get(name)
        if value == "":
            raise Rejected(-1105, f"Parameter '{name}' was empty.")
        return value

    def needed(self, name: str) -> str:
        value = self._values.get(name)
        if not value:
            raise rejections.missing(name)
        return value

    def integer(self, name: str) -> int | None:
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise rejections.illegal(name, "^[0-9]{1,20}$")
        return int(value)

    def decimal(self, name: str) -> Decimal | None:
        value = self.text(name)
        if value is None:
            return None
        if not _DECIMAL.match(value):
            raise rejections.illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$")
        try:
            return Decimal(value)
        except InvalidOperation as error:
            raise rejections.illegal(name, "^([0-9]{1,20})(\\.[0-9]{1,20})?$") from error

    def limit(self, default: int, largest: int) -> int:
        value = self.integer("limit")
        if value is None:
            return default
        if value < 1:
            raise rejections.illegal("limit", "^[1-9][0-9]*$")
        return min(value, largest)

    def client_id(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and not _CLIENT_ID.match(value):
            raise rejections.illegal(name, "^[\\.A-Z\\:/a-z0-9_-]{1,36}$")
        return value

    def choice(self, name: str, kind: type[Choice], refusal: Rejected) -> Choice:
        value = self.needed(name)
        try:
            return kind(value.lower() if kind.__name__ == "Side" else value)
        except ValueError as error:
            raise refusal from error
