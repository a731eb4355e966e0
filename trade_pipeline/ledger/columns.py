"""Of what the ledger's tables are made: one schema, and the few kinds of columns that there are."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, MetaData, Numeric, Text
from sqlalchemy.dialects.postgresql import JSONB

SCHEMA = "ledger"
"""Dagster keeps its tables in `public` of the same database. No schema may have the name of the role that connects:
PostgreSQL would put tables that name no schema, Dagster's, into it."""

metadata = MetaData(
    schema=SCHEMA,
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    },
)


def key(name: str = "id") -> Column[int]:
    return Column(name, BigInteger, Identity(always=True), primary_key=True)


def money(name: str, *, nullable: bool = False) -> Column[object]:
    # NUMERIC without a scale keeps every digit that it is given.
    return Column(name, Numeric, nullable=nullable)


def at(name: str = "at", *, nullable: bool = False) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def word(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, Text, nullable=nullable, primary_key=primary_key)


def map_(name: str) -> Column[object]:
    return Column(name, JSONB, nullable=False)
