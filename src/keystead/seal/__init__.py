"""Owns the outermost wrapping of the root key: who or what must be present before a store opens.

A seal turns the 32-byte root key into a blob and back; `root` keeps the blob in the data directory
and replaces it safely. It knows nothing of what the root key opens.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from keystead.seal.file import FileSeal
from keystead.seal.passphrase import PassphraseSeal
from keystead.seal.root import create_root, next_root, promote_root, rekey, seal_name, stage_root, unseal
from keystead.seal.seal import ROOT_BYTES, Cost, Seal, SealOptions
from keystead.seal.turns import changing, steady

SEALS: Mapping[str, Callable[[SealOptions], Seal]] = MappingProxyType(
    {
        FileSeal.name: lambda options: FileSeal(options.directory / "seal.key", options.entropy),
        PassphraseSeal.name: lambda options: PassphraseSeal(options.ask, options.entropy, options.cost),
    }
)
"""How each seal is made. The file seal's key is created by `FileSeal.create`, once."""

__all__ = [
    "ROOT_BYTES",
    "SEALS",
    "Cost",
    "FileSeal",
    "PassphraseSeal",
    "Seal",
    "SealOptions",
    "changing",
    "create_root",
    "next_root",
    "promote_root",
    "rekey",
    "seal_name",
    "stage_root",
    "steady",
    "unseal",
]
