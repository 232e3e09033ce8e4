"""The people of an account, from what GetAccountAuthorizationDetails tells, and the grants of a key from ListGrants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.analysis.effective import Key, Standing
from keystead.arn import Arn, account_in, split
from keystead.policy import facts as said
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, Document, Statement, parse
from keystead.policy.policyset import Level, Policies
from keystead.policy.principal import account_of
from keystead.policy.request import Grant, Principal

ASSUMED: Final = compile_policy(
    Document((Statement(effect="Allow", actions=("*",), resources=("*",)),)), "assumed"
)
"""What the policies of another account say, which is not known: at worst, everything."""

Details = Mapping[str, Any]
"""The answer of GetAccountAuthorizationDetails, documents decoded, as the AWS clients give it."""


def standings(details: Details, service_control: tuple[Level, ...] = ()) -> Iterator[Standing]:
    """Every user, and a session of every role, with the policies on its side.

    Raises:
        errors.MalformedPolicyDocument: a policy cannot be read.
        KeyError: a policy that is attached is not among the details.
    """
    managed = {
        policy["Arn"]: compile_policy(parse(version["Document"]), policy["Arn"])
        for policy in details.get("Policies", ())
        for version in policy["PolicyVersionList"]
        if version["IsDefaultVersion"]
    }
    groups = {group["GroupName"]: group for group in details.get("GroupDetailList", ())}
    for user in details.get("UserDetailList", ()):
        member_of = [groups[name] for name in user.get("GroupList", ())]
        yield Standing(
            principal=_user(user),
            policies=Policies(
                identity=tuple(_held(user, "UserPolicyList", managed)),
                group=tuple(one for group in member_of for one in _held(group, "GroupPolicyList", managed)),
                boundary=_boundary(user, managed),
                service_control=service_control,
            ),
        )
    for role in details.get("RoleDetailList", ()):
        yield Standing(
            principal=_session(role),
            policies=Policies(
                identity=tuple(_held(role, "RolePolicyList", managed)),
                boundary=_boundary(role, managed),
                service_control=service_control,
            ),
        )


def _user(user: Details) -> Principal:
    named = user["Arn"]
    return Principal(type="user", arn=named, account=account_in(named), unique_id=user.get("UserId", ""))


def _session(role: Details) -> Principal:
    arn, name = role["Arn"], role["RoleName"]
    account = account_in(arn)
    return Principal(
        type="assumedRole",
        arn=f"{arn.split(':iam:')[0]}:sts::{account}:assumed-role/{name}/session",
        account=account,
        role_arn=arn,
        unique_id=role.get("RoleId", ""),
        service_linked_role=":role/aws-service-role/" in arn,
    )


def _held(holder: Details, inline: str, managed: Mapping[str, CompiledPolicy]) -> Iterator[CompiledPolicy]:
    for policy in holder.get(inline, ()):
        yield compile_policy(parse(policy["PolicyDocument"]), policy["PolicyName"])
    for attached in holder.get("AttachedManagedPolicies", ()):
        yield managed[attached["PolicyArn"]]


def _boundary(holder: Details, managed: Mapping[str, CompiledPolicy]) -> CompiledPolicy | None:
    boundary = holder.get("PermissionsBoundary")
    return None if boundary is None else managed[boundary["PermissionsBoundaryArn"]]


def grants_of(listed: Details, key_arn: str, account: str) -> tuple[Grant, ...]:
    """The grants that ListGrants told of a key."""
    return tuple(
        Grant(
            grant_id=one["GrantId"],
            key_arn=key_arn,
            grantee=one.get("GranteePrincipal") or one.get("GranteeServicePrincipal") or "",
            retiring=one.get("RetiringPrincipal") or "",
            operations=frozenset(one["Operations"]),
            issuing_account=account_of(one.get("IssuingAccount") or "") or account,
            constraints=said.constraints(one.get("Constraints")),
        )
        for one in listed.get("Grants", ())
    )


def entries_of(key: Key) -> set[str]:
    """Whom a key's policy and grants name, but for accounts and everyone."""
    named = {
        entry
        for statement in key.policy.document.statements
        if statement.principal is not None
        for entry in (*statement.principal.aws, *statement.principal.service)
    } | {grant.grantee for grant in key.grants}
    return {entry for entry in named if entry != EVERYONE and account_of(entry) is None}


def named(entry: str, account: str, scps: tuple[Level, ...] = ()) -> Iterator[Standing]:
    """Whom an entry names. What another account's policies say is taken to be everything."""
    principal = _principal(entry)
    if principal is None:
        return
    own = principal.account == account
    assumed = principal.type != "service" and not own
    yield Standing(
        principal=principal,
        policies=Policies(
            identity=(ASSUMED,) if assumed else (),
            session=(ASSUMED,) if assumed and principal.type == "federatedUser" else (),
            service_control=scps if own else (),
        ),
        assumed=assumed,
    )


def _principal(entry: str) -> Principal | None:
    parts = split(entry)
    if parts is None:
        return Principal(type="service", service=entry) if "." in entry else None
    kind, _, name = parts.resource.partition("/")
    if kind == "role":
        session = Arn(
            parts.partition, "sts", "", parts.account, f"assumed-role/{name.rpartition('/')[2]}/session"
        )
        return Principal(type="assumedRole", arn=str(session), account=parts.account, role_arn=entry)
    if kind == "assumed-role":
        role = Arn(parts.partition, "iam", "", parts.account, f"role/{name.partition('/')[0]}")
        return Principal(type="assumedRole", arn=entry, account=parts.account, role_arn=str(role))
    if kind == "federated-user":
        return Principal(type="federatedUser", arn=entry, account=parts.account)
    return Principal(type="user", arn=entry, account=parts.account) if kind == "user" else None
