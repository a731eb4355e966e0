"""Reads settings from one YAML file and the environment, and secrets from the environment or the home.

Order of precedence: overrides (the command line), `TRADE_PIPELINE__SECTION__KEY` variables, the file, defaults.
No default lives here, and nothing here starts or creates a stack.
"""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from trade_pipeline.errors import SettingsError
from trade_pipeline.settings.base import Section
from trade_pipeline.settings.home import Home
from trade_pipeline.settings.root import Settings

ENVIRONMENT_PREFIX = "TRADE_PIPELINE__"
SECRET_SETTINGS = ("storage.ledger_url", "runtime.broker_url")


@dataclass(frozen=True)
class Secrets:
    """What must never be shown. Every field may be empty where the process does not need it."""

    exchange_api_key: str = ""
    exchange_api_secret: str = ""
    ledger_url: str = ""
    broker_url: str = ""
    ui_token: str = ""
    exchange_api_passphrase: str = ""
    """The third part of a key, where the exchange has one."""

    def __repr__(self) -> str:
        held = ", ".join(f"{field.name}={'***' if getattr(self, field.name) else 'unset'}" for field in fields(self))
        return f"Secrets({held})"


VARIABLES = {
    "exchange_api_key": "TRADE_PIPELINE_EXCHANGE_API_KEY",
    "exchange_api_secret": "TRADE_PIPELINE_EXCHANGE_API_SECRET",
    "exchange_api_passphrase": "TRADE_PIPELINE_EXCHANGE_API_PASSPHRASE",
    "ledger_url": "TRADE_PIPELINE_LEDGER_URL",
    "broker_url": "TRADE_PIPELINE_BROKER_URL",
    "ui_token": "TRADE_PIPELINE_UI_TOKEN",
}


