"""What a scraper reads of a stack, in Prometheus' text format.

    table.py       every metric: name, kind, labels, what it says
    trading.py     of the ledger: decisions, positions, orders, breakers, conflicts, recoveries, equity
    feeds.py       of the sources of bars, and of the quality of what they gave
    processes.py   when each process last showed that it lives
    collector.py   asks all parts at the moment of a scrape; a part that fails is told and costs nothing else
    exposition.py  the text, and the route under which it is served

Nothing here counts, keeps or watches: what is told was written by those who did it.
"""
