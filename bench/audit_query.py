"""What finding events costs when there are ten times as many: `bench/audit_query.py [--events 1000000] [--rounds 15]`.

Two deployments are made of journals of synthetic events, one with a tenth of the other's, and indexed by the server's own
code. Then the same questions go to both in turn: pages of LookupEvents (the operation itself, without a socket), and
`keystead audit query`'s first fifty. Told is the median CPU time of this thread, which other work on the machine does
not change, and the clock's median beside it. What is read is in the page cache, as it is of events just written.

With `--copied` the larger index is the smaller one ten times over, each copy later than the one before, and all of
them point to the same journals: ten million events in a minute, where indexing them takes several.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import shutil
import sqlite3
import statistics
import tempfile
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

from keystead.api.call import Around, Call
from keystead.api.trails import Trails
from keystead.audit.batches import IDS, TIMES, close
from keystead.audit.event import event_time
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.query import Filter, find
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.services.cloudtrail.lookup import lookup_events
from keystead.storage import BACKENDS, Store
from keystead.wire.models import cloudtrail as wire

ACCOUNT, REGION = "111122223333", "us-west-2"
START = 1_700_000_000
PER_SECOND = 10
GROUP = 2000
OPERATIONS = (
    "Encrypt",
    "Decrypt",
    "Decrypt",
    "Decrypt",
    "GenerateDataKey",
    "GenerateDataKey",
    "Sign",
    "DescribeKey",
)
RARE = ("CreateKey", "DisableKey", "PutKeyPolicy", "ScheduleKeyDeletion", "CreateGrant")
KEYS, USERS, TENANTS = 1000, 200, 5000
CHANGES, REFUSALS = 0.001, 0.01
"""Shares of events that change something, and that are refused."""


def key_arn(number: int) -> str:
    """The ARN of one of the keys."""
    return f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{number:08x}-12ab-34cd-56ef-1234567890ab"


def event_id(number: int) -> str:
    """The id of event `number`."""
    return f"{number * 2654435761 % (1 << 32):08x}-0000-4000-8000-{number:012x}"


def event(number: int, chance: random.Random) -> bytes:
    """One event as the server writes it: mostly a use of one of the keys, with an encryption context."""
    rare = chance.random() < CHANGES
    operation = chance.choice(RARE if rare else OPERATIONS)
    user, key = chance.randrange(USERS), key_arn(chance.randrange(KEYS))
    members: dict[str, Any] = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": f"AIDA{user:017d}",
            "arn": f"arn:aws:iam::{ACCOUNT}:user/u{user}",
            "accountId": ACCOUNT,
            "accessKeyId": f"AKIA{user:016d}",
            "userName": f"u{user}",
        },
        "eventTime": event_time(START + number // PER_SECOND),
        "eventSource": "kms.amazonaws.com",
        "eventName": operation,
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.0",
        "userAgent": "Boto3/1.44",
        **({"errorCode": "AccessDenied"} if chance.random() < REFUSALS else {}),
        "requestParameters": {
            "keyId": key,
            "encryptionContext": {"tenant": str(chance.randrange(TENANTS))},
        },
        "responseElements": None,
        "requestID": event_id(number),
        "eventID": event_id(number),
        "readOnly": not rare,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
    }
    return json.dumps(members, separators=(",", ":")).encode()


_TIMES = "WITH RECURSIVE n (k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < :times) "
COPY = (
    "UPDATE batch SET open = 0",
    _TIMES
    + """INSERT INTO batch SELECT id + :batches * k, worker, sequence, first + :count * k, count,
        oldest + :span * k, newest + :span * k, 1 FROM n CROSS JOIN one.batch""",
    _TIMES
    + """INSERT INTO packed SELECT id + (:batches * k << 10), later(id >> 8 & 3, data, k)
        FROM n CROSS JOIN one.packed""",
    _TIMES + "INSERT INTO posting SELECT batch + :batches * k, term, data FROM n CROSS JOIN one.posting",
)


def later(span: int) -> Callable[[int, bytes, int], bytes]:
    """A function that moves a batch's column on: times by so many seconds for each copy, short ids by one."""

    def moved(kind: int, data: bytes, copy: int) -> bytes:
        form, by = {TIMES: ("q", span * copy), IDS: ("I", copy)}.get(kind, ("Q", 0))
        limit = 1 << 32 if kind == IDS else 1 << 64
        return array(form, [(each + by) % limit for each in array(form, data)]).tobytes() if by else data

    return moved


