#!/usr/bin/env python3
"""What others notice of a client that asks too much: `bench/overload.py [idle] [greedy] [keys] [flood]`.

Each part starts `keystead dev` on a durable directory, pinned to the first core, and drives it from this process and
from a second one on the other core. Ratios compare rounds that alternate with those without the disturbance.

* idle: memory for each of 10,000 connections that do nothing.
* greedy: latency of one client with one connection, alone and beside one with 64 connections that never pause.
* keys: the same beside four clients that generate RSA-4096 key pairs.
* flood: 6,000 connections that never pause, for --flood seconds: memory, what is refused and how, and how soon
  a call is answered as before once it ends.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.synchronize import Event
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

from signed_http import Client

GREEDY = ("AKIDGREEDY0000000000", "greedy-secret")
MODEST = ("AKIDMODEST0000000000", "modest-secret")
ALLOW = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
KEYSTEAD = Path(sys.executable).with_name("keystead")
DISTINCT = 200


class Server:
    """A running server with a user for each client, and a key for all."""

    def __init__(self, place: Path) -> None:
        seed = place / "seed.yaml"
        users = [
            {
                "name": name,
                "policies": {"kms": ALLOW},
                "credentials": {"access_key_id": i, "secret_access_key": s},
            }
            for name, (i, s) in (("greedy", GREEDY), ("modest", MODEST))
        ]
        seed.write_text(json.dumps({"accounts": [{"id": "000000000000", "users": users}]}))
        pin = ["taskset", "-c", "0"] if shutil.which("taskset") else []
        self.process = subprocess.Popen(
            [*pin, str(KEYSTEAD), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(place / "data"),
             "--seed", str(seed), "--log-level", "error"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, "KEYSTEAD_MAX_CONNECTIONS": "12000"},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.key = Client(self.port, *MODEST).call("CreateKey", {}).document["KeyMetadata"]["KeyId"]

    def memory(self) -> int:
        """Resident bytes."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def requests(self, who: tuple[str, str], operation: str, body: dict[str, object]) -> list[bytes]:
        """Signed requests; more than one, so that signing and verifying are not of one text."""
        client = Client(self.port, *who)
        return [client.prepare(operation, body).raw() for _ in range(DISTINCT)]

    def encrypts(self, who: tuple[str, str]) -> list[bytes]:
        return self.requests(who, "Encrypt", {"KeyId": self.key, "Plaintext": "YXR0YWNr"})


@contextlib.contextmanager
def running() -> Iterator[Server]:
    """A server of its own, stopped at the end."""
    with tempfile.TemporaryDirectory(prefix="keystead-overload-") as place:
        server = Server(Path(place))
        try:
            yield server
        finally:
            server.process.terminate()
            server.process.wait(60)


class Line(asyncio.Protocol):
    """One connection that sends its next request as soon as the last is answered, until `until`."""

    def __init__(self, requests: list[bytes], until: float, tally: Tally) -> None:
        self._requests, self._until, self._tally = requests, until, tally
        self._number = id(self) % len(requests)
        self._data = b""
        self.done = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        if time.monotonic() >= self._until:
            self._transport.close()
            return
        self._number = (self._number + 1) % len(self._requests)
        self._sent = time.perf_counter()
        self._transport.write(self._requests[self._number])  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._data += data
        head, mark, body = self._data.partition(b"\r\n\r\n")
        if not mark:
            return
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._tally.add(int(head[9:12]), time.perf_counter() - self._sent, body)
        self._data = b""
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None:
            self._tally.lost += 1
        if not self.done.done():
            self.done.set_result(None)


