"""Cases of `keystead policy simulate`, read from JSON into the values that `decide` takes.

A member that is null is absent, and unknown members are ignored, at every level.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal, TypeVar

import msgspec

from keystead import errors
from keystead.arn import account_in
from keystead.policy import context as contexts
from keystead.policy import facts as said
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import parse
from keystead.policy.facts import Facts
from keystead.policy.grants import RETIRE
from keystead.policy.policyset import Level, Policies
from keystead.policy.readings import TooManyReadingsError, bounded, choices
from keystead.policy.request import (
    AuthorizationRequest,
    ChildGrant,
    Grant,
    Principal,
    PrincipalType,
    ResourceDescription,
    Trust,
    Value,
)

T = TypeVar("T")
Members = Mapping[str, Any]

_ACCOUNT: Final = re.compile(r"[0-9]{12}", re.ASCII)
_ACTION: Final = re.compile(r"[^:\s]+:[^\s]+")
_TRUSTS: Final[tuple[Trust, ...]] = ("keyPolicy", "standard")
_ARN_PARTS: Final = 6
_EC_PREFIX: Final = "kms:EncryptionContext:"
_KEY_MEMBERS: Final = {"Decrypt": "KeyId", "ReEncryptFrom": "SourceKeyId"}


class InvalidCase(errors.KeysteadError):
    """A case that does not follow the contract; the message says where."""


class Reading(msgspec.Struct, frozen=True):
    """The request of a case; `derived` is the complete context by its usual names, if it was to be derived."""

    request: AuthorizationRequest
    derived: Mapping[str, Value] | None = None


class Case(msgspec.Struct, frozen=True):
    """One case. It has several readings if condition keys come twice, in names that differ only in case."""

    readings: Sequence[Reading]
    policies: Policies


def read(case: Members) -> Case:
    """The values of a case.

    Raises:
        InvalidCase: the case does not follow the contract.
        errors.MalformedPolicyDocument: a policy document cannot be read.
    """
    call = _member(case, "request", _object)
    if call is None:
        raise InvalidCase("request is missing")
    principal = _principal(_required(case, "principal", _object))
    action, resource = _required(call, "action", _action), _required(call, "resource", _resource)
    account = _required(call, "resourceAccount", _account)
    parameters = _member(call, "parameters", _object)
    grants = tuple(_grant(grant, resource, account) for grant in _objects(case, "grants"))
    if action.lower() == RETIRE and len(grants) != 1:
        raise InvalidCase("kms:RetireGrant takes exactly one grant")
    options = _member(case, "options", _object) or {}
    facts = Facts(
        principal=principal,
        action=action,
        resource=resource,
        account=account,
        description=_description(_member(case, "resource", _object) or {}, _trust(options, action, resource)),
        parameters=parameters or {},
        grant=grants[0] if grants else None,
    )
    derived = _member(options, "deriveContext", _boolean) or False
    try:
        ways = bounded(_readings(facts, call, parameters, derived=derived))
    except TooManyReadingsError as error:
        raise InvalidCase(str(error)) from None
    return Case(ways, _policies(case, grants))


def _readings(facts: Facts, call: Members, parameters: Members | None, *, derived: bool) -> Iterator[Reading]:
    for given in choices(_context(_member(call, "context", _object) or {})):
        known = msgspec.structs.replace(facts, given={name.lower(): value for name, value in given.items()})
        pairs = _rebuilt(given) if parameters is None else said.encryption_context(known.action, parameters)
        if not derived:
            yield Reading(_request(known, call, known.given, pairs))
            continue
        whole = contexts.derive(known, {name.lower(): name for name in given})
        for chosen in choices(whole):
            context = {name.lower(): value for name, value in chosen.items()}
            yield Reading(_request(known, call, context, _left(pairs, whole, chosen)), chosen)


def _request(
    facts: Facts, call: Members, context: Mapping[str, Value], pairs: Mapping[str, str]
) -> AuthorizationRequest:
    asked = _member(call, "parameters", _object)
    named_by = _KEY_MEMBERS.get(said.operation(facts))
    return AuthorizationRequest(
        principal=facts.principal,
        action=facts.action,
        resource=facts.resource,
        account=facts.account,
        context=context,
        description=facts.description,
        grant_tokens=_tokens(call, asked or {}),
        encryption_context=pairs,
        child=ChildGrant(
            operations=frozenset(said.texts(facts.parameters.get("Operations"))),
            constraints=said.constraints(facts.parameters.get("Constraints")),
        ),
        from_ciphertext=asked is not None and named_by is not None and not asked.get(named_by),
    )


def _left(pairs: Mapping[str, str], whole: Members, chosen: Members) -> Mapping[str, str]:
    """The encryption context without the names that a reading leaves out."""
    out = whole.keys() - chosen.keys()
    return {name: text for name, text in pairs.items() if _EC_PREFIX + name not in out} if out else pairs


def _tokens(call: Members, asked: Members) -> frozenset[str]:
    """The grant tokens of the call; RetireGrant names its grant by one in its parameters."""
    named = said.text(asked.get("GrantToken"))
    return frozenset(_member(call, "grantTokens", _texts) or ()) | ({named} if named else frozenset())


def _rebuilt(given: Mapping[str, Value]) -> dict[str, str]:
    """The encryption context that the context keys speak of."""
    return {
        name[len(_EC_PREFIX) :]: value
        for name, value in given.items()
        if name.lower().startswith(_EC_PREFIX.lower()) and isinstance(value, str)
    }


# ------------------------------------------------------------------------------ parts


def _principal(members: Members) -> Principal:
    kind = _required(
        members, "type", _one_of("user", "assumedRole", "federatedUser", "root", "service", "role")
    )
    shared: dict[str, Any] = {
        "user_id": _member(members, "userId", _text) or "",
        "tags": _member(members, "tags", _text_map) or {},
        "org_id": _member(members, "orgId", _text) or "",
        "org_path": _member(members, "orgPath", _text) or "",
        "mfa_present": _member(members, "mfaPresent", _boolean),
        "mfa_age": _member(members, "mfaAge", _scalar) or "",
        "token_issue_time": _member(members, "tokenIssueTime", _scalar) or "",
        "source_identity": _member(members, "sourceIdentity", _text) or "",
        "management_account": _member(members, "isManagementAccount", _boolean) or False,
        "service_linked_role": _member(members, "isServiceLinkedRole", _boolean) or False,
    }
    if kind == "service":
        return Principal(type="service", service=_required(members, "service", _text), **shared)
    return _aws_principal(kind, members, shared)


def _aws_principal(kind: PrincipalType, members: Members, shared: dict[str, Any]) -> Principal:
    arn = _required(members, "arn", _arn)
    account = _member(members, "account", _account) or _account(account_in(arn), "principal.arn")
    role_arn = _member(members, "roleArn", _arn) if kind in ("assumedRole", "role") else None
    return Principal(
        type=kind,
        arn=arn,
        account=account,
        role_arn=role_arn or _default_role(kind, arn, account),
        issuer_arn=_member(members, "issuerArn", _arn) or "",
        **shared,
    )


def _default_role(kind: PrincipalType, arn: str, account: str) -> str:
    """The role of a session whose case does not name it: one without path."""
    if kind != "assumedRole":
        return arn if kind == "role" else ""
    parts = arn.split(":", _ARN_PARTS - 1)
    names = parts[-1].split("/")
    if names[0] != "assumed-role" or len(names) < 3:  # noqa: PLR2004 - assumed-role, its name, the session's
        raise InvalidCase("principal.arn is not the ARN of an assumed-role session")
    return f"arn:{parts[1]}:iam::{account}:role/{names[1]}"


def _description(members: Members, trust: Trust) -> ResourceDescription:
    return ResourceDescription(
        trust=trust,
        key_manager=_member(members, "keyManager", _one_of("CUSTOMER", "AWS")) or "CUSTOMER",
        tags=_member(members, "tags", _text_map) or {},
        aliases=_member(members, "aliases", _texts) or (),
        key_spec=_member(members, "keySpec", _text) or "",
        key_usage=_member(members, "keyUsage", _text) or "",
        origin=_member(members, "origin", _text) or "",
        multi_region=_member(members, "multiRegion", _boolean),
        multi_region_key_type=_member(members, "multiRegionKeyType", _text) or "",
        org_id=_member(members, "orgId", _text) or "",
        org_path=_member(members, "orgPath", _text) or "",
        management_account=_member(members, "isManagementAccount", _boolean) or False,
    )


def _trust(options: Members, action: str, resource: str) -> Trust:
    wanted: Trust | Literal["auto"] = _member(options, "trust", _one_of("auto", *_TRUSTS)) or "auto"
    if wanted != "auto":
        return wanted
    return "keyPolicy" if action.lower().startswith("kms:") and said.is_key(resource) else "standard"


def _grant(members: Members, resource: str, account: str) -> Grant:
    retiring = _member(members, "RetiringPrincipal", _text) or _member(
        members, "RetiringServicePrincipal", _text
    )
    grantee = _member(members, "GranteePrincipal", _text) or _member(
        members, "GranteeServicePrincipal", _text
    )
    return Grant(
        grant_id=_member(members, "GrantId", _text) or "",
        key_arn=_member(members, "KeyId", _text) or resource,
        grantee=grantee or "",
        retiring=retiring or "",
        issuing_account=_member(members, "IssuingAccount", _issuer) or account,
        operations=frozenset(_member(members, "Operations", _texts) or ()),
        constraints=said.constraints(_member(members, "Constraints", _object)),
        token=_member(members, "GrantToken", _text) or "",
        active=_member(members, "Active", _boolean) is not False,
    )


def _context(members: Members) -> dict[str, Value]:
    return {name: _value(value, name) for name, value in members.items() if value is not None}


def _policies(case: Members, grants: tuple[Grant, ...]) -> Policies:
    boundary, resource = (_member(case, name, _policy) for name in ("permissionsBoundary", "resourcePolicy"))
    return Policies(
        resource=resource,
        identity=_policy_list(case, "identityPolicies"),
        group=_policy_list(case, "groupPolicies"),
        boundary=boundary,
        session=_policy_list(case, "sessionPolicies"),
        service_control=_levels(case, "serviceControlPolicies"),
        resource_control=_levels(case, "resourceControlPolicies"),
        vpc_endpoint=_policy_list(case, "vpcEndpointPolicies"),
        grants=grants,
    )


def _policy_list(members: Members, name: str) -> tuple[CompiledPolicy, ...]:
    return tuple(_policy(policy, name) for policy in _objects(members, name))


def _levels(case: Members, name: str) -> tuple[Level, ...]:
    return tuple(Level(_policy_list(level, "policies")) for level in _objects(case, name))


def _policy(value: Any, where: str) -> CompiledPolicy:
    members = _object(value, where)
    document = members.get("document")
    if document is None:
        raise InvalidCase(f"{where}: a policy has no document")
    if not isinstance(document, Mapping | str):
        raise errors.MalformedPolicyDocument("The policy is not a JSON object.")
    return compile_policy(parse(document), _member(members, "name", _text))


# --------------------------------------------------------------------------- readers

Read = Callable[[Any, str], T]


def _member(members: Members, name: str, read: Read[T]) -> T | None:
    value = members.get(name)
    return None if value is None else read(value, name)


def _required(members: Members, name: str, read: Read[T]) -> T:
    value = _member(members, name, read)
    if value is None or value == "":
        raise InvalidCase(f"{name} is missing")
    return value


def _objects(members: Members, name: str) -> Sequence[Members]:
    return [_object(item, name) for item in _member(members, name, _list) or ()]


def _object(value: Any, where: str) -> Members:
    if not isinstance(value, Mapping):
        raise InvalidCase(f"{where} is not an object")
    return value


def _list(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InvalidCase(f"{where} is not a list")
    return value


def _text(value: Any, where: str) -> str:
    if type(value) is not str:  # a number's text is another type
        raise InvalidCase(f"{where} is not a string")
    return value


def _texts(value: Any, where: str) -> tuple[str, ...]:
    return tuple(_text(item, where) for item in _list(value, where))


def _text_map(value: Any, where: str) -> dict[str, str]:
    members = _object(value, where)
    return {name: _text(item, where) for name, item in members.items() if item is not None}


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidCase(f"{where} is not true or false")
    return value


def _scalar(value: Any, where: str) -> str:
    text = said.text(value)
    if text is None:
        raise InvalidCase(f"{where} is not a string, number, true or false")
    return text


def _value(value: Any, where: str) -> Value:
    return tuple(_scalar(item, where) for item in value) if isinstance(value, list) else _scalar(value, where)


def _account(value: Any, where: str) -> str:
    text = _text(value, where)
    if not _ACCOUNT.fullmatch(text):
        raise InvalidCase(f"{where} holds no 12-digit account id")
    return text


def _issuer(value: Any, where: str) -> str:
    text = _text(value, where)
    return _account(account_in(text) or text, where)


def _action(value: Any, where: str) -> str:
    text = _text(value, where)
    if not _ACTION.fullmatch(text):
        raise InvalidCase(f"{where} is not of the form service:Action")
    return text


def _arn(value: Any, where: str) -> str:
    text = _text(value, where)
    if not text.startswith("arn:") or text.count(":") < _ARN_PARTS - 1:
        raise InvalidCase(f"{where} is not an ARN")
    return text


def _resource(value: Any, where: str) -> str:
    return "*" if value == "*" else _arn(value, where)


def _one_of(*choices: Any) -> Callable[[Any, str], Any]:
    def read(value: Any, where: str) -> Any:
        if value not in choices:
            raise InvalidCase(f"{where} is none of {', '.join(choices)}")
        return value

    return read
