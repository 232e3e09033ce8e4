"""The handlers of all work of this service that falls due, by the kind of their rows."""

from __future__ import annotations

from functools import partial

from keystead.api.schedule import Handlers
from keystead.entropy import Entropy
from keystead.keyring import Keyring
from keystead.services.s3 import endings, expiring, ownkey


def handlers(keyring: Keyring, entropy: Entropy) -> Handlers:
    """Every handler, with what it works on."""
    return {
        endings.DUE: endings.look_after,
        expiring.DUE: partial(expiring.expire, entropy),
        ownkey.DUE: partial(ownkey.rotate, keyring),
    }
