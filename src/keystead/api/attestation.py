"""What makes an attestation document believed here; all of it is settings."""

from __future__ import annotations

import msgspec

from keystead.clock import Clock


class AttestationTrust(msgspec.Struct, frozen=True):
    """Whom to believe about a caller's machine, and by which clock."""

    roots: tuple[bytes, ...]
    """The pinned roots' certificates in DER; with none, every document is refused."""
    allow_debug: bool
    """Whether enclaves in debug mode, whose memory is open to all, count too: for tests only."""
    wall: Clock
    """The host's clock: other machines date their documents, also where the service's time is moved by hand."""
