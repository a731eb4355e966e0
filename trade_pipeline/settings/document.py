"""Writes default.yaml from the models: every setting with its default, its sentence and its limits.

python -m trade_pipeline.settings.document > trade_pipeline/settings/default.yaml
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from trade_pipeline.settings.base import Section
from trade_pipeline.settings.load import ENVIRONMENT_PREFIX, SECRET_SETTINGS
from trade_pipeline.settings.root import Settings

_HEAD = f"""\
# Every setting with its default. Copy what you change into a file of your own and name it with --settings.
# Written from the models by `python -m trade_pipeline.settings.document`: a test keeps it so.
#
# A setting can also come from the environment, which wins: {ENVIRONMENT_PREFIX}MARKET__SYMBOLS_MAX=5, lists as [A, B].
# Names end in their unit. Ratios are shares: 0.01 is 1 %. Unknown keys are refused.
"""
_LIMITS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}


def default_yaml() -> str:
    """The text of default.yaml."""
    return "\n".join([_HEAD, *_section(Settings(), "")]).rstrip() + "\n"


def _section(section: Section, margin: str, prefix: str = "") -> Iterator[str]:
    sentences = _sentences(type(section))
    values = json.loads(section.model_dump_json())
    for name, field in type(section).model_fields.items():
        inner = getattr(section, name)
        if isinstance(inner, Section):
            summary = (inspect.getdoc(type(inner)) or "").splitlines()
            yield "" if not margin else f"{margin}#"
            if summary and "frozen group" not in summary[0]:
                yield f"{margin}# {summary[0]}"
            yield f"{margin}{name}:"
            yield from _section(inner, margin + "  ", f"{prefix}{name}.")
            continue
        remarks = [sentences.get(name, ""), _limits(field.metadata)]
        if prefix + name in SECRET_SETTINGS:
            remarks.append("A secret: rather set it in the environment.")
        for remark in filter(None, remarks):
            yield f"{margin}# {remark}"
        yield from _lines(margin, name, values[name])


def _lines(margin: str, name: str, value: object) -> Iterator[str]:
    """A value on one line; a table with a line for each row."""
    if isinstance(value, dict) and any(isinstance(row, dict) for row in value.values()):
        yield f"{margin}{name}:"
        yield from (f"{margin}  {key}: {_scalar(row)}" for key, row in value.items())
    else:
        yield f"{margin}{name}: {_scalar(value)}"


def _limits(metadata: list[Any]) -> str:
    shown = [
        f"{sign} {getattr(item, name)}"
        for item in metadata
        for name, sign in _LIMITS.items()
        if getattr(item, name, None) is not None
    ]
    patterns = [f"pattern {item.pattern}" for item in metadata if getattr(item, "pattern", None)]
    return "; ".join(shown + patterns)


def _scalar(value: object) -> str:
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n").removesuffix("\n...")


def _sentences(model: type[Section]) -> dict[str, str]:
    """The string that follows a field in the class body, as one line."""
    (body,) = ast.parse(textwrap.dedent(inspect.getsource(model))).body
    assert isinstance(body, ast.ClassDef)
    found: dict[str, str] = {}
    for field, after in zip(body.body, body.body[1:], strict=False):
        documented = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
        if documented and isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            assert isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
            found[field.target.id] = " ".join(str(after.value.value).split())
    return found


if __name__ == "__main__":
    sys.stdout.write(default_yaml())
