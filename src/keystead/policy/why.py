"""Why a request was refused: which statement decided or came near, and the smallest change that would allow it.

Nothing is suggested that was not tried: every change is made to a copy of the policies or of the request, and
`decide` must then allow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Condition, Document, PrincipalElement, Statement
from keystead.policy.evaluate import decide
from keystead.policy.explain import DecidedBy, Decision, PolicyType
from keystead.policy.policyset import Level, Policies
from keystead.policy.principal import UNNAMED
from keystead.policy.request import AuthorizationRequest, Principal, Value

_ROUNDS: Final = 6
"""Policies of so many types can lack an Allow at once."""
_NAMING: Final = frozenset({"resource", "rcp", "vpcEndpoint"})
"""Types of policies whose statements name principals."""


class Unmet(msgspec.Struct, frozen=True):
    """An element of a statement that does not match; texts as they stand in the policy and in the request."""

    element: str
    wanted: str
    seen: str


class Considered(msgspec.Struct, frozen=True):
    """A statement that speaks of the action: a Deny that applies, or an Allow that does not, and why not."""

    policy_type: PolicyType
    policy: str | None
    statement: int
    sid: str | None
    effect: str
    unmet: tuple[Unmet, ...] = ()


class Change(msgspec.Struct, frozen=True):
    """Something that would have to be different. `statement` is to be added, where one is."""

    policy_type: str
    text: str
    statement: dict[str, Any] | None = None


class Explanation(msgspec.Struct, frozen=True):
    """`changes` together would allow the request; it is empty if nothing that was tried does."""

    effect: str
    decided_by: DecidedBy
    message: str | None
    considered: tuple[Considered, ...]
    changes: tuple[Change, ...]


class _Place(NamedTuple):
    """One statement of one policy among `Policies`."""

    policy_type: PolicyType
    policy: CompiledPolicy
    position: int
    statement: Statement


def explain_decision(request: AuthorizationRequest, policies: Policies) -> Explanation:
    """Why the request is refused with these policies."""
    decision = decide(request, policies)
    considered = tuple(_considered(request, place) for place in _speaking(request, policies))
    near = tuple(row for row in considered if row.effect == "Allow" or not row.unmet)
    changes = () if decision.allowed else _smallest(request, policies, decision)
    return Explanation(decision.effect, decision.decided_by, decision.message, near, changes)


# --------------------------------------------------------------------------- statements


def _types(policies: Policies) -> Iterator[tuple[PolicyType, CompiledPolicy]]:
    for policy_type, held in (
        ("identity", policies.identity),
        ("group", policies.group),
        ("session", policies.session),
        ("vpcEndpoint", policies.vpc_endpoint),
    ):
        yield from ((policy_type, policy) for policy in held)  # type: ignore[misc]  # the literals above
    if policies.boundary is not None:
        yield "permissionsBoundary", policies.boundary
    if policies.resource is not None:
        yield "resource", policies.resource
    for level in policies.service_control:
        yield from (("scp", policy) for policy in level.policies)
    for level in policies.resource_control:
        yield from (("rcp", policy) for policy in level.policies)


def _speaking(request: AuthorizationRequest, policies: Policies) -> Iterator[_Place]:
    """Every statement whose action element matches."""
    action = request.action.lower()
    for policy_type, policy in _types(policies):
        for compiled in policy.statements:
            if compiled.action(action):
                yield _Place(policy_type, policy, compiled.index, policy.document.statements[compiled.index])


def _considered(request: AuthorizationRequest, place: _Place) -> Considered:
    statement = place.statement
    return Considered(
        place.policy_type,
        place.policy.name,
        place.position,
        statement.sid,
        statement.effect,
        tuple(_unmet(request, place)),
    )


def _unmet(request: AuthorizationRequest, place: _Place) -> Iterator[Unmet]:
    statement, policy = place.statement, place.policy
    (compiled,) = compile_policy(_only(policy, statement), None, policy.bound).statements
    if place.policy_type in _NAMING and compiled.name(request.principal) == UNNAMED:
        yield Unmet("Principal", _principals(statement), _named(request.principal))
    if not _applies(request, policy, msgspec.structs.replace(statement, conditions=())):
        yield Unmet("Resource", _texts(statement.resources, statement.not_resources), request.resource)
    for condition in statement.conditions:
        if not _applies(request, policy, _with_only(statement, condition)):
            yield Unmet(
                f"Condition {condition.operator} {condition.key}",
                " or ".join(condition.values),
                _seen(request.context.get(condition.key.lower())),
            )


def _applies(request: AuthorizationRequest, policy: CompiledPolicy, statement: Statement) -> bool:
    (compiled,) = compile_policy(_only(policy, statement), None).statements
    return compiled.applies(request)


def _only(policy: CompiledPolicy, *statements: Statement) -> Document:
    return msgspec.structs.replace(policy.document, statements=statements)


def _with_only(statement: Statement, condition: Condition) -> Statement:
    return msgspec.structs.replace(
        statement, conditions=(condition,), resources=(EVERYONE,), not_resources=None
    )


def _texts(listed: tuple[str, ...] | None, excluded: tuple[str, ...] | None) -> str:
    if listed is not None:
        return " or ".join(listed)
    return "" if excluded is None else f"all but {' and '.join(excluded)}"


def _principals(statement: Statement) -> str:
    element = statement.principal or statement.not_principal
    if element is None:
        return ""
    names = " or ".join((*element.aws, *element.service))
    return names if statement.not_principal is None else f"all but {names}"


def _named(principal: Principal) -> str:
    return principal.role_arn or principal.arn or principal.service


def _seen(value: Value | None) -> str:
    if value is None:
        return "absent"
    return value if isinstance(value, str) else f"[{', '.join(value)}]"


# ------------------------------------------------------------------------------ changes


def _smallest(request: AuthorizationRequest, policies: Policies, decision: Decision) -> tuple[Change, ...]:
    """One change that is enough; else what is lacking, one after the other, until it is."""
    for change, changed_request, changed_policies in _single(request, policies):
        if decide(changed_request, changed_policies).allowed:
            return (change,)
    changes: list[Change] = []
    for _ in range(_ROUNDS):
        step = _next(request, policies, decision)
        if step is None:
            return ()
        change, policies = step
        changes.append(change)
        decision = decide(request, policies)
        if decision.allowed:
            return tuple(changes)
    return ()


def _is_fixed(request: AuthorizationRequest, policy_type: PolicyType) -> bool:
    """Whether nobody can change the policies of that type: AWS's keys have the policy that they have."""
    return policy_type == "resource" and request.description.key_manager == "AWS"


