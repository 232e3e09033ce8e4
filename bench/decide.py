#!/usr/bin/env python3
"""What it takes to decide about policies: `bench/decide.py [--pairs 60] [--hostile]`.

First the question whether a policy allows what another does not, on random pairs, by the analysis and by z3's theory of strings
(as the tests ask it: a second procedure on the same documents, with a limit of two seconds), one after the other in
one run. Told is the processor time of both and the ratio of each pair. Then, with `--hostile`, what each question takes of
policies that were made to be hard, each in a process of its own: processor time, memory beyond that of the process at
its start, and whether an answer or an error came.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

from keystead.analysis import Access, Universe, access_granted, new_access, public_access
from keystead.analysis.budget import Budget
from keystead.analysis.effective import Key, Standing
from keystead.analysis.questions.change import KINDS, Change
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.taken_on import NOBODY, Trust, taken_on
from keystead.analysis.questions.violations import violations
from keystead.analysis.questions.who_can import who_can
from keystead.api.guarding import WORK as WORK_OF_GUARD
from keystead.errors import Undecided
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.request import Principal

HERE: Final = "111122223333"
ARN: Final = f"arn:aws:kms:eu-west-1:{HERE}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
LIMIT: Final = 2000
_MOST: Final = 32 << 10
ZONE: Final = frozenset({HERE})


def main() -> None:
    """Print the ratios, and what hard policies take."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--hostile", nargs="?", const="", help="Only those with this text in their name.")
    given = parser.parse_args()
    against_z3(given.pairs)
    if given.hostile is not None:
        for name, statements in [one for one in hostile() if given.hostile in one[0]]:
            for question, ask in QUESTIONS.items():
                print(f"{name}; {question}: {_apart(ask, statements)}")


# --------------------------------------------------------------------------- beside z3


def against_z3(pairs: int) -> None:
    """Print the processor time of both procedures, and its ratio."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "harness"))
    import random_policies  # noqa: PLC0415 - the tests' own, which are found by then
    import with_z3  # noqa: PLC0415 - the same

    callers = random_policies.UNIVERSE["callers"][::5]
    universe = Universe(callers=tuple(map(_principal, callers)))
    ours, theirs, unknown, seed = [], [], 0, 0
    while len(ours) < pairs:
        seed += 1
        old, new = random_policies.pair(random.Random(seed))
        if not with_z3.speaks(old, new):
            continue
        began = time.process_time()
        first = new_access(_compiled(old["Statement"]), _compiled(new["Statement"]), universe)
        ours.append((time.process_time() - began) * 1000)
        began = time.process_time()
        second = with_z3.new_access(old, new, callers, LIMIT)
        theirs.append((time.process_time() - began) * 1000)
        unknown += second is None
        assert second is None or second is bool(first), seed
    ratios = [there / here for here, there in zip(ours, theirs, strict=True)]
    print(f"{pairs} pairs: analysis {_told(ours)}; z3 {_told(theirs)}, {unknown} not decided by it")
    print(f"z3 takes {statistics.median(ratios):.0f} times as long at the median, {min(ratios):.1f} at least")


def _told(times: list[float]) -> str:
    return f"median {statistics.median(times):.1f} ms, p99 {statistics.quantiles(times, n=100)[98]:.1f} ms"


def _principal(caller: dict[str, str]) -> Principal:
    fields = {"type": "type", "arn": "arn", "account": "account", "roleArn": "role_arn", "issuerArn": "issuer_arn",
              "service": "service", "provider": "provider"}  # fmt: skip
    return Principal(**{fields[name]: value for name, value in caller.items()})  # type: ignore[arg-type] - the names are those of its fields


def _compiled(statements: Any) -> Any:
    return compile_key_policy(json.dumps({"Version": "2012-10-17", "Statement": statements}))


# ----------------------------------------------------------------------- hard policies


def allow(effect: str = "Allow", principal: Any = "*", **condition: Any) -> dict[str, Any]:
    """A statement for anybody under a condition."""
    made = {"Effect": effect, "Principal": principal, "Action": ["kms:*", "sts:*"], "Resource": "*"}
    return made | ({"Condition": condition} if condition else {})


def hostile() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Policies of up to 32 KB that are hard in different ways."""
    letters = random.Random(1)
    words = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=3)) for _ in range(400)]
    arns = [f"arn:aws:iam::{444455556666 + index}:role/{word}{index}" for index, word in enumerate(words)]
    yield (
        "contains-patterns of one key",
        _fill(allow("Deny", StringLike={"kms:ViaService": f"*{word}*"}) for word in words),
    )
    yield (
        "contains-patterns in one list",
        _fill([allow(StringLike={"kms:ViaService": [f"*{word}*" for word in words]})]),
    )
    yield (
        "contains-patterns of names",
        _fill(allow("Deny", StringLike={"aws:PrincipalArn": f"*{word}*"}) for word in words),
    )
    yield (
        "contains-patterns of members",
        _fill(allow(**{"ForAllValues:StringLike": {"aws:TagKeys": f"*{word}*"}}) for word in words),
    )
    yield (
        "question marks",
        _fill(allow(StringLike={"kms:ViaService": f"*a{'?' * number}b"}) for number in range(1, 200)),
    )
    yield "as many principals as fit", _fill([allow(principal={"AWS": arns})])
    yield (
        "many small boxes",
        _fill(
            allow(
                StringEquals={
                    f"kms:EncryptionContext:k{i % 40}": "v",
                    f"kms:EncryptionContext:k{(i * 7 + 3) % 40}": "w",
                }
            )
            for i in range(400)
        ),
    )
    yield (
        "variables",
        _fill(
            allow(StringLike={f"aws:PrincipalTag/t{i}": f"*${{aws:PrincipalTag/u{i}}}*"}) for i in range(300)
        ),
    )
    yield (
        "networks",
        _fill([allow(IpAddress={"aws:SourceIp": [f"{i % 200}.{i // 200}.0.0/16" for i in range(1500)]})]),
    )


