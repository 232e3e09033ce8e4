#!/usr/bin/env python3
"""What authorization costs: the server with it and without it, in turn, on the same requests.

`bench/authorization.py [--rounds 200] [--requests 25]` starts a server with a key that has a policy of
three statements with conditions and twenty grants, and sends Encrypt with an encryption context as four callers:
one whom the key policy names, one whom its identity policy lets, the session of a role within a session policy,
and one who has nothing but a grant. It prints the median CPU time of the server per request,
with and without, the median difference of neighbouring rounds, what the function takes when it is called
alone, over and over, and what it adds to the pipeline where 16 requests come together, as they do under load: the median
difference of the event loop's CPU time for steps 1 to 7.

The build without authorization is made in this program's own process, by replacing the function; nothing in the
project can be told to leave it out. Rounds are short and change places, so that what else the machine does
meets both alike.
"""

from __future__ import annotations

import argparse
import json
import math
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "harness"))

from signed_http import Client, Prepared

from keystead.api import pipeline
from keystead.api.call import Call, Target
from keystead.http.limits import Limits
from keystead.http.reader import Reader
from keystead.testing import RunningServer
from keystead.testing.people import Person, allow

ACCOUNT: Final = "000000000000"
CONTEXT: Final = {"department": "finance", "tenant": "acme"}
GRANTS: Final = 20
TRIES, REPEATED = 7, 2000
GROUP, GROUPS = 16, 400
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


def serve() -> None:
    """Run a server until stdin ends; tell its port and its requests on stdout, and change builds as stdin says."""
    real, last = pipeline.authorize, []

    def noting(call: Call, targets: tuple[Target, ...]) -> None:
        last[:] = call, targets
        real(call, targets)

    builds = {"with": real, "without": lambda _call, _targets: None, "noting": noting}
    with RunningServer() as server:
        scene = Scene(server)
        told = {name: request.raw().decode("latin-1") for name, request in scene.requests.items()}
        print(json.dumps({"port": server.port, "requests": told}), flush=True)
        for line in sys.stdin:
            if line.strip() == "alone":
                print(alone(real, *last), flush=True)
            elif line.startswith("together "):
                raw = scene.requests[line.strip().partition(" ")[2]].raw()
                print(together(server, raw, builds), flush=True)
            else:
                pipeline.authorize = builds[line.strip()]
                print(flush=True)


def alone(real: Callable[..., None], call: Call, targets: tuple[Target, ...]) -> float:
    """Microseconds of CPU that authorizing this call takes by itself, as the best of some tries."""
    best = math.inf
    for _ in range(TRIES):
        began = time.thread_time()
        for _ in range(REPEATED):
            real(call, targets)
        best = min(best, (time.thread_time() - began) / REPEATED * 1e6)
    return best


def together(server: RunningServer, raw: bytes, builds: dict[str, Callable[..., None]]) -> float:
    """Microseconds that authorization adds to a request's steps 1 to 7 in groups, as the median of neighbours."""
    reader = Reader(Limits(), "127.0.0.1", secure=False, certificate=b"")
    reader.feed(raw)
    request, handle = reader.ready.popleft()[0], server.app._turns._handle
    done, added = threading.Semaphore(0), []

    def group() -> float:
        began = time.thread_time()
        handle([(request, lambda _: done.release())] * GROUP)
        return (time.thread_time() - began) / GROUP * 1e6

    def both(first: str, second: str) -> None:
        taken = {}
        for build in (first, second):
            pipeline.authorize = builds[build]
            taken[build] = group()
        added.append(taken["with"] - taken["without"])

    for number in range(GROUPS):
        order = ("with", "without") if number % 2 else ("without", "with")
        server._loop.call_soon_threadsafe(both, *order)
        for _ in range(2 * GROUP):
            done.acquire()
    return statistics.median(added[GROUPS // 10 :])


class Server:
    """The server in a process of its own, and a kept connection to it."""

    def __init__(self) -> None:
        command = [sys.executable, __file__, "--serve"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.orders, self.told = self.process.stdin, self.process.stdout
        told = json.loads(self.told.readline())
        self.requests = {name: text.encode("latin-1") for name, text in told["requests"].items()}
        self.connection = socket.create_connection(("127.0.0.1", told["port"]))

    def order(self, what: str) -> str:
        """Have it serve one of its builds from now on, or tell what authorization takes alone."""
        print(what, file=self.orders, flush=True)
        return self.told.readline().strip()

    def alone(self, request: bytes) -> float:
        """Microseconds that the authorization of this request takes by itself."""
        self.order("noting")
        self.round(request, 1)
        return float(self.order("alone"))

    def together(self, caller: str) -> float:
        """Microseconds that authorization adds where this caller's requests come together."""
        return float(self.order(f"together {caller}"))

    def cpu(self) -> float:
        """Microseconds of CPU of all its threads so far."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000

    def round(self, request: bytes, count: int) -> float:
        """Microseconds of CPU for each of `count` requests, sent at once as a busy client's are."""
        before = self.cpu()
        self.connection.sendall(request * count)
        answers = b""
        while (seen := answers.count(b"HTTP/1.1 200")) < count or not answers.endswith(b"}"):
            answers += self.connection.recv(1 << 20)
            if seen and b"HTTP/1.1 4" in answers:
                raise SystemExit(answers.decode("latin-1"))
        return (self.cpu() - before) / count

    def stop(self) -> None:
        self.connection.close()
        self.process.communicate("")


def compare(server: Server, rounds: int, count: int, show: Callable[[str], None]) -> None:
    """Measure each caller's requests with both builds in turn, now one first and then the other."""
    show(
        f"{'caller':28} {'with':>8} {'without':>8} {'added':>8} {'alone':>8} {'together':>8}   (microseconds of CPU per request)"
    )
    for caller, request in server.requests.items():
        measured: list[dict[str, float]] = []
        for number in range(rounds + rounds // 10):
            taken: dict[str, float] = {}
            for build in ("with", "without") if number % 2 else ("without", "with"):
                server.order(build)
                taken[build] = server.round(request, count)
            measured.append(taken)
        kept = measured[rounds // 10 :]  # the first ones warm it up
        one, other = (statistics.median(taken[build] for taken in kept) for build in ("with", "without"))
        added = statistics.median(taken["with"] - taken["without"] for taken in kept)
        figures = f"{one:8.1f} {other:8.1f} {added:8.1f} {server.alone(request):8.2f} {server.together(caller):8.2f}"
        show(f"{caller:28} {figures}   x{(other + added) / other:.3f}")


def main() -> None:
    """Run as the arguments say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--requests", type=int, default=25)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve()
        return
    server = Server()
    try:
        compare(server, options.rounds, options.requests, print)
    finally:
        server.stop()


if __name__ == "__main__":
    main()
