#!/usr/bin/env python3
"""How many cases `keystead policy simulate` answers in a second, as a process of its own with pipes.

`bench/simulate.py [--cases 20000]` sends the decision cases of the tests, over and over, and prints cases per
second by CPU time of the process and by the clock, start-up included. What else the machine does is in the second.
"""

from __future__ import annotations

import argparse
import itertools
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

PROJECT: Final = Path(__file__).resolve().parent.parent
KEYSTEAD: Final = str(Path(sys.executable).with_name("keystead"))
KEY: Final = "arn:aws:kms:us-east-1:111122223333:key/1234"
DOCUMENTS: Final = ("identityPolicies", "groupPolicies", "sessionPolicies")


def cases() -> list[bytes]:
    """One line for each decision case without grants and organizations."""
    table = json.loads((PROJECT / "tests/policies/decisions.json").read_text("utf-8"))

    def named(name: str) -> dict[str, Any]:
        return {"name": name, "document": table["policies"][name]}

    lines = []
    for row in table["cases"]:
        if "grant" in row or any(name.endswith("ControlPolicies") for name in row):
            continue
        asked = {"action": "kms:Decrypt", "resource": KEY, "resourceAccount": "111122223333", "context": {}}
        case: dict[str, Any] = {
            "id": row["name"],
            "principal": table["callers"][row["caller"]] | row.get("principal", {}),
            "request": asked | row.get("request", {}),
        }
        case |= {part: list(map(named, row[part])) for part in DOCUMENTS if part in row}
        case |= {part: named(row[part]) for part in ("resourcePolicy", "permissionsBoundary") if part in row}
        lines.append(json.dumps(case).encode())
    return lines


def main() -> None:
    """Print both figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=20_000)
    count = parser.parse_args().cases
    lines = b"\n".join(itertools.islice(itertools.cycle(cases()), count)) + b"\n"
    started = time.perf_counter()
    done = subprocess.run([KEYSTEAD, "policy", "simulate"], input=lines, capture_output=True, check=True)
    elapsed = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    answers = done.stdout.splitlines()
    if len(answers) != count or any(b'"error"' in answer for answer in answers):
        sys.exit("not every case was answered")
    print(
        f"{count} cases: {count / cpu:,.0f} a second of CPU time, {count / elapsed:,.0f} a second by the clock"
    )


if __name__ == "__main__":
    main()
