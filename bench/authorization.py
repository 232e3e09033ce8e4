#!/usr/bin/env python3
"""What authorization costs: the server beside the same server without it, in turn, on the same requests.

`bench/authorization.py [--rounds 15] [--requests 1000]` starts both, each with a key whose policy has three
statements with conditions and twenty grants, and sends Encrypt with an encryption context as four callers:
one whom the key policy names, one whom its identity policy lets, the session of a role within a boundary and a
session policy, and one who has nothing but a grant. It prints the median CPU time of the server per request,
with and without, and the median difference of neighbouring rounds.

The server without authorization exists in this program's own process only: nothing in the project can be
told to leave it out.
"""

from __future__ import annotations

import argparse
import json
import socket
import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

from signed_http import Client, Prepared

from keystead.api import pipeline
from keystead.testing import RunningServer
from keystead.testing.people import Person, allow

ACCOUNT: Final = "000000000000"
CONTEXT: Final = {"department": "finance", "tenant": "acme"}
GRANTS: Final = 20
BRIEF: Final = {"StringEquals": {"kms:EncryptionContext:department": "finance"}}


def key_policy(named: str) -> dict[str, Any]:
    """Three statements, each with conditions."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "Account",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
                "Condition": {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
            },
            {
                "Sid": "User",
                "Effect": "Allow",
                "Principal": {"AWS": named},
                "Action": ["kms:Encrypt", "kms:Decrypt", "kms:GenerateDataKey*"],
                "Resource": "*",
                "Condition": BRIEF
                | {"ForAllValues:StringEquals": {"kms:EncryptionContextKeys": ["department", "tenant"]}},
            },
            {
                "Sid": "Nobody",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "kms:*",
                "Resource": "*",
                "Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}},
            },
        ],
    }


class Scene:
    """A server with a key, and the requests of each caller."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        named = server.user("named")
        kms = server.client("kms")
        policy = json.dumps(key_policy(named.arn))
        self.key = kms.create_key(Policy=policy)["KeyMetadata"]["KeyId"]
        granted = server.user("granted")
        for number in range(GRANTS):
            grantee = granted.arn if number == GRANTS // 2 else server.user(f"other-{number}").arn
            kms.create_grant(
                KeyId=self.key,
                GranteePrincipal=grantee,
                Operations=["Encrypt", "Decrypt"],
                Constraints={"EncryptionContextSubset": {"department": "finance"}},
            )
        lets = allow("kms:Encrypt", "kms:Decrypt", **BRIEF)
        role = server.role("worker", {"use": lets})
        session = server.assume(role, policies=(json.dumps(lets),))
        callers = {
            "named by the key policy": named,
            "let by an identity policy": server.user("let", {"use": lets}),
            "a role's session": session,
            "by a grant among twenty": granted,
        }
        self.requests = {name: self._request(person) for name, person in callers.items()}

    def _request(self, person: Person) -> Prepared:
        client = Client(self.server.port, person.access_key_id, person.secret_access_key)
        token = {"X-Amz-Security-Token": person.token} if person.token else {}
        body = {"KeyId": self.key, "Plaintext": "c2VjcmV0", "EncryptionContext": CONTEXT}
        return client.prepare("Encrypt", body, headers=token)


def serve(*, authorized: bool) -> None:
    """Run a server until stdin ends; tell its port and its requests on stdout."""
    with RunningServer() as server:
        scene = Scene(server)
        if not authorized:
            pipeline.authorize = lambda _call, _targets: None
        told = {name: request.raw().decode("latin-1") for name, request in scene.requests.items()}
        print(json.dumps({"port": server.port, "requests": told}), flush=True)
        sys.stdin.read()


class Side:
    """One of the two servers, and a kept connection to it."""

    def __init__(self, name: str) -> None:
        command = [sys.executable, __file__, "--serve", name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        told = json.loads(self.process.stdout.readline())
        self.requests = {name: text.encode("latin-1") for name, text in told["requests"].items()}
        self.connection = socket.create_connection(("127.0.0.1", told["port"]))

    def cpu(self) -> float:
        """Microseconds of CPU of all its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def round(self, request: bytes, count: int) -> float:
        """Microseconds of CPU for each of `count` requests, one after the other."""
        before = self.cpu()
        for _ in range(count):
            self.connection.sendall(request)
            answer = self.connection.recv(65536)
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(answer.decode("latin-1"))
        return (self.cpu() - before) / count

    def stop(self) -> None:
        self.connection.close()
        self.process.communicate("")


def compare(sides: tuple[Side, Side], rounds: int, count: int, show: Callable[[str], None]) -> None:
    """Measure each caller's requests on both sides in turn, first one first and then the other."""
    show(f"{'caller':28} {'with':>8} {'without':>8} {'added':>8}   (microseconds of CPU per request)")
    for caller in sides[0].requests:
        measured: list[tuple[float, float]] = []
        for number in range(rounds + 1):
            order = sides if number % 2 else sides[::-1]
            taken = {side: side.round(side.requests[caller], count) for side in order}
            measured.append((taken[sides[0]], taken[sides[1]]))
        kept = measured[1:]  # the first warms both up
        columns = [statistics.median(column) for column in zip(*kept, strict=True)]
        added = statistics.median(one - other for one, other in kept)
        show(f"{caller:28} {columns[0]:8.1f} {columns[1]:8.1f} {added:8.1f}   x{columns[0] / columns[1]:.3f}")


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--requests", type=int, default=1000)
    parser.add_argument("--serve", choices=("with", "without"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(authorized=options.serve == "with")
        return
    sides = Side("with"), Side("without")
    try:
        compare(sides, options.rounds, options.requests, print)
    finally:
        for side in sides:
            side.stop()


if __name__ == "__main__":
    main()
