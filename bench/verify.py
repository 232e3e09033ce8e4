"""How long `keystead-verify bundle` takes for a log of a million events, on one core.

    python bench/verify.py [--events 1000000] [--keep DIR]

The log is made of leaves as Keystead encodes them (one Encrypt by an IAM user, with its commitments); numbers and
times differ. Making it is not timed.
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
from keystead.tlog import Checkpoint, Salts, Signer, append, event_leaf, sign_checkpoint
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


def make(directory: Path, count: int) -> str:
    """The log's verifier key; the log is in `directory`."""
    signer, size = Signer("bench.example/log", LOG, Secret(bytes(32))), 0

    def read(tile: Tile) -> bytes:
        return (directory / "log" / tile.path).read_bytes()

    for batch in leaves(count):
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
    parser.add_argument("--keep", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        directory = options.keep or Path(temporary)
        vkey = make(directory, options.events)
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
