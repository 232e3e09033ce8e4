#!/usr/bin/env python3
"""What a hundred thousand keys cost: a store with few keys and one with many, measured in turn.

`bench/scale.py [--few 10] [--keys 100000] [--rounds 5] [--requests 400]` starts a server on each, sends the same calls to
both over one kept connection, each for another key as long as there is one (so with `--few 10` a few keys again and again are
compared with first lookups, with `--few 10000` first lookups with each other), and prints latency, server CPU per request, their ratios, the time from
start to ready, and memory: idle, and for each key that is used. Then it has one key's deletion fall due in the large store.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

from signed_http import Client

from keystead import app
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.seal import SealOptions
from keystead.seed import apply_seed
from keystead.seed.file import Seed, SeedAccount, SeedKey
from keystead.seed.identities import AccessKey

ACCOUNT, ACCESS_KEY_ID, SECRET = "000000000000", "AKIDSCALE00000000000", "scale-secret"
CHUNK = 2000
USED = 10_000
RESTING, LOOK = 0.01, 5.0
"""The share of a core that a server takes which has nothing to do, and the seconds in which that is seen."""
TICK = os.sysconf("SC_CLK_TCK")
KEYSTEAD = Path(sys.executable).with_name("keystead")


def fill(directory: Path, count: int) -> list[str]:
    """The ids of `count` keys, each with an alias, in a new deployment; what was kept of an earlier run is taken as it is."""
    kept = directory.with_suffix(".json")
    if kept.exists():
        ids: list[str] = json.loads(kept.read_text())
        return ids
    entropy = SystemEntropy()
    options = SealOptions(directory=directory, entropy=entropy)
    store = app.create(directory, options, "file", entropy)
    keyring = Keyring.open(store, entropy)
    root = AccessKey(access_key_id=ACCESS_KEY_ID, secret_access_key=SECRET)
    # In order, so that a chunk falls into few leaves of the store's tree.
    ids = sorted(str(uuid.uuid4()) for _ in range(count))
    for start in range(0, count, CHUNK):
        keys = [SeedKey(id=key, aliases=[f"alias/{key}"]) for key in ids[start : start + CHUNK]]
        account = SeedAccount(id=ACCOUNT, name="main", root_credentials=root, keys=keys)
        apply_seed(store, keyring, Seed(accounts=[account]), time.time(), entropy)
    store.close()
    kept.write_text(json.dumps(ids))
    return ids


class Server:
    """A running server and one kept connection to it."""

    def __init__(self, directory: Path, ids: list[str]) -> None:
        self.ids = ids
        self.marker: dict[str, str] = {}
        self.alias_marker: dict[str, str] = {}
        began = time.perf_counter()
        command = [
            str(KEYSTEAD), "dev", "--listen", "127.0.0.1:0", "--data-dir", str(directory), "--manual-clock",
            "--access-key-id", ACCESS_KEY_ID, "--secret-access-key", SECRET, "--log-level", "error",
        ]  # fmt: skip
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline().rpartition(":")[2])
        self.ready_after = time.perf_counter() - began
        self.client = Client(self.port, ACCESS_KEY_ID, SECRET)
        self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)

    def call(self, operation: str | None, body: dict[str, Any], target: str = "/") -> dict[str, Any]:
        prepared = self.client.prepare(operation, body, target=target)
        self.connection.request("POST", prepared.target, prepared.body, prepared.headers)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{operation}: {answer.status} {text[:300]!r}")
        return json.loads(text) if text else {}

    def cpu(self) -> float:
        """Seconds of CPU so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def memory(self) -> float:
        """Resident megabytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024

    def rest(self) -> None:
        """None once what the start left to be done is done, with what it took on stdout."""
        began, before, spent = time.perf_counter(), self.cpu(), math.inf
        while spent > RESTING:
            started = self.cpu()
            time.sleep(LOOK)
            spent = (self.cpu() - started) / LOOK
        took, cpu = time.perf_counter() - began, self.cpu() - before
        print(
            f"{len(self.ids)} keys: at rest after {took:.0f} s and {cpu:.1f} s of CPU, {self.memory():.0f} MiB"
        )

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(60)


def list_page(server: Server, _key: str) -> None:
    """The page of 10 keys after the one that was asked for last."""
    page = server.call("ListKeys", {"Limit": 10, **server.marker})
    server.marker = {"Marker": page["NextMarker"]} if page["Truncated"] else {}


def alias_page(server: Server, _key: str) -> None:
    """The page of 10 aliases after the one that was asked for last."""
    page = server.call("ListAliases", {"Limit": 10, **server.alias_marker})
    server.alias_marker = {"Marker": page["NextMarker"]} if page["Truncated"] else {}


OPERATIONS: dict[str, Callable[[Server, str], object]] = {
    "Encrypt": lambda server, key: server.call("Encrypt", {"KeyId": key, "Plaintext": "YXR0YWNr"}),
    "DescribeKey": lambda server, key: server.call("DescribeKey", {"KeyId": key}),
    "DescribeKey by alias": lambda server, key: server.call("DescribeKey", {"KeyId": f"alias/{key}"}),
    "ListAliases of a key": lambda server, key: server.call("ListAliases", {"KeyId": key}),
    "Encrypt by alias": lambda server, key: server.call(
        "Encrypt", {"KeyId": f"alias/{key}", "Plaintext": "YXR0YWNr"}
    ),
    "ListKeys, a page": list_page,
    "ListAliases, a page": alias_page,
}


def measure(server: Server, name: str, requests: int, keys: list[str]) -> tuple[float, float]:
    """Median latency in milliseconds and CPU in microseconds per request."""
    operation, times, cpu = OPERATIONS[name], [], server.cpu()
    for number in range(requests):
        began = time.perf_counter()
        operation(server, keys[number % len(keys)])
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e3, (server.cpu() - cpu) / requests * 1e6


def compare(few: Server, many: Server, rounds: int, requests: int) -> None:
    """Prints a line for each operation; every request is for another key, as long as a store has one."""
    chance = random.Random(1)
    hot = chance.sample(many.ids, 10)
    print(
        f"{'operation':24s} {'few ms':>8s} {'many ms':>8s} {'ratio':>6s} {'hot':>6s} {'few us':>8s} {'many us':>8s} {'hot us':>8s}"
    )
    for name in OPERATIONS:
        rows = []
        for _ in range(rounds):
            of_few, some = (chance.sample(store.ids, min(requests, len(store.ids))) for store in (few, many))
            rows.append(
                (
                    *measure(few, name, requests, of_few),
                    *measure(many, name, requests, some),
                    *measure(many, name, requests, hot),
                )
            )
        a, a_cpu, b, b_cpu, c, c_cpu = (statistics.median(column) for column in zip(*rows, strict=True))
        print(
            f"{name:24s} {a:8.3f} {b:8.3f} {b / a:6.2f} {c / a:6.2f} {a_cpu:8.0f} {b_cpu:8.0f} {c_cpu:8.0f}",
            flush=True,
        )


def use_each(server: Server) -> None:
    """Prints what memory a key takes that was used, and when that ends: caches are bounded."""
    chance = random.Random(2)
    order = chance.sample(server.ids, min(3 * USED, len(server.ids)))
    for start in range(0, len(order), USED):
        before, keys = server.memory(), order[start : start + USED]
        for key in keys:
            server.call("Encrypt", {"KeyId": key, "Plaintext": "YXR0YWNr"})
        grown = (server.memory() - before) * 1024 / len(keys)
        print(f"{len(keys)} keys more were used: {grown:.1f} KiB each, {server.memory():.0f} MiB resident")


def page_through(server: Server) -> None:
    """Prints how long it takes to list all keys, and that each came once."""
    began, found, marker = time.perf_counter(), [], {}
    while True:
        page = server.call("ListKeys", {"Limit": 1000, **marker})
        found += [entry["KeyId"] for entry in page["Keys"]]
        if not page["Truncated"]:
            break
        marker = {"Marker": page["NextMarker"]}
    took = time.perf_counter() - began
    if sorted(found) != sorted(server.ids):
        raise SystemExit("ListKeys did not give each key once")
    print(f"ListKeys, all {len(found)}: {took:.2f} s, {took / len(found) * 1e6:.1f} us a key")


def shred(server: Server) -> None:
    """Prints how long the destruction of one key's material takes."""
    server.call("ScheduleKeyDeletion", {"KeyId": server.ids[0], "PendingWindowInDays": 7})
    began = time.perf_counter()
    server.call(None, {"advance_seconds": 9 * 86_400}, "/dev/clock")
    print(f"one deletion falls due: {time.perf_counter() - began:.2f} s until no file holds its material")


