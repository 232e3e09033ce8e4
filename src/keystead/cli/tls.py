"""Whether and how a server speaks TLS: plain HTTP is for loopback only."""

from __future__ import annotations

import ipaddress
import ssl

from keystead import errors
from keystead.http import server_context
from keystead.settings import Settings


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """The TLS context that the settings name; None for plain HTTP, which is for loopback only.

    Raises:
        errors.SettingsError: there must be one and is not, or its files cannot be used.
    """
    if settings.tls_cert is None or settings.tls_key is None:
        if not _loopback(settings.host):
            raise errors.SettingsError(
                f"listening on {settings.host}, beyond loopback, needs TLS: give --tls-cert and --tls-key"
            )
        return None
    return server_context(settings.tls_cert, settings.tls_key, settings.client_ca)


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
