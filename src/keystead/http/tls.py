"""What a server shows and asks for in TLS."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Final

from keystead import errors

_MISMATCHES: Final = frozenset({"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"})
"""What OpenSSL says where the private key is another's, the last where it is of another kind."""


def server_context(certificate: str, key: str, client_ca: str | None = None) -> ssl.SSLContext:
    """The context of a server with this certificate chain and private key, both PEM files.

    With `client_ca`, a PEM file of authorities, clients may show a certificate; one that none of them has issued
    ends the handshake. An intermediate authority in that file is trusted for itself (RFC 5280 section 6.1.1 d).

    Raises:
        errors.SettingsError: a file is missing or cannot be used; the setting is named.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        # An empty password, lest OpenSSL ask the terminal for one.
        context.load_cert_chain(certificate, key, password="")
    except FileNotFoundError:
        name, file = next(pair for pair in (("tls_cert", certificate), ("tls_key", key)) if _missing(pair[1]))
        raise errors.SettingsError(f"{name}: there is no file {file}") from None
    except ssl.SSLError as error:
        if error.reason in _MISMATCHES:
            raise errors.SettingsError(
                f"tls_key: {key} is not the private key of the first certificate in {certificate} (tls_cert)"
            ) from None
        raise errors.SettingsError(
            "tls_cert and tls_key must be PEM files: a certificate chain and its private key, not encrypted"
        ) from None
    except OSError as error:
        raise errors.SettingsError(
            f"{certificate} or {key} (tls_cert, tls_key) cannot be read: {error.strerror}"
        ) from None
    if client_ca is not None:
        _ask_for_certificates(context, client_ca)
    return context


def _missing(file: str) -> bool:
    return not Path(file).exists()


def _ask_for_certificates(context: ssl.SSLContext, client_ca: str) -> None:
    try:
        context.load_verify_locations(client_ca)
    except OSError as error:  # what OpenSSL cannot read is one, too
        raise errors.SettingsError(f"client_ca: {client_ca} cannot be used ({error.strerror})") from None
    # Clients that sign their requests show none.
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
