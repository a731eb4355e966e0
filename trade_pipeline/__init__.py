"""One auditable pipeline from market bar to filled order.

Read `docs/architecture.md` for the flow of data; the packages below this one are its rooms.
"""

__version__ = "0.1.0"
