"""Random pairs of policies: does the analysis agree with trying every request? `fuzz_analysis.py PAIRS [FIRST]`."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

import differential
import random_policies

_TOLD_EVERY = 5000


def main() -> None:
    """Compare that many pairs, and stop at the first on which the two disagree."""
    count, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 10_000  # noqa: PLR2004 - two arguments
    for seed in range(first, first + count):
        old, new = random_policies.pair(random.Random(seed))  # noqa: S311 - made again from its seed
        wrong = differential.disagreement(old, new)
        if wrong is not None:
            sys.exit(f"seed {seed}: {wrong}\nold: {json.dumps(old)}\nnew: {json.dumps(new)}")
        if (seed + 1 - first) % _TOLD_EVERY == 0:
            print(f"{seed + 1 - first} pairs agree", flush=True)  # noqa: T201 - whoever fuzzes waits for it
    print(f"{count} pairs agree")  # noqa: T201 - the answer


if __name__ == "__main__":
    main()
