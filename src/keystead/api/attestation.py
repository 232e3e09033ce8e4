"""What makes an attestation document believed here; all of it is settings."""

from __future__ import annotations

from pathlib import Path

import msgspec

from keystead import errors
from keystead.clock import Clock
from keystead.crypto.chain import roots_in
from keystead.settings import Settings


class AttestationTrust(msgspec.Struct, frozen=True):
    """Whom to believe about a caller's machine, and by which clock."""

    roots: tuple[bytes, ...]
    """The pinned roots' certificates in DER; with none, every document is refused."""
    allow_debug: bool
    """Whether enclaves in debug mode, whose memory is open to all, count too: for tests only."""
    wall: Clock
    """The host's clock: other machines date their documents, also where the service's time is moved by hand."""


def attestation_of(settings: Settings, wall: Clock) -> AttestationTrust:
    """Whose attestation documents count.

    Raises:
        errors.SettingsError: a root's file cannot be used; it is named.
    """
    roots: list[bytes] = []
    for name in settings.attestation_roots:
        try:
            roots += roots_in(Path(name).read_bytes())
        except OSError as error:
            raise errors.SettingsError(f"attestation_roots: cannot read {name}: {error.strerror}") from None
        except errors.BadAttestation as error:
            raise errors.SettingsError(f"attestation_roots: {name} is no root: {error}") from None
    return AttestationTrust(tuple(roots), settings.attestation_allow_debug, wall)
