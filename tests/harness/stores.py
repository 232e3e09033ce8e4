"""The store of a data directory that no server has open, or that one has."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from keystead import app
from keystead.entropy import SystemEntropy
from keystead.seal import SEALS, SealOptions, seal_name, unseal
from keystead.storage import BACKENDS, Backend, Store


def open_store(data_dir: Path, around: Callable[[Backend], Backend] = lambda backend: backend) -> Store:
    """The store, with `around` its backend."""
    entropy = SystemEntropy()
    seal = SEALS[seal_name(data_dir)](SealOptions(directory=data_dir, entropy=entropy))
    backend = around(BACKENDS["sqlite"].open(data_dir / app.STORE))
    return Store.open(backend, unseal(data_dir, seal), entropy)