class Tally:
    """What came back."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.outcomes: Counter[str] = Counter()
        self.lost = 0

    def add(self, status: int, took: float, body: bytes) -> None:
        if status == 200:  # noqa: PLR2004  HTTP
            self.times.append(took)
            self.outcomes["ok"] += 1
        else:
            self.outcomes[f"{status} {json.loads(body).get('__type')}"] += 1

    def quantiles(self) -> tuple[float, float]:
        """p50 and p99 in milliseconds."""
        cuts = statistics.quantiles(self.times, n=100)
        return cuts[49] * 1e3, cuts[98] * 1e3


def drive(port: int, requests: list[bytes], connections: int, seconds: float) -> Tally:
    """Keep so many connections busy for so long."""
    tally = Tally()

    async def go() -> None:
        loop = asyncio.get_running_loop()
        until = time.monotonic() + seconds
        lines = []
        for _ in range(connections):
            _, line = await loop.create_connection(lambda: Line(requests, until, tally), "127.0.0.1", port)
            lines.append(line.done)
        await asyncio.wait(lines)

    uvloop.run(go())
    return tally


def _disturb(port: int, requests: list[bytes], connections: int, seconds: float, ready: Event) -> None:
    os.sched_setaffinity(0, {os.cpu_count() - 1})  # type: ignore[operator]
    many_files()
    ready.set()
    drive(port, requests, connections, seconds)


@contextlib.contextmanager
def disturbance(port: int, requests: list[bytes], connections: int, seconds: float) -> Iterator[None]:
    """Another process that keeps the server busy meanwhile."""
    ready = multiprocessing.Event()
    process = multiprocessing.Process(
        target=_disturb, args=(port, requests, connections, seconds + 1.0, ready)
    )
    process.start()
    ready.wait()
    time.sleep(0.7)
    try:
        yield
    finally:
        process.join()


def many_files() -> None:
    """Let this process open as many connections as it may."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def idle(_arguments: argparse.Namespace) -> None:
    """Memory for each idle connection."""
    with running() as server:

        async def open_many(count: int) -> None:
            before = server.memory()
            held = [await asyncio.open_connection("127.0.0.1", server.port) for _ in range(count)]
            await asyncio.sleep(1)
            print(f"idle: {count} connections, {(server.memory() - before) / count / 1024:.1f} KiB each")
            for _, writer in held:
                writer.close()

        many_files()
        drive(server.port, server.encrypts(MODEST), 8, 1.0)
        asyncio.run(open_many(10_000))


def beside(arguments: argparse.Namespace, name: str, operation: str, connections: int) -> None:
    """Latency of a modest client alone and beside a disturbance, in alternating rounds."""
    with running() as server:
        own = server.encrypts(MODEST)
        body = {
            "Encrypt": {"KeyId": server.key, "Plaintext": "YXR0YWNr"},
            "GenerateDataKeyPair": {"KeyId": server.key, "KeyPairSpec": "RSA_4096"},
        }[operation]
        others = server.requests(GREEDY, operation, body)
        drive(server.port, own, 1, 0.5)
        rows = []
        for _ in range(arguments.rounds):
            alone = drive(server.port, own, 1, arguments.seconds).quantiles()
            with disturbance(server.port, others, connections, arguments.seconds):
                together = drive(server.port, own, 1, arguments.seconds).quantiles()
            rows.append((*alone, *together, together[0] / alone[0], together[1] / alone[1]))
        a50, a99, b50, b99, r50, r99 = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{name}: alone p50 {a50:.2f} p99 {a99:.2f} ms; beside {connections} connections of {operation}: "
            f"p50 {b50:.2f} p99 {b99:.2f} ms; ratios p50 {r50:.2f} p99 {r99:.2f}"
        )


def greedy(arguments: argparse.Namespace) -> None:
    """One client that never pauses on many connections."""
    beside(arguments, "greedy", "Encrypt", 64)


def keys(arguments: argparse.Namespace) -> None:
    """Four clients that generate key pairs."""
    beside(arguments, "keys", "GenerateDataKeyPair", 4)


def flood(arguments: argparse.Namespace) -> None:
    """Far more than the server can do, for a while."""
    many_files()
    with running() as server:
        own = server.encrypts(MODEST)
        before, steady = server.memory(), drive(server.port, own, 1, 2.0).quantiles()
        capacity = drive(server.port, own, 32, 2.0).outcomes["ok"] / 2.0
        tally = drive(server.port, server.encrypts(GREEDY), 6_000, arguments.flood)
        peak = server.memory()
        began = time.monotonic()
        after = drive(server.port, own, 1, 1.0)
        first = after.times[0] * 1e3 if after.times else float("nan")
        print(
            f"flood: capacity {capacity:.0f}/s; for {arguments.flood:.0f} s from 6,000 connections "
            f"{sum(tally.outcomes.values()) / arguments.flood:.0f}/s: {dict(tally.outcomes)}, {tally.lost} connections lost"
        )
        print(f"flood: memory {before >> 20} MiB before, {peak >> 20} MiB at the end of it")
        print(
            f"flood: the first call after it took {first:.1f} ms, the second after it p50 "
            f"{after.quantiles()[0]:.2f} ms (before: {steady[0]:.2f} ms); {time.monotonic() - began:.1f} s"
        )


PARTS = {part.__name__: part for part in (idle, greedy, keys, flood)}


def main() -> int:
    """0; the figures are on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="which parts; all of them by default")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--flood", type=float, default=10.0)
    arguments = parser.parse_args()
    for name in arguments.parts or PARTS:
        PARTS[name](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
