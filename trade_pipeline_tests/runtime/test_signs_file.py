"""What the watchdog saw last is told by `status`, of each process the sign that is nearest to its limit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from trade_pipeline.runtime.environment import working_folder
from trade_pipeline.runtime.signs_file import SignAge, nearest, read_signs, write_signs
from trade_pipeline.runtime.watchdog import DECISIONS, Watchdog, signs_of
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.watchdog import WatchdogSettings

NOON = datetime(2024, 5, 2, 12, 0, tzinfo=UTC)


def test_the_sign_that_is_nearest_to_its_limit_is_kept_for_each_process(tmp_path: Path) -> None:
    limits, home = WatchdogSettings(), Home.at(tmp_path)
    signs = signs_of(("postgres", "daemon", "guard"), limits, simulated=False)
    dog, later = Watchdog(signs, limits, NOON), NOON + timedelta(seconds=40)
    dog.look({"postgres": later, "guard": later}, later)
    found = nearest(signs, dog.ages_s(later))
    assert found["daemon"] == SignAge("sensors", 40.0, limits.sensor_age_s_max)
    assert found["guard"].age_s == 0
    assert DECISIONS not in {one.sign for one in found.values()}, "nobody owes it"
    working_folder(home).mkdir(parents=True)
    write_signs(home, found, later)
    assert read_signs(home, later + timedelta(seconds=5)) == found


def test_nothing_is_told_where_nobody_watches(tmp_path: Path) -> None:
    home = Home.at(tmp_path)
    assert read_signs(home, NOON) == {}
    working_folder(home).mkdir(parents=True)
    write_signs(home, {"guard": SignAge("guard", 1.0, 90.0)}, NOON)
    assert read_signs(home, NOON + timedelta(minutes=2)) == {}
    (working_folder(home) / "signs.json").write_text('{"at":')
    assert read_signs(home, NOON) == {}
