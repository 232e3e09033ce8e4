"""An identity policy made of what a user or role did, by the events: it allows all of that, and each use is decided to show it.

Of AWS KMS and Access Analyzer events tell which permissions were used; of other services only that they were. Permissions that are
asked of keys alone name the keys.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Final

import msgspec

from keystead.analysis.narrow_identity import ON_KEYS
from keystead.analysis.replay import Recorded, requested
from keystead.api.permissions import PERMISSIONS
from keystead.api.recorded import Gatherer, Told
from keystead.audit.index import Index
from keystead.audit.query import Filter, find
from keystead.policy import AuthorizationRequest, CompiledPolicy, ResourceDescription, compile_policy, parse
from keystead.policy.guards import first_allow
from keystead.policy.request import Principal
from keystead.services.accessanalyzer.used import BY_ACTION

_MOST_EVENTS: Final = 50_000
_MOST_KEYS: Final = 40
"""Keys that a statement names; a policy has 6,144 characters, of which a key's ARN takes 80."""
_TAGGING: Final = "kms:TagResource"
_ANY: Final = "*"
_KMS_KEY: Final = ResourceDescription(trust="keyPolicy")
_SOURCE_END: Final = ".amazonaws.com"


class TooManyEventsError(Exception):
    """There are more events than are read for one policy."""


class _Event(msgspec.Struct, rename="camel"):
    event_name: str
    event_source: str
    aws_region: str = ""
    request_parameters: msgspec.Raw = msgspec.Raw(b"null")


class _Parameters(msgspec.Struct, rename="camel"):
    tags: list[Any] | None = None


_read: Final = msgspec.json.Decoder(_Event).decode
_read_parameters: Final = msgspec.json.Decoder(_Parameters | None).decode


class Did(msgspec.Struct, frozen=True):
    """What somebody did: uses of keys, further permissions by full names, and the services of which more is not known."""

    uses: tuple[Recorded, ...]
    permissions: frozenset[str]
    services: frozenset[str]


class Asked(msgspec.Struct, frozen=True):
    """Whose events are asked for, of which time (epoch seconds) and Regions; no Regions are all."""

    principal: str
    since: float | None = None
    until: float | None = None
    regions: frozenset[str] = frozenset()


def did(index: Index, asked: Asked) -> Did:
    """What the events of calls that succeeded tell.

    Raises:
        TooManyEventsError: there are too many.
        IndexUnavailable: the index cannot be used.
    """
    index.catch_up()
    wanted = Filter(principal=asked.principal, since=asked.since, until=asked.until, outcome="ok")
    found = [one.payload for one in islice(find(index, wanted), _MOST_EVENTS + 1)]
    if len(found) > _MOST_EVENTS:
        raise TooManyEventsError
    events = [(event, payload) for payload in found for event in (_read(payload),) if _within(event, asked)]
    gatherer = Gatherer((), Told(frozenset()))
    gatherer.take(payload for _, payload in events)
    uses = tuple(one.recorded for one in gatherer.uses if one.recorded.action in ON_KEYS)
    named = [permission for event, _ in events for permission in _permissions(event)]
    told = {one for one in named if one.partition(":")[0] in BY_ACTION and one in PERMISSIONS}
    services = {one.partition(":")[0] for one in named} - BY_ACTION
    return Did(
        uses, frozenset(told - {one.action for one in uses} | (told & {_TAGGING})), frozenset(services)
    )


def _within(event: _Event, asked: Asked) -> bool:
    return not asked.regions or event.aws_region in asked.regions


def _permissions(event: _Event) -> Iterator[str]:
    """The permissions that the call took, as far as its name and parameters tell."""
    service = event.event_source.removesuffix(_SOURCE_END)
    name = f"{service}:{event.event_name}"
    yield from _INSTEAD.get((service, event.event_name), (name,))
    if name in {"kms:CreateKey", "kms:ReplicateKey"}:
        asked = _read_parameters(event.request_parameters)
        yield from (_TAGGING,) if asked is not None and asked.tags else ()


_INSTEAD: Final = {
    ("kms", "ReEncrypt"): ("kms:ReEncryptFrom", "kms:ReEncryptTo"),
    ("kms", "ReplicateKey"): ("kms:ReplicateKey", "kms:CreateKey"),
    ("access-analyzer", "GetFindingV2"): ("access-analyzer:GetFinding",),
    ("access-analyzer", "ListFindingsV2"): ("access-analyzer:ListFindings",),
    ("access-analyzer", "StartPolicyGeneration"): ("access-analyzer:StartPolicyGeneration", "iam:PassRole"),
}


# --------------------------------------------------------------------------- the policy


def policy_of(done: Did, *, templates: bool) -> str | None:
    """The policy document as text, None if nothing is known to be needed; `templates`: other services as a whole."""
    keys: dict[str, set[str]] = {}
    for use in done.uses:
        keys.setdefault(use.action, set()).add(use.key)
    by_keys: dict[tuple[str, ...], list[str]] = {}
    for action, named in sorted(keys.items()):
        if action not in done.permissions:
            by_keys.setdefault(_resources(named), []).append(action)
    statements = [_statement(actions, resources) for resources, actions in sorted(by_keys.items())]
    services: dict[str, list[str]] = {}
    for permission in sorted(done.permissions):
        services.setdefault(permission.partition(":")[0], []).append(permission)
    statements += [_statement(actions, (_ANY,)) for _, actions in sorted(services.items())]
    if templates and done.services:
        statements.append(_statement([f"{service}:*" for service in sorted(done.services)], (_ANY,)))
    return json.dumps({"Version": "2012-10-17", "Statement": statements}) if statements else None


def _resources(keys: Iterable[str]) -> tuple[str, ...]:
    named = tuple(sorted(keys))
    return named if len(named) <= _MOST_KEYS else (_ANY,)


def _statement(actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": [*actions], "Resource": [*resources]}


# ---------------------------------------------------------------------------- the proof


def lost(text: str, principal: Principal, done: Did) -> list[str]:
    """The permissions of which the policy does not allow a use that is known; none shows that it allows all."""
    policy = compile_policy(parse(text))
    missing = {use.action for use in done.uses if not _allows(policy, requested(use, _KMS_KEY))}
    for action in done.permissions:
        request = AuthorizationRequest(
            principal=principal, action=action, resource=_ANY, account=principal.account, context={}
        )
        if not _allows(policy, request):
            missing.add(action)
    return sorted(missing)


def _allows(policy: CompiledPolicy, request: AuthorizationRequest) -> bool:
    return first_allow(request, policy) is not None
