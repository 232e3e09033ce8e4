"""The evidence of a data directory, checked as `keystead audit verify --state` does."""

from __future__ import annotations

from pathlib import Path

from keystead.cli.verify import verified


def findings(data_dir: Path) -> tuple[str, ...]:
    """Every thing that is not as a server left it; none is as it must be, beside a running server, too."""
    return verified(data_dir, None, (), journals_only=False, state=True).findings
