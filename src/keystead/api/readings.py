"""The ways to read one request for one target: see `policy.readings` for when there are several, and why.

The tags of the key count too, which whoever may tag it chooses.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final, TypeVar

import msgspec

from keystead import errors
from keystead.api.call import Target
from keystead.policy.readings import TooManyReadingsError, ambiguous, bounded, choices

T = TypeVar("T")
Value = str | list[str]
_MOST_FACTS: Final = 1024
_EC_KEYS: Final = "kms:EncryptionContextKeys"


def is_plain(target: Target) -> bool:
    """Whether there is only one way to read it, as it mostly is: no names differ only in case."""
    context, facts, key = target.context, target.facts, target.key
    # One name is like no other.
    return not (
        (context and len(context) > 1 and ambiguous(context))
        or (facts and len(facts) > 1 and _ambiguous_facts(tuple(facts)))
        or (key is not None and key.tags and ambiguous(key.tags))
    )


@lru_cache(_MOST_FACTS)
def _ambiguous_facts(names: tuple[str, ...]) -> bool:
    """The same of the facts that an operation says, which are mostly the same ones."""
    return ambiguous(dict.fromkeys(names))


def readings(target: Target) -> Sequence[Target]:
    """The target once for each choice between names that are one condition key.

    Raises:
        errors.Validation: there are more of them than are asked about.
    """
    tags = None if target.key is None else target.key.tags
    ways = itertools.product(_ways(target.context), _ways(_said(target, tags)))
    try:
        return bounded(
            msgspec.structs.replace(target, context=context, facts=facts) for context, facts in ways
        )
    except TooManyReadingsError as error:
        raise errors.Validation(str(error)) from None


def _said(target: Target, tags: Mapping[str, str] | None) -> Mapping[str, Value] | None:
    """The facts, and what no choice changes of them: the key's tags, and every name of the context."""
    said: dict[str, Value] = {f"aws:ResourceTag/{name}": value for name, value in (tags or {}).items()}
    if target.context:
        said[_EC_KEYS] = list(target.context)
    return {**said, **(target.facts or {})} or None


def _ways(pairs: Mapping[str, T] | None) -> Iterable[dict[str, T] | None]:
    return (None,) if pairs is None else choices(pairs)
