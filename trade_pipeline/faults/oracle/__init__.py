"""The judge of the fault simulator: what was promised, written a second time, from the design's text alone.

It reads the exchange's engine, the ledger's raw rows and what crossed the wire. It imports nothing of execution and
nothing of the ledger's code, so that it cannot share their bugs. Every invariant is a pure function of a `Case`
(and of what the judge remembers of the same simulation), named after its number in the design.

How a simulation feeds it: for each request for a new order that reaches the exchange, `ArrivalDesk.look` before it
takes effect, then `dataclasses.replace(arrival, accepted=..., refusal="code text", told=...)` into a list (a request
lost on its way is noted too: not accepted, not told). At each step and at the end `judge(Case(...))` with
`BookReader.read(account)`, the same `Memory` throughout, and `quiet=True` only after everything had time to settle.

Not judged here, and why:

- 10 (the data of an increase was checked and fresh) and 11 (only final candles): the simulator has no candles. Its
  decisions are given; the gate and the final candle have tests of their own.
- 19 (sim and paper make no private call to a real exchange) and 20 (no secret anywhere): nothing in the simulator
  could reach a network or holds a key. The stack's tests search for a canary.
- 21 in part: rows cannot show that one was rewritten. The hash chain does, and `verify-ledger` reads it; here only
  rows that went away are seen.
- 16 in part: whether a price was rounded away from the market cannot be seen without the unrounded price.
"""

from trade_pipeline.faults.oracle.arrival import ArrivalDesk
from trade_pipeline.faults.oracle.book import Book, BookReader
from trade_pipeline.faults.oracle.case import Arrival, Case, Limits, Memory
from trade_pipeline.faults.oracle.judge import INVARIANTS, judge
from trade_pipeline.faults.oracle.truth import Truth
from trade_pipeline.faults.oracle.violations import Violation

__all__ = [
    "INVARIANTS",
    "Arrival",
    "ArrivalDesk",
    "Book",
    "BookReader",
    "Case",
    "Limits",
    "Memory",
    "Truth",
    "Violation",
    "judge",
]
