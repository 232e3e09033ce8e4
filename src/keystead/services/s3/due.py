"""The handlers of all work of this service that falls due, by the kind of their rows."""

from __future__ import annotations

from keystead.api.schedule import Handlers
from keystead.services.s3 import endings


def handlers() -> Handlers:
    """Every handler."""
    return {endings.DUE: endings.look_after}
