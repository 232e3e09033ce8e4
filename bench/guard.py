#!/usr/bin/env python3
"""What an account's guard adds to PutKeyPolicy: `bench/guard.py [--rounds 100]`.

One server with people and a key, and key policies of some sizes, half of which let somebody in anew. Each round puts one
without a guard and one with a guard in mode `audit` against everything, in turn, by boto3 on one connection. Told are the
median and the 99th percentile of both, in milliseconds, and their ratio; and how much processor time the same decisions take by
themselves, which other work on the machine does not stretch. The garbage collector is set as `keystead serve` sets it.
"""

from __future__ import annotations

import argparse
import gc
import json
import random
import statistics
import time
from typing import Any, Final

import msgspec

from keystead.analysis.budget import Budget
from keystead.analysis.questions.change import KINDS, Change
from keystead.analysis.questions.violations import violations
from keystead.api.authorize import key_policy
from keystead.api.guards import GUARDS, Guard, GuardRule
from keystead.api.people import people
from keystead.services.kms.guard import analyzed
from keystead.services.kms.tables import KEYS
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
        gc.collect()
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)
        for size in SIZES:
            decisions = _Decisions(server, key)
            took: dict[bool, list[float]] = {False: [], True: []}
            for _ in range(rounds):
                for guarded in (False, True):
                    _set(server, GUARDED if guarded else Guard())
                    text = policy(size, chance)
                    began = time.perf_counter()
                    kms.put_key_policy(KeyId=key, Policy=text)
                    took[guarded].append((time.perf_counter() - began) * 1000)
                    decisions.decide(text)
            print(f"{size} statements: {_told(took[False])} without, {_told(took[True])} with a guard;")
            ratio = statistics.median(took[True]) / statistics.median(took[False])
            print(
                f"    the medians are 1 to {ratio:.1f}; processor time of a decision: {_told(decisions.took)}"
            )


class _Decisions:
    """The guard's decision by itself, on one policy after the other."""

    def __init__(self, server: RunningServer, key: str) -> None:
        self._tx = server.store.transaction()
        self._record = self._tx.get(KEYS, f"{ACCOUNT}/us-east-1/{key}")
        self.took: list[float] = []

    def decide(self, text: str) -> None:
        """None; the time it took is remembered. The policy is compiled before, as PutKeyPolicy itself does."""
        assert self._record is not None
        record = msgspec.structs.replace(self._record, policy=text)
        key_policy(record)
        began = time.thread_time()
        everybody = people(self._tx, ACCOUNT)
        change = Change(
            before=analyzed(self._tx, self._record),
            after=analyzed(self._tx, record),
            people_before=everybody,
            people_after=everybody,
            zone=frozenset({ACCOUNT}),
        )
        list(violations(change, KINDS, Budget()))
        self.took.append((time.thread_time() - began) * 1000)
        self._record = record


def _set(server: RunningServer, guard: Guard) -> None:
    server.store.run(lambda tx: tx.put(GUARDS, ACCOUNT, guard))


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, p99 {statistics.quantiles(times, n=100)[98]:.1f} ms"


if __name__ == "__main__":
    main()
