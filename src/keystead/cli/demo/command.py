"""`keystead demo`: stories to watch, played with real calls."""

from __future__ import annotations

import signal
import sys

import click

from keystead.cli.demo import default_vs_custom
from keystead.cli.demo.stage import Stage


@click.group()
def demo() -> None:
    """Play a story against a server of its own, which is gone afterwards."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # as an exception, which tidies up


@demo.command("default-vs-custom")
def default_versus_custom() -> None:
    """A stolen role reads what is under a default key, and not what is under a custom one."""
    with Stage() as stage:
        stage.tell(default_vs_custom.play)
