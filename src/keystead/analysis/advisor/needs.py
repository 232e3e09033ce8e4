"""Default or custom: which needs of a key of one's own the facts show, and what is recommended for which reasons.

The needs are those for which AWS's guidance names customer managed keys: granular access, compliance, resilience
when a principal is compromised, sharing with other accounts, and disposal of data.
Source: AWS KMS Developer Guide, "AWS KMS keys"; AWS Prescriptive Guidance, "Encryption best practices for AWS KMS".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final, Literal

import msgspec

from keystead.analysis.advisor.facts import AccountFacts, KeyFacts
from keystead.analysis.advisor.readers import readers_of
from keystead.analysis.advisor.uses import CRYPTOGRAPHIC, operations_by_principal, successful

NeedName = Literal["granularity", "compliance", "resilience", "sharing", "disposal"]
Verdict = Literal["custom", "default-is-enough", "not-in-use"]

NEEDS: Final[dict[NeedName, str]] = {
    "granularity": "different data for different people: who may use one key must not be able to use all",
    "compliance": "rules ask for control over the key: its policy, its rotation, proof of who may use it",
    "resilience": "a stolen role must not read what it has no business with",
    "sharing": "another account has to read the data",
    "disposal": "data must be made unreadable for good, with all copies of it",
}
_MARKED: Final = re.compile(
    r"complian|classif|confiden|sensitiv|pci|hipaa|phi\b|gdpr|pii\b|sox\b|fedramp|regulat", re.IGNORECASE
)
_FEW: Final = 3


class Need(msgspec.Struct, frozen=True):
    """One need: whether it applies, and why (or why not). `stated`: somebody said so, the facts need not show it."""

    name: NeedName
    about: str
    applies: bool
    stated: bool
    reasons: tuple[str, ...]


class Recommendation(msgspec.Struct, frozen=True):
    """What is recommended for a default key."""

    verdict: Verdict
    reasons: tuple[str, ...]


def needs(key: KeyFacts, account: AccountFacts, stated: frozenset[str] = frozenset()) -> tuple[Need, ...]:
    """Every need, judged by the facts; those in `stated` apply whatever the facts show."""
    return tuple(_need(name, key, account, stated) for name in NEEDS)


def _need(name: NeedName, key: KeyFacts, account: AccountFacts, stated: frozenset[str]) -> Need:
    shown = tuple(_SIGNS[name](key, account))
    said = name in stated
    reasons = (*(("it was stated",) if said else ()), *shown) or (_SILENT[name],)
    return Need(name, NEEDS[name], bool(shown) or said, said, reasons)


def _granularity(key: KeyFacts, _account: AccountFacts) -> Iterator[str]:
    people = operations_by_principal(key.uses)
    readers = {
        bucket: frozenset(
            use.principal for use in successful(key.uses) if _is_of(bucket, use.context.get("aws:s3:arn", ""))
        )
        for bucket in _buckets(key)
    }
    apart = [
        (one, other)
        for one in sorted(readers)
        for other in sorted(readers)
        if one < other and readers[one] != readers[other]
    ]
    if apart:
        one, other = apart[0]
        yield (
            f"{len(readers)} buckets lie under the one key, and not the same principals use them: {one} and {other}, "
            "for example"
        )
    kinds = {frozenset(operations & _READS) for operations in people.values()}
    if len(people) > 1 and len(kinds) > 1:
        yield f"{_named(people)} use it in different ways: some only read, and the default key lets all do both"


_READS: Final = frozenset({"Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"})
"""What tells a writer from a reader."""


def _compliance(key: KeyFacts, _account: AccountFacts) -> Iterator[str]:
    for held in key.held:
        marks = [
            f"{name}={value}"
            for name, value in sorted(held.tags.items())
            if _MARKED.search(f"{name} {value}")
        ]
        if marks:
            yield f"bucket {held.bucket} is tagged {', '.join(marks)}"


def _resilience(key: KeyFacts, account: AccountFacts) -> Iterator[str]:
    if account.standings is None or not key.held:
        return
    known = set(operations_by_principal(key.uses))
    for held in key.held:
        others = readers_of(held.bucket, account.standings) - known
        if others:
            yield (
                f"{_named(others)} may read bucket {held.bucket} and never used the key: whoever steals one of them reads all "
                "that lies there, since the default key asks no more"
            )


def _sharing(key: KeyFacts, _account: AccountFacts) -> Iterator[str]:
    for held in key.held:
        if held.readers:
            yield f"the policy of bucket {held.bucket} names {', '.join(held.readers)}, and the key stays closed to them"
    refused = {
        use.account for use in key.uses
        if use.error == "AccessDenied" and use.account not in ("", key.account) and use.operation in CRYPTOGRAPHIC
    }  # fmt: skip
    if refused:
        yield f"calls from {', '.join(sorted(refused))} were refused"


def _disposal(key: KeyFacts, _account: AccountFacts) -> Iterator[str]:
    for held in key.held:
        if held.expires:
            yield f"bucket {held.bucket} deletes objects by a lifecycle rule, and no copy elsewhere is deleted with them"


_SIGNS: Final[dict[NeedName, Callable[[KeyFacts, AccountFacts], Iterator[str]]]] = {
    "granularity": _granularity,
    "compliance": _compliance,
    "resilience": _resilience,
    "sharing": _sharing,
    "disposal": _disposal,
}
_SILENT: Final[dict[NeedName, str]] = {
    "granularity": "all recorded principals use the same data in the same way",
    "compliance": "no tag speaks of rules; what contracts ask for is not recorded (--need compliance)",
    "resilience": "everybody uses it whose identity policies allow to read what lies under it, as far as that is known",
    "sharing": "no bucket policy names another account, and no call from one was refused",
    "disposal": "nothing is deleted by a rule; a duty to shred is not recorded (--need disposal)",
}


_ENOUGH: Final = (
    "no need of a key of one's own is seen in the policies, tags and recorded calls",
    "it is rotated each year, its use is recorded, and only this account reaches it, through the service alone",
    "a custom key would have to be paid for at AWS, and looked after: a mistake in its policy locks out",
)


def recommend(key: KeyFacts, judged: tuple[Need, ...]) -> Recommendation:
    """Default or custom, and why."""
    used = any(True for _ in successful(key.uses))
    if not used and not key.held and key.last_used is None:
        return Recommendation(
            "not-in-use",
            ("nothing lies under it and nobody used it: nothing is gained by a custom key",
             "a default key cannot be deleted, and costs nothing"),
        )  # fmt: skip
    applying = [one for one in judged if one.applies]
    if applying:
        return Recommendation(
            "custom", tuple(f"{one.name}: {reason}" for one in applying for reason in one.reasons)
        )
    return Recommendation("default-is-enough", _ENOUGH)


def _buckets(key: KeyFacts) -> frozenset[str]:
    seen = {use.context["aws:s3:arn"] for use in successful(key.uses) if "aws:s3:arn" in use.context}
    return frozenset(arn.removeprefix("arn:aws:s3:::").partition("/")[0] for arn in seen)


def _is_of(bucket: str, arn: str) -> bool:
    return arn.removeprefix("arn:aws:s3:::").partition("/")[0] == bucket


def _named(people: Iterator[str] | frozenset[str] | dict[str, frozenset[str]]) -> str:
    """Some names, and how many more there are."""
    names = sorted(people)
    short = ", ".join(name.rpartition(":")[2] for name in names[:_FEW])
    return short if len(names) <= _FEW else f"{short} and {len(names) - _FEW} more"