_Candidate = tuple[Change, AuthorizationRequest, Policies]


def _single(request: AuthorizationRequest, policies: Policies) -> Iterator[_Candidate]:
    """Changes of the request first, which need nobody's leave; then of one condition of one statement."""
    near = [
        place
        for place in _speaking(request, policies)
        if place.statement.effect == "Allow" and not _is_fixed(request, place.policy_type)
    ]
    for place in near:
        unmet = [c for c in place.statement.conditions if not _holds(request, place, c)]
        if len(unmet) == 1 and (value := _wanted(unmet[0])) is not None:
            (key, given), label = value, _label(place)
            context = _Overlaid(request.context, {key.lower(): given})
            text = f"make the request with {unmet[0].key} = {_seen(given)}, as {label} asks"
            changed = msgspec.structs.replace(
                request, context=context, encryption_context=_context(request, key, given)
            )
            yield Change("request", text), changed, policies
    for place in near:
        for condition in place.statement.conditions:
            if not _holds(request, place, condition):
                kept = tuple(c for c in place.statement.conditions if c is not condition)
                relaxed = msgspec.structs.replace(place.statement, conditions=kept)
                text = f"let {_label(place)} do without its condition {condition.operator} on {condition.key}"
                yield Change(place.policy_type, text), request, _replaced(policies, place, relaxed)


def _next(
    request: AuthorizationRequest, policies: Policies, decision: Decision
) -> tuple[Change, Policies] | None:
    """What takes the deciding obstacle away; None if it cannot be."""
    if decision.effect == "explicitDeny":
        for place in _speaking(request, policies):
            if place.statement.effect == "Deny" and not tuple(_unmet(request, place)):
                without = _replaced(policies, place, None)
                return Change(
                    place.policy_type, f"remove or narrow {_label(place)}, which denies it"
                ), without
        return None
    return _added(request, policies, decision.decided_by.policy_type)


def _added(
    request: AuthorizationRequest, policies: Policies, policy_type: PolicyType
) -> tuple[Change, Policies] | None:
    """An Allow added to the policies of the type that lacks one."""
    who = _named(request.principal)
    if _is_fixed(request, policy_type):
        return None
    plain = Statement(effect="Allow", actions=(request.action,), resources=(request.resource,))
    shown: dict[str, Any] = {"Effect": "Allow", "Action": request.action, "Resource": request.resource}
    if policy_type == "resource" and who:
        service = request.principal.type == "service"
        element = PrincipalElement(service=(who,)) if service else PrincipalElement(aws=(who,))
        named = msgspec.structs.replace(plain, principal=element, resources=(EVERYONE,))
        shown = {"Effect": "Allow", "Principal": {"Service" if service else "AWS": who},
                 "Action": request.action, "Resource": EVERYONE}  # fmt: skip
        resource = _extended(policies.resource, named)
        change = Change("resource", "add a statement to the policy of the resource", shown)
        return change, msgspec.structs.replace(policies, resource=resource)
    add = _ADDERS.get(policy_type)
    if add is None:
        return None
    where, extend = add
    return Change(policy_type, f"add a statement to {where} {who}".rstrip(), shown), extend(policies, plain)


def _extended(policy: CompiledPolicy | None, statement: Statement) -> CompiledPolicy:
    if policy is None:
        return compile_policy(Document(statements=(statement,)))
    document = _only(policy, *policy.document.statements, statement)
    return compile_policy(document, policy.name, policy.bound)


def _to_identity(policies: Policies, statement: Statement) -> Policies:
    added = compile_policy(Document(statements=(statement,)))
    return msgspec.structs.replace(policies, identity=(*policies.identity, added))


