"""Disasters on a running stack, and the proof afterwards that nothing was lost.

`plan` says what happens when (pure, seeded), `actions` do it and undo it, `recovery` sees when all is well again,
`verdict` judges what ledger and exchange say in the end (pure), `evidence` reads that, `run` joins them.
"""