def _fill(statements: Any) -> list[dict[str, Any]]:
    """As many of the statements as fit into a key policy, and one for anybody."""
    taken: list[dict[str, Any]] = [allow(Null={"kms:ViaService": "false"})]
    for one in statements:
        if len(json.dumps([*taken, one])) > _MOST:
            break
        taken.append(one)
    return taken


def _guard(statements: list[dict[str, Any]]) -> Any:
    people = [
        Standing(principal=Principal(type="root", arn=f"arn:aws:iam::{HERE}:root", account=HERE)),
        Standing(principal=Principal(type="user", arn=f"arn:aws:iam::{HERE}:user/a", account=HERE)),
    ]
    before = Key(arn=ARN, account=HERE, policy=_compiled([allow(principal={"AWS": HERE})]), tags={})
    change = Change(
        before=before,
        after=Key(arn=ARN, account=HERE, policy=_compiled(statements), tags={}),
        people_before=people,
        people_after=people,
        zone=ZONE,
    )
    found = [*violations(change, KINDS, Budget(WORK_OF_GUARD))]
    if any(one.witness is None for one in found):
        raise Undecided("not proven")
    return found


QUESTIONS: Final[dict[str, Callable[[list[dict[str, Any]]], Any]]] = {
    "new access": lambda some: new_access(
        _compiled(some[1:]), _compiled(some), Universe(kms_only=True, resource=ARN)
    ),
    "public": lambda some: public_access(_compiled(some), Universe(kms_only=True, resource=ARN)),
    "granted": lambda some: access_granted(
        _compiled(some), [Access(actions=("kms:Decrypt",))], Universe(kms_only=True), naming=True
    ),
    "external": lambda some: external_access(Key(arn=ARN, account=HERE, policy=_compiled(some)), ZONE),
    "who can": lambda some: [
        *who_can(
            Key(arn=ARN, account=HERE, policy=_compiled(some)),
            [Standing(principal=Principal(type="user", arn=f"arn:aws:iam::{HERE}:user/a", account=HERE))],
        )
    ],
    "taken on": lambda some: taken_on(
        NOBODY, Trust(_compiled(some)), f"arn:aws:iam::{HERE}:role/App", ZONE, Budget()
    ),
    "guard": _guard,
}


def _apart(ask: Callable[[list[dict[str, Any]]], Any], statements: list[dict[str, Any]]) -> str:
    """What the question takes in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        at_start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.process_time()
        try:
            outcome = "an answer" if ask(statements) is not None else "proven"
        except Undecided:
            outcome = "an error"
        took = time.process_time() - began
        memory = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - at_start) / 1024
        os.write(write, f"{took:.2f} s, {memory:.0f} MB, {outcome}".encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as told:
        said = told.read()
    os.waitpid(child, 0)
    return said or "it died"


if __name__ == "__main__":
    main()
