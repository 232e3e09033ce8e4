"""The ways to read what is said twice, in names that differ only in case; a permission must hold in each.

Condition keys are known without regard to case, the names of an encryption context and of tags are not: of
`{"level": "secret", "Level": "open"}` a condition on `kms:EncryptionContext:level` sees one. AWS advises
against such names (KMS API Reference, GrantConstraints) and does not say which it sees. Here nobody hides a value
from a policy behind a second one: the server, `simulate` and IAM's simulations all ask once for each.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeVar

from keystead.errors import KeysteadError
from keystead.policy.explain import Outcome

T = TypeVar("T")
MOST: Final = 64
"""Readings of one request; more are no accident."""
STRICTEST: Final[tuple[Outcome, ...]] = ("explicitDeny", "implicitDeny", "allowed")
"""Effects by how little they allow: what several readings come to is the first of them that occurs."""


class TooManyReadingsError(KeysteadError):
    """More than `MOST` ways to read one request."""

    def __init__(self) -> None:
        super().__init__("Too many names of tags or of the encryption context differ only in case.")


def ambiguous(names: Mapping[str, object]) -> bool:
    """True if some names differ only in case."""
    together = "\0".join(names)
    # What is in lower case, as it mostly is, is as different as it is written.
    return together != together.lower() and len(set(map(str.lower, names))) < len(names)


def choices(pairs: Mapping[str, T]) -> Iterable[dict[str, T]]:
    """The mapping with one of the names that are alike, in each way; one more than `MOST` of them at most."""
    if not ambiguous(pairs):
        return (dict(pairs),)
    alike: dict[str, list[tuple[str, T]]] = {}
    for name, value in pairs.items():
        alike.setdefault(name.lower(), []).append((name, value))
    return (dict(chosen) for chosen in itertools.islice(itertools.product(*alike.values()), MOST + 1))


def bounded(found: Iterable[T]) -> list[T]:
    """All readings.

    Raises:
        TooManyReadingsError: there are more than `MOST`.
    """
    listed = list(itertools.islice(found, MOST + 1))
    if len(listed) > MOST:
        raise TooManyReadingsError
    return listed


def strictest(found: Iterable[T], effect: Callable[[T], Outcome]) -> T:
    """The first of those that allow least: what the readings come to together."""
    return min(found, key=lambda one: STRICTEST.index(effect(one)))
