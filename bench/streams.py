"""Memory of the S3 gateway while many clients stream at the same time.

    python bench/streams.py [--clients N] [--bytes N] [--shared N] [--puts N]

Each client puts an object of so many bytes under a KMS key and gets it back, all clients together, in pieces that are made
and dropped as they go. The server is a process of its own; its resident memory is read all the while. `growth` is the highest that
was seen beyond what the server took before, after a first round with small bodies; `growth a client` is that divided by the
clients. The goal is 64 clients with 1 GiB each; smaller bodies show the same if memory does not grow with them, which
`half` tells: the same with half of the bytes. With `--shared` all clients also get one object of that size, which takes the disk's
room once. With `--puts` all of them also put an object of that size each to a server of its own whose blobs begin anew in the same
file every 16 MiB: everything is written and synced, but no more room is needed than for that.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from s3 import MIB, Served, running

PIECE = bytes(MIB)
PATIENCE = 600
"""Seconds: of one caller's uploads the server takes up 48 at a time, and the rest waits."""


class Watch:
    """The highest resident memory of a process, in bytes, while the block runs."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.highest = self.now()

    def now(self) -> int:
        """What it takes now."""
        lines = Path(f"/proc/{self._pid}/status").read_text().splitlines()
        return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(0.05):
            self.highest = max(self.highest, self.now())


def body(size: int) -> Iterator[bytes]:
    """`size` bytes, in pieces."""
    for start in range(0, size, MIB):
        yield PIECE[: size - start]


def put(server: Served, key: str, size: int) -> None:
    """None; an object was put."""
    connection = server.connect()
    headers = {
        "Content-Length": str(size),
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
    }
    connection.timeout = PATIENCE
    connection.request("PUT", server.path("put_object", key), body(size), headers)
    answer = connection.getresponse()
    if answer.read() or answer.status != http.client.OK:
        raise AssertionError(answer.status)
    connection.close()


def get(server: Served, key: str, size: int) -> None:
    """None; an object was got."""
    connection = server.connect()
    connection.request("GET", server.path("get_object", key))
    answer, into, got = connection.getresponse(), memoryview(bytearray(MIB)), 0
    while read := answer.readinto(into):
        got += read
    if got != size:
        raise AssertionError(answer.status, got)
    connection.close()


def stream(server: Served, number: int, size: int) -> None:
    """None; an object was put and got."""
    put(server, f"streams/{number}", size)
    get(server, f"streams/{number}", size)


def put_only(server: Served, number: int, size: int) -> None:
    """None; an object was put."""
    put(server, f"streams/{number}", size)


def get_shared(server: Served, _number: int, size: int) -> None:
    """None; the one object was got."""
    get(server, "shared", size)


Act = Callable[[Served, int, int], None]


def together(server: Served, clients: int, size: int, act: Act = stream) -> float:
    """Seconds that all clients took together."""
    failed: list[BaseException] = []

    def work(number: int) -> None:
        try:
            act(server, number, size)
        except BaseException as error:  # noqa: BLE001  told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    return time.perf_counter() - started


def measured(server: Served, clients: int, size: int, act: Act = stream) -> dict[str, float]:
    """What was seen while the clients streamed."""
    with Watch(server.pid) as watch:
        before = watch.now()
        seconds = together(server, clients, size, act)
    growth = watch.highest - before
    return {
        "MiB a client": round(size / MIB, 1),
        "seconds": round(seconds, 1),
        "MiB/s": round((2 if act is stream else 1) * clients * size / MIB / seconds),
        "before MiB": round(before / MIB),
        "highest MiB": round(watch.highest / MIB),
        "growth MiB": round(growth / MIB, 1),
        "growth a client MiB": round(growth / MIB / clients, 2),
    }


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--bytes", type=int, default=16 * MIB)
    parser.add_argument("--shared", type=int, default=0)
    parser.add_argument("--puts", type=int, default=0)
    arguments = parser.parse_args()
    result: dict[str, object] = {"clients": arguments.clients}
    with tempfile.TemporaryDirectory() as directory, running("sealed", Path(directory)) as server:
        together(server, arguments.clients, MIB)
        for name, size in (("half", arguments.bytes // 2), ("whole", arguments.bytes)):
            result[name] = measured(server, arguments.clients, size)
        if arguments.shared:
            put(server, "shared", arguments.shared)
            result["shared"] = measured(server, arguments.clients, arguments.shared, get_shared)
    if arguments.puts:
        with tempfile.TemporaryDirectory() as directory, running("over", Path(directory)) as server:
            together(server, arguments.clients, MIB, put_only)
            result["puts"] = measured(server, arguments.clients, arguments.puts, put_only)
    json.dump(result, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
