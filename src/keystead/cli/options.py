"""Options that set settings: each is named as its field, with dashes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from keystead.settings import CHOICES, Settings, load

F = TypeVar("F", bound=Callable[..., Any])


def setting_options(*names: str) -> Callable[[F], F]:
    """A decorator that adds an option for each named setting, and `--config`."""

    def decorate(command: F) -> F:
        for name in reversed(names):
            command = _option(name)(command)
        return click.option(
            "--config",
            type=click.Path(dir_okay=False, path_type=Path),
            envvar="KEYSTEAD_CONFIG",
            help="TOML file of settings.",
        )(command)

    return decorate


def _option(name: str) -> Callable[[F], F]:
    field = next(f for f in msgspec.structs.fields(Settings) if f.name == name)
    described = msgspec.inspect.type_info(field.type)
    about = ""
    if isinstance(described, msgspec.inspect.Metadata):
        about = str((described.extra_json_schema or {}).get("description", ""))
        described = described.type
    flag = "--" + name.replace("_", "-")
    if isinstance(described, msgspec.inspect.BoolType):
        return click.option(flag, name, is_flag=True, default=None, help=about)
    kind: Any = click.Choice(CHOICES[name]) if name in CHOICES else _KINDS.get(type(described), str)
    return click.option(flag, name, type=kind, default=None, help=about)


_KINDS: dict[type, Any] = {msgspec.inspect.IntType: int}


def settings_from(options: dict[str, Any], **defaults: Any) -> Settings:
    """The settings that a command runs with.

    Raises:
        errors.SettingsError: one has a bad value; it is named.
    """
    config = options.pop("config", None)
    return load(options, os.environ, config, **defaults)
