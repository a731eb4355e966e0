"""Seeds that once broke a promise, with what they found. They are played forever."""

from __future__ import annotations

PERMANENT: dict[int, str] = {
    32: "a guard that died between plan and send left its symbol without a stop for a minute",
    33: "a process that stood still after its commit sent under a lease that had run out",
    54: "the guard asked again and again for a stop on a delisted symbol",
    83: "a plan whose commit lost its answer kept the guard from protecting the position",
    118: "an order with our prefix that nobody here had sent was left to itself",
    175: "a run killed before its request left kept its symbol without a stop while the exchange refused reads",
    20177: "fills whose answer was lost lay behind those of a later order and were never booked",
    20438: "a stop's end was written, its fills were not: the coins looked unsold and were sold again",
    20751: "a run that died with an answer in its hands left fills behind those of a later order",
    5363: "an order whose UNKNOWN could not be written stayed SENT, and its position without a stop",
    5431: "the rest of a staged exit was worth the minimum at what is bid, and less at its limit",
    5685: "a run that died with the lease kept its positions without a stop until the lease ended by itself",
    32065: "an entry rested on after its breaker had opened, behind the lease of a run that had died",
    33143: "the simulator let the guard begin a cycle while it waited in another one, which released its lease",
    536: "the lease of a dead run kept a stop from following until after the end",
    989: "a stop that was being filled was replaced by one of its old size, which then could not make way",
    805: "what was left below a stop that could not rest was worth less than the minimum, and sent again and again",
    1025: "an exit that an empty book filled piece by piece",
    3956: "a partial exit with nothing left to sell, because somebody had sold by hand, kept the stop away",
    5426: "the rest of a stop that was being filled was replaced while it was filled on",
    7197: "beside another's order that locked part of the coins, a stop of all of them was asked for again and again",
    8696: "after a refused sale what was free was sent, although it was worth less than the minimum",
    20546: "a lease whose release was refused did the same",
}
