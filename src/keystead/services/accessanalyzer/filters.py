"""Filters: what archive rules and lists ask of findings.

Source: IAM User Guide, "IAM Access Analyzer filter keys". Of several keys all must hold; of the values of `eq` and
`contains` one, of those of `neq` none may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keystead import errors
from keystead.services.accessanalyzer.tables import Criterion
from keystead.wire.models import accessanalyzer as wire

IN_RULES: Final = frozenset(
    {
        "accessType", "error", "findingType", "isPublic", "principal.AWS", "principal.Federated",
        "principalOwnerAccount", "principalType", "resource", "resourceControlPolicyRestriction",
        "resourceOwnerAccount", "resourceType", "serviceControlPolicyRestriction",
    }
)  # fmt: skip
IN_LISTS: Final = IN_RULES | {"id", "status", "createdAt", "updatedAt"}
_CONDITION: Final = "condition."
_MOST_KEYS: Final = 20
_MOST_VALUES: Final = 20

Filter = Mapping[str, Criterion]
Values = Mapping[str, str]
"""What a finding says, by filter key."""


def checked(given: Mapping[str, wire.Criterion], keys: frozenset[str]) -> dict[str, Criterion]:
    """The filter, if it asks for what can be asked.

    Raises:
        errors.Validation: it does not.
    """
    if len(given) > _MOST_KEYS:
        raise errors.Validation(f"A filter has at most {_MOST_KEYS} keys.")
    for key, criterion in given.items():
        if key not in keys and not (key.startswith(_CONDITION) and key != _CONDITION):
            raise errors.Validation(f"{key} is not a filter key here.")
        values = [criterion.eq, criterion.neq, criterion.contains]
        if criterion.exists is None and not any(values):
            raise errors.Validation(f"The criterion of {key} asks nothing.")
        if any(len(one or ()) > _MOST_VALUES for one in values):
            raise errors.Validation(f"A criterion has at most {_MOST_VALUES} values.")
    return {key: _criterion(one) for key, one in given.items()}


def _criterion(given: wire.Criterion) -> Criterion:
    eq, neq, contains = (None if one is None else tuple(one) for one in (given.eq, given.neq, given.contains))
    return Criterion(eq, neq, contains, given.exists)


def shown(held: Filter) -> dict[str, wire.Criterion]:
    """The filter as it came."""
    return {
        key: wire.Criterion(
            eq=None if one.eq is None else [*one.eq],
            neq=None if one.neq is None else [*one.neq],
            contains=None if one.contains is None else [*one.contains],
            exists=one.exists,
        )
        for key, one in held.items()
    }


def matches(held: Filter, values: Values) -> bool:
    """Whether a finding that says these is one of the filter's."""
    folded = {key.lower(): value for key, value in values.items()}
    return all(_holds(one, folded.get(key.lower())) for key, one in held.items())


def _holds(criterion: Criterion, value: str | None) -> bool:
    if criterion.exists is not None and criterion.exists is not (value is not None):
        return False
    if criterion.neq is not None and value in criterion.neq:
        return False
    if criterion.eq is not None and value not in criterion.eq:
        return False
    wanted = criterion.contains
    return wanted is None or (value is not None and any(part in value for part in wanted))
