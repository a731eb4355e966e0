"""The measured decision on a small lake: it is a decision on every symbol, and the next one adds a bar."""

from __future__ import annotations

from pathlib import Path

from trade_pipeline.defs.partitions import BAR, DAY, day_start
from trade_pipeline.defs.resources import OpenStack
from trade_pipeline.measured.decision import TODAY, decide, prepare
from trade_pipeline.measured.made_stack import made_home, made_symbols


def test_it_decides_on_every_symbol_at_the_end_of_a_day(tmp_path: Path) -> None:
    home = made_home(tmp_path, symbols=2)
    prepare(home)
    stack, end = OpenStack(home), day_start(TODAY) + DAY
    targets = decide(stack, end - BAR)
    assert targets.get_column("symbol").to_list() == list(made_symbols(2))
    assert not targets.get_column("reason").str.contains("not final|not judged").any()
    decide(stack, end)
    assert stack.lake.read("features", [TODAY]).height == 2 * (600 + 1_440)
    assert stack.lake.read("target_positions", [TODAY]).get_column("decision_id").n_unique() == 3