class World:
    """A deployment's journals and index, with `count` events."""

    def __init__(self, root: Path, count: int, store: Store) -> None:
        self.count = count
        root.mkdir(parents=True, exist_ok=True)
        journal, chance = Journal.open(root, "w0"), random.Random(count)
        for start in range(journal.next_index, count, GROUP):
            journal.append([event(n, chance) for n in range(start, min(start + GROUP, count))])
        journal.abandon()
        self.index = Index(root)
        began, clock = time.process_time(), time.perf_counter()
        self.indexed = self.index.catch_up().events
        self.indexing = time.process_time() - began
        self.indexing_clock = time.perf_counter() - clock
        self.bytes = self.index.path.stat().st_size
        self.distinct = count
        self.keyring = Keyring.open(store, SystemEntropy())

    def multiply(self, other: World, times: int) -> None:
        """None; the index has each event of the other, which it is a copy of, so many times.

        Each time they have times, row ids and short event ids of their own.
        """
        began = time.perf_counter()
        shifts = {"count": self.count, "span": self.count // PER_SECOND, "times": times}
        with closing(sqlite3.connect(self.index.path, isolation_level=None)) as connection:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -262144"):
                connection.execute(f"PRAGMA {pragma}")
            connection.execute("ATTACH ? AS one", (str(other.index.path),))
            connection.create_function("later", 3, later(shifts["span"]))
            (shifts["batches"],) = connection.execute("SELECT max(id) FROM batch").fetchone()
            for statement in COPY:
                connection.execute(statement, shifts)
            for (batch,) in connection.execute("SELECT id FROM batch WHERE open").fetchall():
                close(connection, batch)
        self.count *= times
        self.bytes = self.index.path.stat().st_size
        print(f"# copied in {time.perf_counter() - began:.0f} s")

    @property
    def middle(self) -> float:
        """The time of the event half way."""
        return START + self.count // 2 / PER_SECOND

    def lookup(self, **asked: Any) -> Any:
        """A page of LookupEvents."""
        trails = Trails(self.index, None, lambda _tx, _arn: False)
        around = Around(**(dict.fromkeys(Around.__struct_fields__) | {"trails": trails}))
        told = {"account": ACCOUNT, "region": REGION, "keyring": self.keyring, "around": around}
        given = dict.fromkeys(Call.__struct_fields__) | told
        answer = lookup_events.perform(Call(**given), wire.LookupEventsRequest(**asked), None)
        return answer.events

    def query(self, **asked: Any) -> list[Any]:
        """The first fifty of `keystead audit query`."""
        return list(islice(find(self.index, Filter(**asked), page=50), 50))


def by(name: str, value: str) -> dict[str, Any]:
    """The members of a LookupEvents request with this attribute."""
    return {"lookup_attributes": [wire.LookupAttribute(attribute_key=name, attribute_value=value)]}


Question = Callable[[World, random.Random], Any]
QUESTIONS: dict[str, Question] = {
    "LookupEvents, newest": lambda world, _: world.lookup(),
    "LookupEvents, EventName=Decrypt": lambda world, _: world.lookup(**by("EventName", "Decrypt")),
    "LookupEvents, EventName=DisableKey (rare)": lambda world, _: world.lookup(
        **by("EventName", "DisableKey")
    ),
    "LookupEvents, Username": lambda world, c: world.lookup(**by("Username", f"u{c.randrange(USERS)}")),
    "LookupEvents, ResourceName": lambda world, c: world.lookup(
        **by("ResourceName", key_arn(c.randrange(KEYS)))
    ),
    "LookupEvents, EventId": lambda world, c: world.lookup(
        **by("EventId", event_id(c.randrange(world.distinct)))
    ),
    "LookupEvents, ReadOnly=false (rare)": lambda world, _: world.lookup(**by("ReadOnly", "false")),
    "LookupEvents, an hour in the middle": lambda world, _: world.lookup(
        start_time=world.middle, end_time=world.middle + 3600
    ),
    "query, key and operation": lambda world, c: world.query(
        key=key_arn(c.randrange(KEYS)), operation="Sign"
    ),
    "query, principal and any failure": lambda world, c: world.query(
        principal=f"arn:aws:iam::{ACCOUNT}:user/u{c.randrange(USERS)}", outcome="error"
    ),
    "query, encryption context": lambda world, c: world.query(
        context=(("tenant", str(c.randrange(TENANTS))),)
    ),
    "query, key before the middle": lambda world, c: world.query(
        key=key_arn(c.randrange(KEYS)), until=world.middle
    ),
}


def measured(worlds: list[World], rounds: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """Of each question the medians of both worlds, smaller first: CPU time and the clock's, in milliseconds."""
    for name, ask in QUESTIONS.items():
        cpu: list[list[float]] = [[], []]
        clock: list[list[float]] = [[], []]
        answered = 0
        for number in range(rounds + 1):
            for place, world in enumerate(worlds):
                chance = random.Random(number)
                began, started = time.thread_time(), time.perf_counter()
                found = ask(world, chance)
                if number:  # the first round warms up
                    cpu[place].append((time.thread_time() - began) * 1e3)
                    clock[place].append((time.perf_counter() - started) * 1e3)
                answered += bool(found) and place
        assert answered, name
        yield name, [statistics.median(each) for each in cpu], [statistics.median(each) for each in clock]


def main() -> None:
    """Build, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--keep", type=Path, help="where the deployments are, to be gone on with or asked again"
    )
    parser.add_argument("--copied", action="store_true", help="the larger index is made of the smaller one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="keystead-bench-") as temporary:
        place = options.keep or Path(temporary)
        store = Store.create(BACKENDS["memory"].open(Path()), bytes(32), SystemEntropy())
        few = options.events // 10
        worlds = [World(place / "small", few, store)]
        if options.copied:
            shutil.copytree(place / "small", place / "large")
        worlds.append(World(place / "large", few if options.copied else options.events, store))
        if options.copied:
            worlds[1].multiply(worlds[0], 10)
        print(f"{datetime.now(UTC):%Y-%m-%d}, load average {Path('/proc/loadavg').read_text().split()[0]}")
        for world in worlds:
            print(f"{world.count:>10} events, {world.bytes / world.count:.0f} bytes of index each", end="")
            each = f"{world.indexing / world.indexed * 1e6:.1f} us of CPU each" if world.indexed else "before"
            print(f"; {world.indexed} indexed now ({each}), {world.indexing_clock:.0f} s by the clock")
        print(f"{'CPU ms':42}{'small':>9}{'large':>9}{'ratio':>8}{'clock, large':>15}")
        for name, cpu, clock in measured(worlds, options.rounds):
            print(f"{name:42}{cpu[0]:9.2f}{cpu[1]:9.2f}{cpu[1] / cpu[0]:8.2f}{clock[1]:15.2f}")
    print(f"peak memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


if __name__ == "__main__":
    main()