class _UniqueKeys(yaml.SafeLoader):
    """A YAML loader that refuses a key given twice: the second would silently win."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key_node, _ in node.value:
            key = str(key_node.value)
            if key in seen:
                reason = f"the key {key!r} appears twice"
                raise yaml.constructor.ConstructorError(None, None, reason, key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)


def load_settings(
    path: Path | None,
    *,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str],
) -> Settings:
    """Settings from `path` (YAML), `environ` and `overrides` (dotted name -> value; None values are left out).

    Raises SettingsError: the file is missing or no YAML mapping, a key is unknown, a value is wrong.
    """
    tree = _read_yaml(path) if path is not None else {}
    for name, value in _from_environment(environ):
        _put(tree, name, value)
    for dotted, override in (overrides or {}).items():
        if override is not None:
            _put(tree, dotted.split("."), override)
    settings = _validated(tree, source=str(path) if path else "settings")
    return settings.model_copy(
        update={
            "home": settings.home.expanduser().resolve(),
            "exchange": settings.exchange.model_copy(
                update={"replay": settings.exchange.replay and settings.exchange.replay.expanduser().resolve()}
            ),
        }
    )


def settings_in_force(home: Home) -> Settings:
    """The settings with which `up` started the stack in `home`. Raises SettingsError when nothing was started there."""
    try:
        tree = json.loads(home.settings_in_force.read_text())
    except FileNotFoundError as error:
        raise SettingsError(
            "no stack has been started in this home",
            thing=str(home.root),
            repair="Start one with `trade-pipeline up`, or name another home with --home.",
        ) from error
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"the stored settings cannot be read ({error})",
            thing=str(home.settings_in_force),
            repair="Remove the file and start the stack again.",
        ) from error
    return _validated(tree, source=str(home.settings_in_force))


def write_settings_in_force(home: Home, settings: Settings) -> None:
    """Stores `settings`, without secrets, for every process of the stack. Atomic: a reader sees old or new."""
    tree = json.loads(settings.model_dump_json())
    for name in SECRET_SETTINGS:
        section, key = name.split(".")
        del tree[section][key]
    write_private(home.settings_in_force, json.dumps(tree, indent=2, sort_keys=True) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replaces `path` in one step by a file that only its owner can read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    scratch.replace(path)


def secrets_from(environ: Mapping[str, str], home: Home | None) -> Secrets:
    """Secrets of a process: the environment wins, then `secrets.env` in the home. Missing ones are empty."""
    stored = read_secrets_file(home) if home else {}
    values = {name: environ.get(variable) or stored.get(variable, "") for name, variable in VARIABLES.items()}
    return Secrets(**values)


def read_secrets_file(home: Home) -> dict[str, str]:
    """`NAME=value` lines of secrets.env; empty when there is none."""
    try:
        lines = home.secrets.read_text().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise SettingsError(
            f"the file cannot be read ({error.strerror})",
            thing=str(home.secrets),
            repair="Run as the user who started the stack.",
        ) from error
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.lstrip().startswith("#"))
    return {name.strip(): value.strip() for name, value in pairs}


def setting_names(model: type[Section] = Settings, prefix: str = "") -> Iterator[str]:
    """Dotted names of every setting below `model`."""
    for name, field in model.model_fields.items():
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, Section):
            yield from setting_names(inner, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}"


def _read_yaml(path: Path) -> dict[str, Any]:
    try:
        # A SafeLoader subclass: it builds plain values only.
        tree = yaml.load(path.read_text(), Loader=_UniqueKeys)  # noqa: S506
    except OSError as error:
        raise SettingsError(
            f"the settings file cannot be read ({error.strerror})",
            thing=str(path),
            repair="Name an existing file with --settings, or leave it out to use the defaults.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"the settings file is not valid YAML ({reason})",
            thing=str(path),
            repair="Correct the line it names.",
        ) from error
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise SettingsError(
            "the settings file must hold sections with keys",
            thing=str(path),
            value=type(tree).__name__,
            repair="Begin from trade_pipeline/settings/default.yaml.",
        )
    # A section whose every key is commented out is empty, which YAML reads as null.
    return {key: {} if value is None and _is_section(str(key)) else value for key, value in tree.items()}


def _is_section(name: str) -> bool:
    field = Settings.model_fields.get(name)
    return field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _from_environment(environ: Mapping[str, str]) -> Iterator[tuple[list[str], object]]:
    for variable, text in sorted(environ.items()):
        if not variable.startswith(ENVIRONMENT_PREFIX):
            continue
        value: object = text
        if text[:1] in ("[", "{"):
            try:
                value = yaml.safe_load(text)
            except yaml.YAMLError as error:
                raise SettingsError("the list cannot be read", thing=variable, value=text) from error
        elif text in ("null", ""):
            value = None
        yield variable.removeprefix(ENVIRONMENT_PREFIX).lower().split("__"), value


def _put(tree: dict[str, Any], name: list[str], value: object) -> None:
    for part in name[:-1]:
        inner = tree.setdefault(part, {})
        if not isinstance(inner, dict):
            inner = tree[part] = {}
        tree = inner
    tree[name[-1]] = value


def _validated(tree: Mapping[str, Any], *, source: str) -> Settings:
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise _plain(error, source) from error


def _plain(error: ValidationError, source: str) -> SettingsError:
    """The first thing that is wrong, as one sentence; how many more there are, as a hint."""
    problems = error.errors(include_url=False)
    problem = problems[0]
    name = ".".join(str(part) for part in problem["loc"])
    more = f" ({len(problems) - 1} more after this one.)" if len(problems) > 1 else ""
    if problem["type"] == "extra_forbidden":
        near = _nearest(name)
        repair = f"Did you mean {near!r}?" if near else "See trade_pipeline/settings/default.yaml for every setting."
        return SettingsError(f"unknown setting {name!r}", thing=source, repair=repair + more)
    message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
    value = "***" if name in SECRET_SETTINGS else problem["input"]
    if isinstance(value, dict):  # a rule over a whole section: its message holds the values
        value = None
    return SettingsError(message, thing=f"{source}: {name}", value=value, repair=f"Correct {name}.{more}")


def _nearest(name: str) -> str | None:
    known = list(setting_names())
    sections = sorted({prefix.rpartition(".")[0] for prefix in known} - {""})
    candidates = difflib.get_close_matches(name, known + sections, n=1, cutoff=0.75)
    if candidates:
        return candidates[0]
    # The key may be right and the section wrong.
    last = name.rpartition(".")[2]
    leaves = difflib.get_close_matches(last, [item.rpartition(".")[2] for item in known], n=1, cutoff=0.75)
    return next((item for item in known if leaves and item.rpartition(".")[2] == leaves[0]), None)
