#!/usr/bin/env python3
"""How a request's cost grows with what the deployment holds: `bench/growth.py [--worlds keys,grants] [--rounds 12]`.

Two whole servers run in this process, without sockets, one small and one grown in a single respect; the same
requests go to both in turn, evidence on the disk included. Told is the CPU time of all threads per request, the least
of all rounds for each, and their ratio. Of many keys ten are asked for in turn, then another one each time; of many users one
calls, then each in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import resource
import sys
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

import deployment
import msgspec
import uvloop
from signed_http import Client
from stages import Bench, Case

from keystead import app as apps
from keystead.audit.journal import Journal
from keystead.clock import SystemClock
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.seal import SealOptions
from keystead.seed import apply_seed, read_seed
from keystead.seed.file import Seed, SeedAccount, SeedKey
from keystead.settings import Settings
from verify import EVENT

CHUNK = 5000
REQUESTS = 200
RESTING = 0.15
"""The share of a core that upkeep may take: keys are counted at a twentieth."""


class World(msgspec.Struct):
    """What a deployment holds beside the key that is asked for."""

    keys: int = 10
    grants: int = 10
    policy: int = 1
    users: int = 1
    aliases: int = 1
    events: int = 0
    operation: str = "Encrypt"


GROWN = {
    "keys": World(keys=1_000_000),
    "grants": World(grants=10_000),
    "grants, decrypt": World(grants=10_000, operation="Decrypt"),
    "policy": World(policy=32_000),
    "principals": World(users=1_000),
    "aliases": World(aliases=100),
    "evidence": World(events=1_000_000),
}


def user_id(number: int) -> str:
    """The access key id of a further user."""
    return f"AKIDGROWTH{number:010d}"


def seed_of(world: World) -> dict[str, Any]:
    """The seed of `deployment.py` with a longer policy, more users or more aliases."""
    seed = deployment.seed()
    (account,) = seed["accounts"]
    key = account["keys"][0]
    key["aliases"] = [f"alias/growth-{number}" for number in range(world.aliases)]
    pad = {
        "Effect": "Allow",
        "Principal": {"AWS": deployment.USER_ARN},
        "Action": "kms:Verify",
        "Resource": "*",
        "Condition": {"StringLike": {"kms:EncryptionContext:tenant": "other-tenant-*"}},
    }
    while len(json.dumps(key["policy"])) + len(json.dumps(pad)) + 2 < world.policy:
        number = len(key["policy"]["Statement"])
        key["policy"]["Statement"].append({"Sid": f"Pad{number}", **pad})
    account["users"] += [
        {
            "name": f"user-{number}",
            "policies": account["users"][0]["policies"],
            "credentials": {"access_key_id": user_id(number), "secret_access_key": deployment.USER_SECRET},
        }
        for number in range(world.users - 1)
    ]
    return seed


def fill(directory: Path, world: World) -> tuple[Any, list[str]]:
    """The store, and the ids of its further keys in no order; what was kept of an earlier run is taken as it is."""
    entropy, clock = SystemEntropy(), SystemClock()
    store = apps.open_or_create(directory, SealOptions(directory=directory, entropy=entropy), entropy)
    kept = directory / "ids.json"
    if kept.exists():
        return store, json.loads(kept.read_text())
    keyring = Keyring.open(store, entropy)
    file = directory / "seed.yaml"
    file.write_text(json.dumps(seed_of(world)))
    apply_seed(store, keyring, read_seed(file), clock.now(), entropy)
    # In order, so that a chunk falls into few leaves of the store's tree; asked for in another order.
    ids = sorted(str(uuid.uuid4()) for _ in range(world.keys))
    policy = seed_of(World())["accounts"][0]["keys"][0]["policy"]
    for start in range(0, len(ids), CHUNK):
        keys = [
            SeedKey(id=key, region=deployment.REGION, policy=policy) for key in ids[start : start + CHUNK]
        ]
        account = SeedAccount(id=deployment.ACCOUNT, name="bench", keys=keys)
        apply_seed(store, keyring, Seed(accounts=[account]), time.time(), entropy)
    if world.events:
        write_events(directory, world.events)
    random.shuffle(ids)
    kept.write_text(json.dumps(ids))
    return store, ids


def write_events(directory: Path, count: int) -> None:
    """None; the journal holds that many events of one use, as a server writes them."""
    event = json.dumps({**EVENT, "requestID": "%s", "eventID": "%s"}).encode()
    journal = Journal.open(directory, "w0")
    for _ in range(0, count, 128):
        journal.append([event % (_id(), _id()) for _ in range(128)], 0)
    journal.close()


def _id() -> bytes:
    return str(uuid.uuid4()).encode()


@asynccontextmanager
async def served(directory: Path, world: World) -> AsyncIterator[tuple[Bench, Callable[[bool], list[Case]]]]:
    """A running server and what makes its requests."""
    began = time.perf_counter()
    store, ids = fill(directory, world)
    filled = time.perf_counter()
    settings = msgspec.structs.replace(
        Settings(), access_key_id=deployment.ROOT_ID, secret_access_key=deployment.ROOT_SECRET
    )
    app = apps.build(settings, store, directory, clock=SystemClock(), entropy=SystemEntropy())
    await app.start()
    print(f"# {world}: filled in {filled - began:.1f} s, started in {time.perf_counter() - filled:.2f} s")
    bench = Bench(app, world.operation, REQUESTS)
    for number in range(world.grants):
        operations = ["Decrypt"] if not number else ["DescribeKey"]
        await bench.call(
            bench.root, "CreateGrant", {**deployment.GRANT, "Name": f"g{number}", "Operations": operations}
        )
    requests = await requests_of(bench, world, ids)
    await settled()
    yield bench, requests
    await app.stop()


async def settled() -> None:
    """None once this process rests: what it found at its start is taken in."""
    began = time.perf_counter()
    while True:
        spent = time.process_time()
        await asyncio.sleep(0.5)
        if time.process_time() - spent < RESTING * 0.5:
            break
    print(f"# at rest after {time.perf_counter() - began:.1f} s")


async def requests_of(bench: Bench, world: World, ids: list[str]) -> Callable[[bool], list[Case]]:
    """What makes the requests of a round: for ten keys in turn by one user, or for another key or by another user each time."""
    documents, at = await bench.documents(), 0
    others = [Client(0, user_id(number), deployment.USER_SECRET) for number in range(world.users - 1)]

    def cases(cold: bool) -> list[Case]:
        nonlocal at
        made = []
        for document in documents:
            if world.keys > World().keys:
                document["KeyId"] = ids[at % (len(ids) if cold else 10)]
            client = others[at % len(others)] if others and cold else bench.client
            at += 1
            made.append(Case(bench.raw(client, world.operation, document)))
        return made

    return cases


async def compare(name: str, rounds: int, scale: float, keep: Path | None) -> None:
    """None; a line of the table is printed, two if there are more keys."""
    grown = GROWN[name]
    many = grown.keys > World().keys or grown.users > World().users
    if grown.keys > World().keys:
        grown.keys = max(int(grown.keys * scale), World().keys)
    grown.events = int(grown.events * scale)
    with tempfile.TemporaryDirectory(prefix="keystead-growth-") as temporary:
        place = keep / name if keep else Path(temporary)
        async with (
            served(Path(place, "small"), World(operation=grown.operation)) as (one, ask_one),
            served(Path(place, "grown"), grown) as (other, ask_other),
        ):
            gc.collect()
            gc.freeze()
            gc.set_threshold(20_000, 20, 50)
            for cold in (False, True) if many else (False,):
                costs: tuple[list[float], list[float]] = ([], [])
                for _ in range(rounds):
                    costs[0].append(await one.whole(ask_one(False)))
                    costs[1].append(await other.whole(ask_other(cold)))
                    await asyncio.sleep(0.05)
                few, more = map(min, costs)
                label = f"{name}, each another" if cold else name
                print(f"{label:24s} {few:8.1f} {more:8.1f} {more / few:7.2f}", flush=True)


async def run(worlds: list[str], rounds: int, scale: float, keep: Path | None) -> None:
    """None; the table is printed."""
    print(f"{'':24s} {'small us':>8s} {'grown us':>8s} {'ratio':>7s}")
    for name in worlds:
        await compare(name, rounds, scale, keep)
    print(f"# at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB resident")


def main() -> int:
    """0; the table is on stdout."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--worlds", default=",".join(GROWN))
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--scale", type=float, default=1.0, help="of a million keys and events")
    parser.add_argument(
        "--keep", type=Path, help="where the deployments are, to be measured again without filling"
    )
    arguments = parser.parse_args()
    sys.setswitchinterval(0.0005)
    uvloop.run(run(arguments.worlds.split(","), arguments.rounds, arguments.scale, arguments.keep))
    return 0


if __name__ == "__main__":
    sys.exit(main())
