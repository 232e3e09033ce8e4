"""The handlers of all work of this service that falls due, by the kind of their rows."""

from __future__ import annotations

from functools import partial

from keystead.api.schedule import Handlers
from keystead.entropy import Entropy
from keystead.services.s3 import endings, expiring


def handlers(entropy: Entropy) -> Handlers:
    """Every handler."""
    return {endings.DUE: endings.look_after, expiring.DUE: partial(expiring.expire, entropy)}
