"""The ways to read a request that says one thing twice, in names that differ only in case.

Condition keys are known without regard to case, the names of an encryption context and of tags are not: of
`{"level": "secret", "Level": "open"}` a condition on `kms:EncryptionContext:level` sees one. AWS advises
against such names (KMS API Reference, GrantConstraints) and does not say which it sees. Here a permission must
hold in every reading, so that nobody hides a value from a policy behind a second one. The same is true of the tags of
the key, which whoever may tag it chooses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Final, TypeVar

import msgspec

from keystead import errors
from keystead.api.call import Target

T = TypeVar("T")
Value = str | list[str]
MOST: Final = 64
"""Readings of one request; more are no accident."""


def readings(target: Target) -> Iterable[Target]:
    """The target as it is, or once for each choice between names that are one condition key.

    Raises:
        errors.Validation: there are more than `MOST` of them.
    """
    tags = None if target.key is None else target.key.tags
    if not (_ambiguous(target.context) or _ambiguous(target.facts) or _ambiguous(tags)):
        return (target,)
    choices = itertools.product(_single(target.context), _single(_said(target.facts, tags)))
    found = [
        msgspec.structs.replace(target, context=context, facts=facts)
        for context, facts in itertools.islice(choices, MOST + 1)
    ]
    if len(found) > MOST:
        raise errors.Validation("Too many names of tags or of the encryption context differ only in case.")
    return found


def _ambiguous(names: Mapping[str, object] | None) -> bool:
    return names is not None and len(names) > 1 and len(set(map(str.lower, names))) < len(names)


def _said(facts: Mapping[str, Value] | None, tags: Mapping[str, str] | None) -> Mapping[str, Value] | None:
    """The facts, and the tags of the key as facts, which go before what is derived from it."""
    named = {f"aws:ResourceTag/{name}": value for name, value in (tags or {}).items()}
    return {**named, **facts} if facts else named or None


def _single(pairs: Mapping[str, T] | None) -> Iterable[dict[str, T] | None]:
    """The mapping with one of the names that are alike, in each choice."""
    if pairs is None:
        return (None,)
    alike: dict[str, list[tuple[str, T]]] = {}
    for name, value in pairs.items():
        alike.setdefault(name.lower(), []).append((name, value))
    return (dict(chosen) for chosen in itertools.islice(itertools.product(*alike.values()), MOST + 1))