def _to_boundary(policies: Policies, statement: Statement) -> Policies:
    return msgspec.structs.replace(policies, boundary=_extended(policies.boundary, statement))


def _to_session(policies: Policies, statement: Statement) -> Policies:
    added = compile_policy(Document(statements=(statement,)))
    return msgspec.structs.replace(policies, session=(*policies.session, added))


def _to_levels(levels: tuple[Level, ...], statement: Statement) -> tuple[Level, ...]:
    added = compile_policy(Document(statements=(statement,)))
    return tuple(Level((*level.policies, added)) for level in levels)


def _to_scps(policies: Policies, statement: Statement) -> Policies:
    levels = _to_levels(policies.service_control, statement)
    return msgspec.structs.replace(policies, service_control=levels)


def _to_rcps(policies: Policies, statement: Statement) -> Policies:
    everyone = msgspec.structs.replace(statement, principal=PrincipalElement(aws=(EVERYONE,)))
    levels = _to_levels(policies.resource_control, everyone)
    return msgspec.structs.replace(policies, resource_control=levels)


_ADDERS: Final = {
    "identity": ("an identity policy of", _to_identity),
    "permissionsBoundary": ("the permissions boundary of", _to_boundary),
    "session": ("the session policy of", _to_session),
    "scp": ("a service control policy on each level of the account of", _to_scps),
    "rcp": ("a resource control policy on each level of the resource's account for", _to_rcps),
}


# ---------------------------------------------------------------------------- conditions


class _Overlaid:
    """A context in which some keys have other values."""

    def __init__(self, under: Any, over: Mapping[str, Value]) -> None:
        self._under, self._over = under, over

    def get(self, key: str, /) -> Value | None:
        """The value of the key, or None if it is absent."""
        found: Value | None = self._over.get(key) or self._under.get(key)
        return found


def _holds(request: AuthorizationRequest, place: _Place, condition: Condition) -> bool:
    return _applies(request, place.policy, _with_only(place.statement, condition))


_ASKED: Final = ("kms:", "aws:requesttag/", "aws:tagkeys", "sts:")
"""Keys whose values a caller chooses with its request; others are what they are."""


def _wanted(condition: Condition) -> tuple[str, Value] | None:
    """A value that meets the condition, if the caller could send one and the policy says which."""
    quantifier, _, operator = condition.operator.rpartition(":")
    value = condition.values[0] if condition.values else ""
    if operator.removesuffix("IfExists") not in ("StringEquals", "StringLike", "Bool") or "$" in value:
        return None
    key = condition.key.lower()
    if not key.startswith(_ASKED) or key in ("kms:viaservice", "kms:calleraccount") or "*" in value:
        return None
    return condition.key, ((value,) if quantifier else value)


def _context(request: AuthorizationRequest, key: str, value: Value) -> Mapping[str, str]:
    prefix = "kms:encryptioncontext:"
    if key.lower().startswith(prefix) and isinstance(value, str):
        return {**request.encryption_context, key[len(prefix) :]: value}
    return request.encryption_context


# ----------------------------------------------------------------------------- replacing


def _replaced(policies: Policies, place: _Place, statement: Statement | None) -> Policies:
    """The policies with one statement replaced, or without it."""
    statements = list(place.policy.document.statements)
    statements[place.position : place.position + 1] = [] if statement is None else [statement]
    changed = compile_policy(_only(place.policy, *statements), place.policy.name, place.policy.bound)

    def each(held: tuple[CompiledPolicy, ...]) -> tuple[CompiledPolicy, ...]:
        return tuple(changed if policy is place.policy else policy for policy in held)

    return Policies(
        resource=changed if policies.resource is place.policy else policies.resource,
        identity=each(policies.identity),
        group=each(policies.group),
        boundary=changed if policies.boundary is place.policy else policies.boundary,
        session=each(policies.session),
        service_control=tuple(Level(each(level.policies)) for level in policies.service_control),
        resource_control=tuple(Level(each(level.policies)) for level in policies.resource_control),
        vpc_endpoint=each(policies.vpc_endpoint),
        grants=policies.grants,
    )


KINDS: Final[Mapping[str, str]] = {
    "identity": "identity policy",
    "group": "group's policy",
    "permissionsBoundary": "permissions boundary",
    "session": "session policy",
    "resource": "resource policy",
    "scp": "service control policy",
    "rcp": "resource control policy",
    "vpcEndpoint": "VPC endpoint policy",
    "grant": "grant",
    "service": "service",
    "none": "policy",
}
"""What each type of policy is called in a sentence."""


def _label(place: _Place) -> str:
    return label(place.policy_type, place.policy.name, place.position, place.statement.sid)


def label(policy_type: str, policy: str | None, statement: int | None, sid: str | None) -> str:
    """A statement's name in a sentence."""
    which = "" if statement is None else f"statement {statement}"
    named = f' ("{sid}")' if sid else ""
    return f"{which}{named} of the {KINDS[policy_type]}{f' {policy}' if policy else ''}".strip()
