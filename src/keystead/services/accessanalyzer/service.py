"""The Access Analyzer service: all its chapters put together."""

from __future__ import annotations

from keystead.api.service import service
from keystead.services.accessanalyzer import (
    analyzers,
    archive_rules,
    checks,
    findings,
    generations,
    previews,
    recommendations,
    resources,
    tags,
    validation,
)
from keystead.wire.models import accessanalyzer as wire

CHAPTERS = (
    analyzers,
    archive_rules,
    tags,
    findings,
    previews,
    recommendations,
    resources,
    generations,
    checks,
    validation,
)

ACCESS_ANALYZER = service(wire.SERVICE, (one for chapter in CHAPTERS for one in chapter.OPERATIONS))
