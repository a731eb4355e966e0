"""A driver's connection that asks the server less often for the same statements in the same order.

What answers nothing (BEGIN, a lock, an insert without RETURNING) waits and travels in front of the next statement that
does, or of the COMMIT; what is asked again and again is planned once. Nothing is left out and nothing is reordered: a
statement that waits and is refused raises from the statement or the COMMIT with which it travels, in the same
transaction, and a death before the commit takes it along as it takes everything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg2
from psycopg2 import extensions

PREPARED_FROM = 3
"""How often a statement is sent before it is worth a plan of its own."""
_NAME = re.compile(r"%\((\w+)\)s")
_WITHOUT_ANSWER = ("INSERT ", "UPDATE ", "DELETE ", "SELECT pg_advisory_xact_lock(")


class Statement:
    """What is known of one text: how often it was sent, whether it answers, and its plan on the server."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.uses = 0
        self.answers = not text.startswith(_WITHOUT_ANSWER) or "RETURNING" in text
        self.names = list(dict.fromkeys(_NAME.findall(text)))
        self.call: str | None = None

    def prepare(self, cursor: extensions.cursor, number: int, example: Mapping[str, object]) -> None:
        """Give it a plan. The types of what is passed are told where the server might guess others."""
        if not self.text.startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH")):
            return
        places = {name: f"${place}" for place, name in enumerate(self.names, 1)}
        body = _NAME.sub(lambda found: places[found[1]], self.text).replace("%%", "%")
        types = ", ".join(_type_of(example[name]) for name in self.names)
        try:
            extensions.cursor.execute(cursor, f"PREPARE thrift_{number}{f'({types})' if types else ''} AS {body}")
        except psycopg2.Error:
            return  # Sent as it is from then on.
        values = ", ".join(f"%({name})s" for name in self.names)
        self.call = f"EXECUTE thrift_{number}{f'({values})' if values else ''}"


def _type_of(value: object) -> str:
    if isinstance(value, datetime):
        return "timestamptz"
    return "numeric" if isinstance(value, Decimal) else "unknown"


class ThriftyCursor(extensions.cursor):  # type: ignore[misc]  # the driver has no types
    """Sends what answers, together with what waits before it."""

    connection: ThriftyConnection

    def execute(self, query: Any, vars: Any = None) -> None:
        """As the driver's own; a statement that answers nothing returns at once."""
        text = query.decode() if isinstance(query, bytes) else query
        statement = self.connection.statement(text, vars)
        sent = self.mogrify(statement.call or text, vars)
        if not statement.answers:
            self.connection.waiting.append(sent)
            return
        super().execute(b";".join([*self.connection.taken(), sent]))

    def executemany(self, query: Any, vars_list: Any) -> None:
        """One after the other, as the driver's own does."""
        for each in vars_list:
            self.execute(query, each)


class ThriftyConnection(extensions.connection):  # type: ignore[misc]  # the driver has no types
    """One that writes: transactions are begun and ended here, not by the driver."""

    transactional = True

    def __init__(self, dsn: str, *arguments: Any, **named: Any) -> None:
        super().__init__(dsn, *arguments, **named)
        self.autocommit = True
        self.waiting: list[bytes] = []
        self._begun = False
        self._statements: dict[str, Statement] = {}
        self._wanted: list[tuple[Statement, Mapping[str, object]]] = []
        self._plans = 0

    def cursor(self, *arguments: Any, **named: Any) -> Any:
        named.setdefault("cursor_factory", ThriftyCursor)
        return super().cursor(*arguments, **named)

    def statement(self, text: str, values: Any) -> Statement:
        """What is known of this text; one that is sent often is given a plan between two transactions."""
        found = self._statements.get(text)
        if found is None:
            found = self._statements[text] = Statement(text)
        found.uses += 1
        if found.uses == PREPARED_FROM and (values is None or isinstance(values, Mapping)):
            self._wanted.append((found, values or {}))
            self._prepare()
        return found

    def taken(self) -> list[bytes]:
        """What has waited, with the BEGIN of its transaction."""
        begin = [b"BEGIN"] if self.transactional and not self._begun else []
        self._begun = self.transactional
        waiting, self.waiting = self.waiting, []
        return begin + waiting

    def commit(self) -> None:
        if self._begun or self.waiting:
            self._end(b";".join([*self.taken(), b"COMMIT"]))

    def rollback(self) -> None:
        self.waiting.clear()
        if self._begun:
            self._end(b"ROLLBACK")

    def _end(self, text: bytes) -> None:
        self._begun = False
        with super().cursor() as cursor:
            try:
                cursor.execute(text)
            except psycopg2.Error:
                cursor.execute(b"ROLLBACK")
                raise
        self._prepare()

    def _prepare(self) -> None:
        # Within a transaction a text that cannot be prepared would end it.
        if self._wanted and not self._begun and not self.waiting:
            with super().cursor() as cursor:
                for statement, example in self._wanted:
                    self._plans += 1
                    statement.prepare(cursor, self._plans, example)
            self._wanted.clear()


class AskingConnection(ThriftyConnection):
    """One that only reads: each statement is a transaction of its own, and none waits."""

    transactional = False
