"""How long `keystead-verify bundle` takes for a log of a million events, on one core.

    python bench/verify.py [--events 1000000] [--shared] [--keep DIR]

The log is made of leaves as Keystead encodes them (one Encrypt by an IAM user, with its commitments), in which ids and numbers
differ: each event has an entry for itself, or (`--shared`) as many as may share one do. Making it is not timed.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from keystead.crypto import Secret
from keystead.tlog import Checkpoint, Salts, Signer, append, event_leaf, event_leaves, sign_checkpoint
from keystead.tlog.checkpoint import LOG
from keystead.tlog.tile import Tile

EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDACKCEVSQ6C2EXAMPLE",
        "arn": "arn:aws:iam::111122223333:user/Alice",
        "accountId": "111122223333",
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "userName": "Alice",
    },
    "eventTime": "2026-03-01T10:00:00Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Encrypt",
    "awsRegion": "us-west-2",
    "sourceIPAddress": "192.0.2.0",
    "userAgent": "Boto3/1.44",
    "requestParameters": {
        "keyId": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
        "encryptionContext": {"Department": "10103.0"},
    },
    "responseElements": None,
    "requestID": "f3c2d7be-9b2c-4c5a-8a87-5a6b2d3c4e5f",
    "eventID": "00000000-0000-4000-8000-000000000000",
    "readOnly": True,
    "resources": [
        {
            "accountId": "111122223333",
            "type": "AWS::KMS::Key",
            "ARN": "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab",
        }
    ],
    "eventType": "AwsApiCall",
    "managementEvent": True,
    "recipientAccountId": "111122223333",
}
BATCH = 4096


def leaves(count: int) -> Iterator[list[bytes]]:
    """The leaves, in batches: one encoded leaf with other numbers."""
    template = event_leaf(json.dumps(EVENT).encode(), "w0", 10**9, Salts(Secret(bytes(32))))
    before, _, after = template.partition(b'"index":1000000000')
    front, _, middle = before.partition(b'"eventID":"00000000-0000-4000-8000-000000000000"')
    for start in range(0, count, BATCH):
        yield [
            b'%s"eventID":"00000000-0000-4000-8000-%012x"%s"index":%d%s'
            % (front, number, middle, number, after)
            for number in range(start, min(start + BATCH, count))
        ]


def shared_leaves(count: int) -> Iterator[list[bytes]]:
    """The leaves of as many events that differ in their ids alone, in batches."""
    front, _, behind = json.dumps(EVENT, separators=(",", ":")).encode().partition(EVENT["eventID"].encode())
    for start in range(0, count, BATCH):
        events = [
            b"%s00000000-0000-4000-8000-%012x%s" % (front, number, behind)
            for number in range(start, min(start + BATCH, count))
        ]
        yield event_leaves([events], "w0", start, Salts(Secret(bytes(32))))


def make(directory: Path, batches: Iterator[list[bytes]]) -> str:
    """The log's verifier key; the log of these leaves is in `directory`."""
    signer, size = Signer("bench.example/log", LOG, Secret(bytes(32))), 0

    def read(tile: Tile) -> bytes:
        return (directory / "log" / tile.path).read_bytes()

    for batch in batches:
        growth = append(size, read, batch)
        for tile, data in growth.writes:
            file = directory / "log" / tile.path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)
        size, root = growth.size, growth.root
    (directory / "log" / "checkpoint").write_text(
        sign_checkpoint(Checkpoint(signer.key.name, size, root), signer)
    )
    return signer.key.text


def main() -> None:
    """Make the log, verify it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--shared", action="store_true")
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.keep or Path(temporary)
        made = shared_leaves if options.shared else leaves
        vkey = make(directory, made(options.events))
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "keystead_verify", "bundle", str(directory), "--vkey", vkey], check=True
        )
        wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime
    print(
        f"{options.events} events: {wall:.1f} s, {cpu:.1f} s of CPU, {used.ru_maxrss / 1024:.0f} MB at most, "
        f"{cpu / options.events * 1e6:.1f} us of CPU for each"
    )


if __name__ == "__main__":
    main()
