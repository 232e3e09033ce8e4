"""What the scripts here do with the files that they make: write them, or say that they are not as they should be."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def keep_current(
    description: str | None, made: dict[Path, str], script: str, arguments: list[str] | None
) -> int:
    """The exit status of a script that writes files anew: 1 if `--check` finds one that is not as `made` has it."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    check = parser.parse_args(arguments).check
    stale = 0
    for path, text in made.items():
        if path.exists() and path.read_text() == text:
            continue
        shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
        if check:
            print(f"{shown} is stale: run tools/{script}.py", file=sys.stderr)
            stale = 1
        else:
            path.write_text(text)
            print(f"wrote {shown}")
    return stale


def keep_golden(description: str | None, golden: Path, document: Any, arguments: list[str]) -> int:
    """The exit status of a script that makes a golden file: 0 if it is there and right, 1 if it differs, 2 for a wrong argument."""
    if arguments not in ([], ["--check"]):
        print(description, file=sys.stderr)
        return 2
    text = json.dumps(document, indent=1) + "\n"
    if not arguments and not golden.exists():
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(text, encoding="ascii")
    if not golden.exists() or golden.read_text(encoding="ascii") != text:
        print(
            f"{golden.name} differs from what this script makes; golden files never change", file=sys.stderr
        )
        return 1
    return 0
