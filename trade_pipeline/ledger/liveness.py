"""Whether a pooled connection still lives, without asking the server.

A server that closes a connection says so: its last words and the end of the stream wait in our socket, while nothing
waits in the socket of one that is well. To look there costs a system call; the question `SELECT 1` before each use
costs as much as many a statement. What is found dead is replaced. A server that vanished with its machine looks alive,
as it would let the question wait: the timeouts of the statement end both.
"""

from __future__ import annotations

import select
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError


def look_before_use(engine: Engine) -> None:
    """Each connection that the pool hands out has been looked at; a dead one makes place for a new one."""

    @event.listens_for(engine, "checkout")
    def look(connection: Any, _record: object, _proxy: object) -> None:
        if is_closed(connection):
            raise DisconnectionError("the server has closed the connection")


def is_closed(connection: Any) -> bool:
    """Of an idle psycopg2 connection: whether it is closed, or the server has said what nobody asked for."""
    if connection.closed:
        return True
    looker = select.poll()
    looker.register(connection.fileno(), select.POLLIN)
    return bool(looker.poll(0))
