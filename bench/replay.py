#!/usr/bin/env python3
"""How long `keystead analyze replay` takes for a million recorded uses: `bench/replay.py [--events 1000000]`.

A deployment is made with one key and people, and a journal with synthetic events of that key: some users, operations and
tenants. The command runs as a process of its own, start-up included, under three policies: one that tells requests apart by
operation and service, one by a pair of the encryption context of which there are a few values, and one by a pair of
which there are thousands. Told is CPU time and the clock.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from keystead.audit.event import event_time
from keystead.audit.journal import Journal
from keystead.testing import RunningServer

KEYSTEAD: Final = str(Path(sys.executable).with_name("keystead"))
ACCOUNT, REGION, START, GROUP = "000000000000", "us-east-1", 1_700_000_000, 2000
OPERATIONS: Final = ("Encrypt", "Decrypt", "Decrypt", "Decrypt", "GenerateDataKey", "DescribeKey")
USERS, STAGES, TENANTS = 50, 3, 5000

POLICIES: Final[dict[str, dict[str, Any]]] = {
    "operation and service": {"StringEqualsIfExists": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}},
    "a pair with 3 values": {"StringNotEquals": {"kms:EncryptionContext:stage": "none"}},
    "a pair with 5000 values": {"StringNotEquals": {"kms:EncryptionContext:tenant": "none"}},
}


def event(number: int, key: str, ids: list[str], chance: random.Random) -> bytes:
    """One event as the server writes it: a use of the key."""
    user = chance.randrange(USERS)
    name = f"u{user}"
    identity = {
        "type": "IAMUser",
        "principalId": ids[user],
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accountId": ACCOUNT,
        "accessKeyId": f"AKIA{user:016d}",
        "userName": name,
    }
    context = {"stage": f"s{chance.randrange(STAGES)}", "tenant": f"t{chance.randrange(TENANTS)}"}
    members = {
        "eventVersion": "1.11",
        "userIdentity": identity,
        "eventTime": event_time(START + number // 10),
        "eventSource": "kms.amazonaws.com",
        "eventName": chance.choice(OPERATIONS),
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.0",
        "userAgent": "Boto3/1.44",
        "requestParameters": {"keyId": key, "encryptionContext": context},
        "responseElements": None,
        "requestID": f"{number:08x}-0000-4000-8000-{number:012x}",
        "eventID": f"{number:08x}-0000-4000-8000-{number:012x}",
        "readOnly": True,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }
    return json.dumps(members, separators=(",", ":")).encode()


def policy(condition: dict[str, Any]) -> str:
    """A key policy that lets everybody of the account in, under a condition."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    people = {"AWS": [f"arn:aws:iam::{ACCOUNT}:user/u{user}" for user in range(USERS)]}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": root, "Action": "kms:PutKeyPolicy", "Resource": "*"},
        {"Effect": "Allow", "Principal": people, "Action": "kms:*", "Resource": "*", "Condition": condition},
        {"Effect": "Allow", "Principal": people, "Action": "kms:DescribeKey", "Resource": "*"},
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main() -> None:
    """Print seconds and events per second for each policy."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--events", type=int, default=1_000_000)
    count = parser.parse_args().events
    with RunningServer() as server, tempfile.TemporaryDirectory() as scratch:
        ids = [server.user(f"u{user}").id for user in range(USERS)]
        key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        journal, chance = Journal.open(server.data_dir, "bench"), random.Random(1)
        for start in range(0, count, GROUP):
            journal.append([event(n, key, ids, chance) for n in range(start, min(start + GROUP, count))])
        journal.abandon()
        for name, condition in POLICIES.items():
            path = Path(scratch) / "policy.json"
            path.write_text(policy(condition))
            command = [KEYSTEAD, "analyze", "replay", str(path), "--key-arn", key]
            before, clock = _used(), time.perf_counter()
            run = subprocess.run(
                [*command, "--data-dir", str(server.data_dir)], capture_output=True, text=True, check=False
            )
            cpu, wall = _used() - before, time.perf_counter() - clock
            said = (run.stdout or run.stderr).splitlines()[-1]
            print(f"told apart by {name}: {cpu:.1f} s of CPU time, {wall:.1f} s; {said.partition(': ')[2]}")


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
