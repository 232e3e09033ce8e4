"""The Access Analyzer service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.accessanalyzer import checks
from keystead.wire.models import accessanalyzer as wire

ACCESS_ANALYZER = service(wire.SERVICE, checks.OPERATIONS)
