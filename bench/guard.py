#!/usr/bin/env python3
"""What an account's guard adds to PutKeyPolicy: `bench/guard.py [--rounds 100]`.

One server with people and a key, and key policies of some sizes, half of which let somebody in anew. Each round puts one
without a guard and one with a guard in mode `audit` against everything, in turn, by boto3 on one connection. Told are the
median and the 99th percentile of both, in milliseconds, and their ratio.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from typing import Any, Final

from keystead.api.guards import GUARDS, Guard, GuardRule
from keystead.testing import RunningServer, allow

ACCOUNT: Final = "000000000000"
PEOPLE: Final = 100
SIZES: Final = (5, 20, 80)
ACTIONS: Final = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:DescribeKey", "kms:ReEncrypt*")
GUARDED: Final = Guard(
    rules=(GuardRule(modes={"outside": "audit", "public": "audit", "duties": "audit", "lockout": "audit"}),)
)


def condition(chance: random.Random, number: int) -> dict[str, Any]:
    """One of the usual conditions of key policies."""
    usual: tuple[dict[str, Any], ...] = (
        {"StringEquals": {"kms:ViaService": f"s3.eu-west-{number % 3}.amazonaws.com"}},
        {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
        {"StringLike": {"kms:EncryptionContext:app": f"app-{number}-*"}},
        {"IpAddress": {"aws:SourceIp": f"10.{number % 256}.0.0/16"}},
        {"Bool": {"aws:SecureTransport": "true"}},
        {},
    )
    return chance.choice(usual)


def policy(size: int, chance: random.Random) -> str:
    """A key policy of so many statements, for people of the account and now and then a partner."""
    root = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    ]
    for number in range(size - 1):
        outside = chance.random() < 0.5 / size
        who = "444455556666:root" if outside else f"{ACCOUNT}:user/u{chance.randrange(PEOPLE)}"
        statements.append(
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{who}"},
                "Action": chance.sample(ACTIONS, 2),
                "Resource": "*",
                "Condition": condition(chance, number),
            }
        )
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def main() -> None:
    """Print what each size of policy takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=100)
    rounds, chance = parser.parse_args().rounds, random.Random(1)
    with RunningServer() as server:
        server.credential("444455556666")
        for user in range(PEOPLE):
            some = allow("kms:Decrypt") if user % 10 else allow("kms:*")
            server.user(f"u{user}", {"some": some})
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        for size in SIZES:
            took: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(rounds):
                for guarded in (False, True):
                    _set(server, GUARDED if guarded else Guard())
                    text = policy(size, chance)
                    began = time.perf_counter()
                    kms.put_key_policy(KeyId=key, Policy=text)
                    took[guarded].append((time.perf_counter() - began) * 1000)
            print(
                f"{size} statements: {_told(took[False])} without, {_told(took[True])} with a guard; ", end=""
            )
            print(
                f"the medians are 1 to {statistics.median(took[True]) / statistics.median(took[False]):.1f}"
            )


def _set(server: RunningServer, guard: Guard) -> None:
    server.store.run(lambda tx: tx.put(GUARDS, ACCOUNT, guard))


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, p99 {statistics.quantiles(times, n=100)[98]:.1f} ms"


if __name__ == "__main__":
    main()
