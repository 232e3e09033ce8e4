#!/usr/bin/env python3
"""What each stage of a request costs: `bench/stages.py [--operation Encrypt] [--rounds 60] [--json FILE]`.

A whole server runs in this process, without sockets, on the deployment of `deployment.py`. Each stage is called
for the same few hundred signed requests, round after round, with what the stage before it made; the least time
of all rounds counts, which other work on the machine can hardly make smaller. `whole` is the CPU time of all
threads per request with 32 connections, from a request's bytes to its answer's, evidence on the disk included.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

import deployment
import msgspec
import uvloop
from signed_http import Client

from keystead import app as apps
from keystead.api.authorize import authorize
from keystead.api.calls import around_of, call_of
from keystead.api.evidence import records_of
from keystead.audit.segment import Position, encode_group
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy, uuid_pair
from keystead.http.limits import Limits
from keystead.http.protocol import Connection, Door
from keystead.http.reader import Reader
from keystead.keyring import Keyring
from keystead.seal import SealOptions
from keystead.seed import apply_seed, read_seed
from keystead.settings import Settings
from keystead.wire.http import Request, Response
from keystead.wire.validate import validate

OPERATIONS = ("Encrypt", "Decrypt", "GenerateDataKey", "Sign", "DescribeKey")
PEER, CONNECTIONS, GROUP = "127.0.0.1", 32, 32
SLICE = 20  # requests: short enough that some rounds run undisturbed


class Case:
    """One request, and what each stage made of it."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.request: Any = None
        self.route: Any = None
        self.tx: Any = None
        self.now = 0.0
        self.claimed: Any = None
        self.call: Any = None
        self.input: Any = None
        self.targets: Any = None
        self.answer: Any = None
        self.record = b""
        self.response: Any = None


class Transport(asyncio.Transport):
    """Takes answers and asks for the next request, as a client does that waits for each answer."""

    def __init__(self, loop: Any, left: list[bytes], finished: Callable[[], None]) -> None:
        super().__init__()
        self._loop, self._left, self._finished = loop, left, finished
        self.connection: Any = None

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return (PEER, 1) if name == "peername" else default

    def write(self, data: Any) -> None:
        if not data.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"refused: {bytes(data)[:600]!r}")
        self.send()

    def send(self) -> None:
        if self._left:
            self._loop.call_soon(self.connection.data_received, self._left.pop())
        else:
            self._finished()


class Bench:
    """A server in this process and its measurements."""

    def __init__(self, app: Any, operation: str, requests: int) -> None:
        self.app, self.operation = app, operation
        self.client = Client(0, deployment.USER_ID, deployment.USER_SECRET)
        self.root = Client(0, deployment.ROOT_ID, deployment.ROOT_SECRET)
        self.requests = requests

    def raw(self, client: Client, operation: str, document: dict[str, Any]) -> bytes:
        more = {
            "Accept-Encoding": "identity",
            "User-Agent": "Boto3/1.44.5 md/Botocore#1.44.5 ua/2.1 os/linux#6.1 lang/python#3.11.2",
            "Amz-Sdk-Request": "attempt=1",
        }
        prepared = client.prepare(operation, document)
        return prepared.changed(headers={**prepared.headers, **more}).raw()

    async def call(self, client: Client, operation: str, document: dict[str, Any]) -> dict[str, Any]:
        """The answer's document."""
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()
        self.app.handle(self.read(self.raw(client, operation, document)), answered.set_result)
        response = await answered
        if response.status != HTTPStatus.OK:
            raise SystemExit(f"{operation}: {response.status} {response.body!r}")
        return json.loads(response.body)

    def read(self, raw: bytes) -> Request:
        reader = Reader(Limits(), PEER, secure=False, certificate=b"")
        reader.feed(raw)
        return reader.ready.popleft()[0]

    async def documents(self) -> list[dict[str, Any]]:
        """What is asked, a different thing in each request."""
        plain = [base64.b64encode(os.urandom(64)).decode() for _ in range(self.requests)]
        key = {"KeyId": deployment.KEY_ID, "EncryptionContext": deployment.CONTEXT}
        if self.operation == "Encrypt":
            return [{**key, "Plaintext": text} for text in plain]
        if self.operation == "GenerateDataKey":
            return [{**key, "KeySpec": "AES_256"} for _ in plain]
        if self.operation == "Sign":
            key = {"KeyId": deployment.SIGN_KEY_ID, "SigningAlgorithm": "ECDSA_SHA_256"}
            return [{**key, "Message": text} for text in plain]
        if self.operation == "DescribeKey":
            return [{"KeyId": deployment.KEY_ID} for _ in plain]
        sealed = [await self.call(self.client, "Encrypt", {**key, "Plaintext": text}) for text in plain]
        return [
            {"CiphertextBlob": each["CiphertextBlob"], "EncryptionContext": deployment.CONTEXT}
            for each in sealed
        ]

    async def cases(self) -> list[Case]:
        return [Case(self.raw(self.client, self.operation, each)) for each in await self.documents()]

    # ------------------------------------------------------------------ stages, in the pipeline's order

    def stages(self) -> list[tuple[str, Callable[[Case], None]]]:  # noqa: C901  eleven stages in their order
        """The name of each stage and what does it to a case."""
        app = self.app
        pipeline = app._turns._handle.__self__
        parts, door = pipeline._parts, Door(app.handle, Limits(), app.wall, app.entropy, time.monotonic)
        reader = Reader(Limits(), PEER, secure=False, certificate=b"")
        around = around_of(parts, pipeline.perform)

        def read(case: Case) -> None:
            reader.feed(case.raw)
            case.request = reader.ready.popleft()[0]

        def route(case: Case) -> None:
            case.route = pipeline._router.route(case.request)

        def identify(case: Case) -> None:
            case.tx, case.now = parts.store.transaction(), parts.clock.now()
            case.claimed = parts.authenticator.authenticate(
                case.request, case.tx, case.route.service.name, parts.wall.now(), case.now
            )

        def call(case: Case) -> None:
            standing, claim, via = case.claimed
            parts.usage.callers.note(standing.caller, case.now, case.route.service.name, claim.region)
            ids = uuid_pair(parts.entropy)
            case.call = call_of(
                around, case.request, case.route, standing, claim.region, ids, case.tx, case.now, via
            )

        def decode(case: Case) -> None:
            case.input = case.route.decode(case.request)
            validate(case.input)

        def targets(case: Case) -> None:
            case.targets = case.route.service.operations[case.route.operation].targets(case.call, case.input)

        def permit(case: Case) -> None:
            authorize(case.call, case.targets)

        def perform(case: Case) -> None:
            operation = case.route.service.operations[case.route.operation]
            case.answer = operation.perform(case.call, case.input, *case.targets)

        def record(case: Case) -> None:
            (case.record,) = records_of(case.call, "kms", case.input, case.answer, case.targets, None)

        def answer(case: Case) -> None:
            response = case.route.answer(case.answer, case.call.request_id)
            case.response = door.writer.encode(response, "")

        return [
            ("read the request (llhttp, limits)", read),
            ("route", route),
            ("who calls: signature, standing", identify),
            ("the call: ids, last use of the caller", call),
            ("decode and validate", decode),
            ("targets", targets),
            ("authorize", permit),
            ("perform", perform),
            ("make the event", record),
            ("encode the answer", answer),
        ]

    def chain(self, cases: list[Case], rounds: int) -> float:
        """Microseconds per event to build a group: framing, SHA-256 chain, one string."""
        records, at = [case.record for case in cases[:GROUP]], Position(512, 0, bytes(32))
        return least(lambda: encode_group(at, records), rounds) / len(records)

    async def whole(self, cases: list[Case]) -> float:
        """Microseconds of CPU per request, all threads."""
        loop, finished = asyncio.get_running_loop(), asyncio.Event()
        left, open_ones = [case.raw for case in cases], CONNECTIONS
        count = len(left)
        door = Door(self.app.handle, Limits(), self.app.wall, self.app.entropy, time.monotonic)

        def one_done() -> None:
            nonlocal open_ones
            open_ones -= 1
            if not open_ones:
                finished.set()

        transports = [Transport(loop, left, one_done) for _ in range(CONNECTIONS)]
        for transport in transports:
            transport.connection = Connection(door)
            transport.connection.connection_made(transport)
        began = time.process_time()
        for transport in transports:
            transport.send()
        await finished.wait()
        return (time.process_time() - began) / count * 1e6


