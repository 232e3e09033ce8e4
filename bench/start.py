#!/usr/bin/env python3
"""How long it takes until something can be done: `bench/start.py [--rounds 15]`.

The import of the package, `keystead --help`, and `keystead dev` on a new directory until its ready line, with what
memory the server then holds. Told are the least and the median of all rounds; a busy machine shows in the difference.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

KEYSTEAD = str(Path(sys.executable).with_name("keystead"))


def seconds(*command: str) -> float:
    """What the command takes as a whole process."""
    began = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


def resident(pid: int) -> float:
    """Resident megabytes of a process and those that it started; what they share counts in each."""
    started = [
        child
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]
    lines = [
        line for each in (pid, *started) for line in Path(f"/proc/{each}/status").read_text().splitlines()
    ]
    return sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


def ready() -> tuple[float, float]:
    """Seconds until a new server's ready line, and the megabytes that it holds two seconds later."""
    with tempfile.TemporaryDirectory(prefix="keystead-start-") as place:
        command = [KEYSTEAD, "dev", "--listen", "127.0.0.1:0", "--data-dir", place, "--log-level", "error"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        try:
            for line in process.stdout:
                if "keystead ready" in line:
                    break
            took = time.perf_counter() - began
            time.sleep(2)
            return took, resident(process.pid)
        finally:
            process.terminate()
            process.wait(30)


def tell(name: str, unit: str, values: list[float]) -> None:
    """None; a line is printed."""
    print(f"{name:28s} {min(values):8.2f} {statistics.median(values):8.2f} {unit}", flush=True)


def main() -> int:
    """0; the table is on stdout."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = range(parser.parse_args().rounds)
    print(f"{'':28s} {'least':>8s} {'median':>8s}")
    bare = [seconds(sys.executable, "-c", "pass") for _ in rounds]
    measured: dict[str, Callable[[], float]] = {
        "import keystead": lambda: seconds(sys.executable, "-c", "import keystead"),
        "keystead --help": lambda: seconds(KEYSTEAD, "--help"),
    }
    tell("python, nothing imported", "s", bare)
    for name, measure in measured.items():
        tell(name, "s", [measure() for _ in rounds])
    starts = [ready() for _ in rounds[: len(rounds) // 3 or 1]]
    tell("keystead dev until ready", "s", [took for took, _ in starts])
    tell("idle memory", "MiB", [memory for _, memory in starts])
    return 0


if __name__ == "__main__":
    sys.exit(main())
