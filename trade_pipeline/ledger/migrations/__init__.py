"""Alembic's scripts for the ledger's schema. A released script never changes; a change is a new one."""