def least(run: Callable[[], object], rounds: int) -> float:
    """The least microseconds that `run` took."""
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - began)
    return best * 1e6


def _each(stage: Callable[[Case], None], cases: list[Case]) -> None:
    for case in cases:
        stage(case)


async def measure(app: Any, operation: str, rounds: int, requests: int) -> dict[str, float]:
    """Microseconds by stage."""
    bench = Bench(app, operation, requests)
    cases, rows = await bench.cases(), {}
    slices = [cases[start : start + SLICE] for start in range(0, len(cases), SLICE)]
    for name, stage in bench.stages():
        rows[name] = sum(least(partial(_each, stage, part), rounds) for part in slices) / len(cases)
    rows["frame and chain the event"] = bench.chain(cases, rounds)
    rows["sum of the above"] = sum(rows.values())
    rows["whole, durable"] = min([await bench.whole(cases) for _ in range(rounds)])
    return rows


@contextlib.asynccontextmanager
async def running(directory: Path) -> AsyncIterator[Any]:
    """A server on the deployment, without sockets."""
    entropy, clock = SystemEntropy(), SystemClock()
    store = apps.open_or_create(directory, SealOptions(directory=directory, entropy=entropy), entropy)
    seed = directory / "seed.yaml"
    seed.write_text(json.dumps(deployment.seed()))
    apply_seed(store, Keyring.open(store, entropy), read_seed(seed), clock.now(), entropy)
    settings = msgspec.structs.replace(
        Settings(), access_key_id=deployment.ROOT_ID, secret_access_key=deployment.ROOT_SECRET
    )
    app = apps.build(settings, store, directory, clock=clock, entropy=entropy)
    await app.start()
    bench = Bench(app, "", 1)
    await bench.call(bench.root, "CreateGrant", deployment.GRANT)
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    yield app
    await app.stop()


async def run(
    directory: Path, operations: list[str], rounds: int, requests: int
) -> dict[str, dict[str, float]]:
    """Microseconds by operation and stage."""
    async with running(directory) as app:
        return {name: await measure(app, name, rounds, requests) for name in operations}


def main() -> int:
    """0; the table is on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--operation", action="append", choices=OPERATIONS)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--requests", type=int, default=250)
    parser.add_argument("--json", type=Path, help="write the figures here too")
    arguments = parser.parse_args()
    operations = arguments.operation or ["Encrypt", "Decrypt", "GenerateDataKey"]
    sys.setswitchinterval(0.0005)
    with tempfile.TemporaryDirectory(prefix="keystead-stages-") as place:
        found = uvloop.run(run(Path(place), operations, arguments.rounds, arguments.requests))
    print(f"{'microseconds a request':44s}" + "".join(f"{name:>17s}" for name in operations))
    for stage in next(iter(found.values())):
        print(f"{stage:44s}" + "".join(f"{found[name][stage]:17.2f}" for name in operations))
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