def main() -> int:
    """0; the figures are on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--few", type=int, default=10)
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument(
        "--only", action="store_true", help="latencies only, without memory, the whole list and a deletion"
    )
    parser.add_argument(
        "--keep", type=Path, help="where the deployments are, to be measured again without filling"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keystead-scale-") as temporary:
        place = arguments.keep or temporary
        directories = [Path(place, "few"), Path(place, "many")]
        began = time.perf_counter()
        ids = [fill(directories[0], arguments.few), fill(directories[1], arguments.keys)]
        size = sum(path.stat().st_size for path in directories[1].glob("store.db*")) / 2**20
        print(
            f"{arguments.keys} keys made in {time.perf_counter() - began:.0f} s, {size:.0f} MiB of database"
        )
        few, many = (Server(directory, found) for directory, found in zip(directories, ids, strict=True))
        try:
            for server in (few, many):
                print(
                    f"{len(server.ids)} keys: ready in {server.ready_after:.2f} s, {server.memory():.0f} MiB idle"
                )
                server.rest()
            if not arguments.only:
                use_each(many)
            compare(few, many, arguments.rounds, arguments.requests)
            if arguments.only:
                return 0
            page_through(many)
            print(f"{len(many.ids)} keys: {many.memory():.0f} MiB afterwards")
            shred(many)
        finally:
            few.stop()
            many.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
