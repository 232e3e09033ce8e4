"""The evidence of a data directory, checked as `keystead audit verify --state` does."""

from __future__ import annotations

from pathlib import Path

from keystead.cli.verify import verified

_PATIENCE = 500_000  # looks at the directory


def findings(data_dir: Path) -> tuple[str, ...]:
    """Every thing that is not as a server left it; none is as it must be, beside a running server, too."""
    log = data_dir / "log"
    for _ in range(_PATIENCE):
        if (log / "head").exists() or not (log / "tile").exists():
            break  # else a running server is about to publish its first checkpoint, or somebody removed the head
    return verified(data_dir, None, (), journals_only=False, state=True).findings
