#!/usr/bin/env python3
"""How many steps of the interpreter a request takes: `bench/steps.py [--operation Encrypt] [--evidence] [--most 40]`.

The request path of `stages.py` with 32 connections, from a request's bytes to its answer's, on the event loop's thread.
Bytecodes and calls are counted, not timed, so other work on the machine changes nothing. By function: bytecodes a
request, calls of it, and calls that it makes of what is written in C. Without `--evidence` no event is made.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import stages
import uvloop
import without_evidence

REQUESTS = 256
_BENCH = str(Path(__file__).resolve().parent)
_ROOM = "/keystead/"

Counts = Counter[CodeType]


class Steps:
    """What was counted, by function."""

    def __init__(self) -> None:
        self.bytecodes: Counts = Counter()
        self.calls: Counts = Counter()
        self.outside: Counts = Counter()  # calls of what is written in C

    def trace(self, frame: FrameType, event: str, _argument: Any) -> Any:
        """What traces on, once a frame has begun or a bytecode is about to run."""
        if event == "call":
            self.calls[frame.f_code] += 1
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif event == "opcode":
            self.bytecodes[frame.f_code] += 1
        return self.trace

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        """None; a call of something written in C is counted."""
        if event == "c_call":
            self.outside[frame.f_code] += 1

    def print(self, most: int) -> None:
        """None; the table is on stdout."""
        counted = [code for code in self.calls if not code.co_filename.startswith(_BENCH)]
        sums = [sum(each[code] for code in counted) for each in (self.bytecodes, self.calls, self.outside)]
        print(_row(*sums, "altogether"))
        for code in sorted(counted, key=lambda code: -self.bytecodes[code])[:most]:
            place = code.co_filename.rpartition(_ROOM)[2]
            name = f"{place}:{code.co_firstlineno} {code.co_name}"
            print(_row(self.bytecodes[code], self.calls[code], self.outside[code], name))


def _row(bytecodes: int, calls: int, outside: int, name: str) -> str:
    return f"{bytecodes / REQUESTS:9.1f} {calls / REQUESTS:7.2f} {outside / REQUESTS:7.2f}  {name}"


async def count(directory: Path, operation: str) -> Steps:
    """The steps of some hundred requests, after as many that warm up what is remembered."""
    async with stages.running(directory) as app:
        bench, steps = stages.Bench(app, operation, REQUESTS), Steps()
        cases = await bench.cases()
        await bench.whole(cases)
        sys.settrace(steps.trace)
        await bench.whole(cases)
        sys.settrace(None)
        sys.setprofile(steps.profile)
        await bench.whole(cases)
        sys.setprofile(None)
    return steps


def main() -> int:
    """0; the table is on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operation", choices=stages.OPERATIONS, default="Encrypt")
    parser.add_argument("--evidence", action="store_true", help="make and write events, too")
    parser.add_argument("--most", type=int, default=40, help="functions to show")
    arguments = parser.parse_args()
    if not arguments.evidence:
        without_evidence.leave_out()
    with tempfile.TemporaryDirectory(prefix="keystead-steps-") as place:
        steps = uvloop.run(count(Path(place), arguments.operation))
    print(f"{'bytecodes':>9s} {'calls':>7s} {'of C':>7s}  a request, {arguments.operation}")
    steps.print(arguments.most)
    return 0


if __name__ == "__main__":
    sys.exit(main())
