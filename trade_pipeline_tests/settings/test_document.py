"""default.yaml shows every setting and is what the models say."""

from __future__ import annotations

from pathlib import Path

from trade_pipeline.settings import document
from trade_pipeline.settings.load import load_settings
from trade_pipeline.settings.root import Settings

DEFAULT = Path(document.__file__).with_name("default.yaml")


def test_the_file_is_what_the_models_say() -> None:
    assert DEFAULT.read_text() == document.default_yaml(), (
        "run: python -m trade_pipeline.settings.document > default.yaml"
    )


def test_the_file_loads_to_the_defaults() -> None:
    assert load_settings(DEFAULT, environ={}).decision_hash == Settings().decision_hash
