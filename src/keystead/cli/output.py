"""What commands share: how data is shown and how a failure is told."""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import Any

import click
import msgspec


class Failed(click.ClickException):
    """What was asked for could not be done: one line on stderr, exit status 1."""

    exit_code = 1


output_option = click.option(
    "--output",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="How to print data.",
)


def exports(**variables: str) -> str:
    """Lines that set the variables in the shell that they are pasted into, whatever the values hold."""
    return "\n".join(f"export {name}={shlex.quote(value)}" for name, value in variables.items())


def show(value: Any) -> None:
    """None; `value` is on stdout as indented JSON."""
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def write_private(path: Path, content: bytes) -> None:
    """None; `content` is in the new or replaced file `path`, for its owner only if it is new.

    Raises:
        Failed: it cannot be written.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
    except OSError as error:
        raise Failed(f"{path} cannot be written: {error.strerror}") from None


def write_bytes(path: Path | None, content: bytes) -> None:
    """None; `content` is in `path`, or on stdout.

    Raises:
        Failed: it cannot be written.
    """
    if path is not None:
        write_private(path, content)
        return
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()
