"""What requests that nobody signed are checked against; all of it is settings."""

from __future__ import annotations

import ssl
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from keystead import errors
from keystead.api.anchors import Anchors
from keystead.api.issuers import Issuers
from keystead.settings import Settings

_THREADS: Final = 4
"""Threads that wait for identity providers: no others do."""


class Outside(msgspec.Struct, frozen=True):
    """Identity providers, trust anchors, the threads that ask and check, and the Region that such calls are in."""

    pool: Executor
    issuers: Issuers
    anchors: Anchors
    region: str


def outside_of(settings: Settings) -> Outside:
    """What the settings say of it.

    Raises:
        errors.SettingsError: a file of authorities cannot be used; the setting is named.
    """
    anchors = _authorities("client_ca", settings.client_ca)
    _authorities("oidc_ca", settings.oidc_ca)

    def context() -> ssl.SSLContext:
        made = ssl.create_default_context()
        if settings.oidc_ca is not None:
            made.load_verify_locations(settings.oidc_ca)
        return made

    return Outside(
        ThreadPoolExecutor(_THREADS, thread_name_prefix="keystead-outside"),
        Issuers(context, frozenset(settings.oidc_allow_private_issuers)),
        anchors,
        settings.region,
    )


def _authorities(setting: str, file: str | None) -> Anchors:
    try:
        return Anchors(Path(file).read_bytes() if file is not None else b"")
    except OSError as error:
        raise errors.SettingsError(f"{setting}: cannot read {file}: {error.strerror}") from None
    except ValueError:
        raise errors.SettingsError(
            f"{setting}: {file} must hold certificates of authorities, in PEM"
        ) from None
