"""No setting is endless: whatever passes validation is a number that times and amounts can be counted with."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, NamedTuple, get_args, get_origin

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from trade_pipeline import settings as package
from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.base import Section
from trade_pipeline.settings.load import load_settings

NUMBERS = (int, float, Decimal)


class Number(NamedTuple):
    """A number somewhere in a field, in lists and tables too, with what is demanded of it."""

    name: str
    kind: Any
    metadata: tuple[Any, ...]

    def bounded(self, *signs: str) -> bool:
        return any(getattr(item, sign, None) is not None for item in self.metadata for sign in signs)

    def adapter(self) -> TypeAdapter[Any]:
        kind = self.kind
        for item in self.metadata:
            kind = Annotated[kind, item]
        return TypeAdapter(kind, config={"allow_inf_nan": Section.model_config["allow_inf_nan"]})


def _models(model: type[Section] = Section) -> Iterator[type[Section]]:
    for child in model.__subclasses__():
        yield child
        yield from _models(child)


def _numbers_in(name: str, kind: Any, metadata: tuple[Any, ...]) -> Iterator[Number]:
    if kind in NUMBERS:
        yield Number(name, kind, metadata)
    elif get_origin(kind) is Annotated:
        inner, *demanded = get_args(kind)
        flat = [part for item in demanded for part in (item.metadata if isinstance(item, FieldInfo) else [item])]
        yield from _numbers_in(name, inner, tuple(flat))
    else:
        for part in get_args(kind):
            yield from _numbers_in(name, part, metadata)


def _every_number() -> list[Number]:
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return [
        number
        for model in sorted(set(_models()), key=lambda item: item.__name__)
        if model.__module__.startswith(package.__name__)
        for name, field in model.model_fields.items()
        for number in _numbers_in(f"{model.__name__}.{name}", field.annotation, tuple(field.metadata))
    ]


def test_every_number_has_a_lower_and_an_upper_bound() -> None:
    numbers = _every_number()
    assert len(numbers) > 150, "the walk finds the numbers at all"
    assert [n.name for n in numbers if not (n.bounded("ge", "gt") and n.bounded("le", "lt"))] == []


def test_no_number_is_endless_or_none_at_all() -> None:
    endless = (float("inf"), float("-inf"), float("nan"), 1e19, Decimal("NaN"), Decimal("Infinity"), "1e400")
    passed = [
        f"{number.name}: {value}" for number in _every_number() for value in endless if _passes(number.adapter(), value)
    ]
    assert passed == []


def _passes(adapter: TypeAdapter[Any], value: object) -> bool:
    try:
        adapter.validate_python(value)
    except ValidationError:
        return False
    return True


@pytest.mark.parametrize(
    "text",
    [
        "exits: {unprotected_s_max: .inf}",
        "exits: {sweep_interval_s: 1.0e+18}",
        "exits: {lock_cooldown_s: .nan}",
        "breaker: {half_open_after_s: 1.0e+18}",
        "breaker: {stage_size_ratios: [0.5, .inf]}",
        "exchange: {opening_balances: {USDT: .inf}}",
    ],
)
def test_what_would_overflow_a_clock_is_refused_with_its_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "settings.yaml"
    path.write_text(text)
    name = text.replace(": {", ".").split(":")[0]
    with pytest.raises(SettingsError, match=name):
        load_settings(path, environ={})
