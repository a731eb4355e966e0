"""One sender per account at a time, by the database's clock: no process's own clock decides who may send."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, exists, extract, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert as upsert

from trade_pipeline.errors import LeaseHeld, LeaseLost
from trade_pipeline.ledger.base import LedgerPart
from trade_pipeline.ledger.records import Lease
from trade_pipeline.ledger.tables import leases, orders
from trade_pipeline.schemas.trading import OrderState

EXIT_WAIT_S = 3.0
"""How long an exit that found the lease held keeps others from taking it next."""
HELD_S = 2.0
"""How long a holder is left alone before an exit may take its lease."""


def _seconds(seconds: float) -> ColumnElement[object]:
    return func.make_interval(0, 0, 0, 0, 0, 0, seconds)


class LeaseBook(LedgerPart):
    def acquire_lease(
        self, account: str, holder: str, ttl_s: float, for_exit: bool = False, settled_s: float | None = None
    ) -> Lease:
        """Take the account's lease for `ttl_s` seconds if it is free, expired or ours; the token grows forever.

        LeaseHeld otherwise. An exit that finds it held asks for it: the holder sees that in `exit_is_waiting`, and
        for EXIT_WAIT_S nobody but an exit gets it next. With `settled_s` an exit also takes the lease of one who has
        held it for HELD_S and has no request on its way: none without an answer was committed as SENT within
        `settled_s`, and what the old token would still commit is refused. A run that died must not keep a position
        without its stop until its lease ends.
        """
        now = self._clock()
        free = or_(leases.c.expires_at <= now, leases.c.holder == holder)
        if not for_exit:
            free &= func.coalesce(leases.c.exit_wanted_until <= now, True)
        first = {"account": account, "holder": holder, "token": 1, "expires_at": now + _seconds(ttl_s)}
        following: dict[str, Any] = {"holder": holder, "token": leases.c.token + 1, "expires_at": now + _seconds(ttl_s)}
        if for_exit:
            following["exit_wanted_until"] = None
        statement = (
            upsert(leases)
            .values(first)
            .on_conflict_do_update(index_elements=[leases.c.account], set_=following, where=free)
            .returning(leases.c.token, leases.c.expires_at)
        )
        with self._database.transaction() as connection:
            row = connection.execute(statement).one_or_none()
            if row is None and settled_s is not None:
                # The refused upsert has locked the row: nothing more is committed as SENT meanwhile.
                idle = leases.c.expires_at <= now + _seconds(ttl_s - HELD_S), ~_on_its_way(account, now, settled_s)
                taken = update(leases).where(leases.c.account == account, *idle).values(following)
                row = connection.execute(taken.returning(leases.c.token, leases.c.expires_at)).one_or_none()
            if row is None and for_exit:
                _want(connection, account, now)
            if row is None:
                held = connection.execute(select(leases).where(leases.c.account == account)).one()
        if row is None:
            raise LeaseHeld(
                f"{held.holder} holds the lease until {held.expires_at:%H:%M:%S.%f}, or an exit asked for it first",
                thing=f"account {account}",
                value=holder,
                repair="Try again at the next bar; if the holder died, its lease ends by itself.",
            )
        return Lease(account, holder, row.token, row.expires_at)

    def lease_holder(self, account: str) -> str | None:
        """Who holds the account's lease now; None when nobody does. Reads only."""
        query = select(leases.c.holder).where(leases.c.account == account, leases.c.expires_at > self._clock())
        with self._database.reading() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
        return found

    def release_lease(self, lease: Lease) -> None:
        """Give it back. A lease that somebody else has meanwhile is left alone."""
        statement = (
            update(leases)
            .where(leases.c.account == lease.account, leases.c.token == lease.token)
            .values(expires_at=self._clock())
        )
        with self._database.transaction() as connection:
            connection.execute(statement)

    def exit_is_waiting(self, lease: Lease) -> bool:
        """Whether an exit wants the lease now, or has already taken it: the holder should stop and release."""
        wanted = func.coalesce(leases.c.exit_wanted_until > self._clock(), False)
        query = select(or_(leases.c.token != lease.token, wanted)).where(leases.c.account == lease.account)
        with self._database.reading() as connection:
            return bool(connection.execute(query).scalar_one_or_none())


def _on_its_way(account: str, now: ColumnElement[datetime], settled_s: float) -> ColumnElement[bool]:
    """Whether an order may still be between its commit as SENT and its arrival at the exchange."""
    unanswered = orders.c.state.in_([str(OrderState.SENT), str(OrderState.UNKNOWN)])
    return exists().where(orders.c.account == account, unanswered, orders.c.sent_at > now - _seconds(settled_s))


def _want(connection: Connection, account: str, now: ColumnElement[datetime]) -> None:
    connection.execute(
        update(leases).where(leases.c.account == account).values(exit_wanted_until=now + _seconds(EXIT_WAIT_S))
    )


def check_lease(connection: Connection, lease: Lease, margin_s: float, now: ColumnElement[datetime]) -> None:
    """LeaseLost unless the token is the newest and more than `margin_s` remains.

    The row stays locked until the caller's transaction ends, so nobody takes the lease between check and commit.
    """
    row = connection.execute(
        select(leases.c.token, extract("epoch", leases.c.expires_at - now).label("left_s"))
        .where(leases.c.account == lease.account)
        .with_for_update()
    ).one_or_none()
    if row is None or row.token != lease.token:
        raise LeaseLost(
            "another holder has taken the lease",
            thing=f"account {lease.account}",
            value=lease.token,
            repair="Send nothing; take the lease again and plan anew.",
        )
    if row.left_s <= margin_s:
        raise LeaseLost(
            f"only {row.left_s:.1f} s of the lease remain and {margin_s:g} s are needed",
            thing=f"account {lease.account}",
            value=lease.token,
            repair="Send nothing; take the lease again and plan anew.",
        )
