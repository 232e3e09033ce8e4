"""CreateGrant, ListGrants, ListRetirableGrants, RevokeGrant, RetireGrant.

A grant counts from the commit that stores it, so a grant token adds nothing to it but a way to name it.
"""

from __future__ import annotations

import base64
import re

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.api.authorize import hidden
from keystead.api.directory import bind
from keystead.keys import Key
from keystead.keys.grant import Grant, check_grant_fits
from keystead.keys.state import check_state
from keystead.services.kms import grant_terms as terms_of
from keystead.services.kms.grant_terms import Facts, Terms, list_entry, names_account
from keystead.services.kms.paging import make_marker, page_index, read_marker
from keystead.services.kms.tables import GRANTS, KEYS, key_place, retirer_prefix
from keystead.services.kms.targets import named_key, on_key
from keystead.services.kms.use import GRANT_TOKEN, check_dry_run, check_grant_tokens, open_grant_token
from keystead.storage import Table, Transaction
from keystead.wire.models import kms as wire

_PAGE = 50
_LONGEST_PAGE = 100
_MOST_SCANNED = 500
"""Grants that one ListGrants call with a filter looks at; it may answer fewer than Limit."""
_GRANT_ID = re.compile(r"[0-9a-f]{64}")


class NamedGrant(msgspec.Struct, frozen=True):
    """The grant that a request with a Name made, for whoever sends the same request again."""

    id: str


NAMED_GRANTS: Table[NamedGrant] = Table("named_grant", NamedGrant)
"""account/region/key id/digest of the request's terms"""


# ------------------------------------------------------------------------------ the store


def _place(grant: Grant) -> str:
    return f"{grant.account}/{grant.region}/{grant.key_id}/{grant.id}"


def _named_place(grant: Grant) -> str:
    terms = Terms(**{field: getattr(grant, field) for field in Terms.__struct_fields__})
    return f"{grant.account}/{grant.region}/{grant.key_id}/{terms.digest(grant.issuing_account)}"


def _counter(account: str, region: str, key_id: str) -> str:
    return f"{account}/{region}/{key_id}/grants"


def _insert(tx: Transaction, grant: Grant) -> None:
    tx.insert(GRANTS, _place(grant), grant)
    if grant.name:
        tx.insert(NAMED_GRANTS, _named_place(grant), NamedGrant(grant.id))
    tx.bump(_counter(grant.account, grant.region, grant.key_id), 1)


def _delete(tx: Transaction, grant: Grant) -> None:
    tx.delete(GRANTS, _place(grant))
    if grant.name:
        tx.delete(NAMED_GRANTS, _named_place(grant))
    tx.bump(_counter(grant.account, grant.region, grant.key_id), -1)


def delete_grants_of(tx: Transaction, key: Key) -> None:
    """Delete every grant on `key`."""
    for where, _ in tx.scan(GRANTS, f"{key_place(key)}/"):
        grant = tx.get(GRANTS, where)  # a condition of the commit: one deleted meanwhile is counted once
        if grant is not None:
            _delete(tx, grant)


def _found(call: Call, key: Key, grant_id: str) -> Grant | None:
    if not _GRANT_ID.fullmatch(grant_id):
        raise errors.InvalidGrantId(f"Invalid grant ID '{grant_id}'")
    return call.tx.get(GRANTS, f"{key_place(key)}/{grant_id}")


def _missing(key: Key, grant_id: str) -> errors.ApiError:
    return errors.NotFound(f"Grant '{grant_id}' does not exist on key '{key.arn}'")


# ---------------------------------------------------------------------------- CreateGrant


def _create_targets(call: Call, request: wire.CreateGrantRequest) -> tuple[Target, ...]:
    terms = terms_of.read_terms(request)
    target = named_key(
        call,
        "kms:CreateGrant",
        request.key_id or "",
        aliases=False,
        context=terms_of.constraint_context(terms.constraints),
        facts=_by_service(call, request) | terms_of.terms_facts(terms),
    )
    key = target.found
    proposed = Grant(
        id=call.entropy.random(32).hex(),
        account=key.account,
        region=key.region,
        key_id=key.id,
        created=call.now,
        issuing_account=arn.root_arn(call.account),
        **msgspec.structs.asdict(terms),
    )
    return (msgspec.structs.replace(target, grant=proposed),)


@operation("CreateGrant", targets=_create_targets, changes=True)
def create_grant(call: Call, request: wire.CreateGrantRequest, target: Target) -> wire.CreateGrantResponse:
    """Permit a principal some operations with the key; return the grant's id and a token for it."""
    key, grant = target.found, target.grant
    assert grant is not None
    check_grant_tokens(call, request.grant_tokens)
    check_state("CreateGrant", key.state, key.arn)
    check_grant_fits(key, grant.operations, grant.constraints)
    grant = _bound(call.tx, grant)
    made = call.tx.get(NAMED_GRANTS, _named_place(grant)) if grant.name else None
    if made is None:
        _check_quota(call, key)
    check_dry_run(request.dry_run)
    if made is None:
        _insert(call.tx, grant)
    else:
        grant = msgspec.structs.replace(grant, id=made.id)
    sealed = call.keyring.seal_token(GRANT_TOKEN, _place(grant).encode())
    return wire.CreateGrantResponse(grant_token=base64.b64encode(sealed).decode(), grant_id=grant.id)


def _bound(tx: Transaction, grant: Grant) -> Grant:
    """The grant with the unique ids of the users and roles that it names, so that it ends with them.

    Raises:
        errors.InvalidArn: one does not exist.
    """
    named = [name for name in (grant.grantee, grant.retiring) if name and not names_account(name)]
    bound, missing = bind(tx, named)
    if missing:
        raise errors.InvalidArn(f"ARN does not refer to a valid principal: {missing[0]}")
    return msgspec.structs.replace(
        grant,
        grantee_id=bound.get(grant.grantee or "", ""),
        retiring_id=bound.get(grant.retiring or "", ""),
    )


def _check_quota(call: Call, key: Key) -> None:
    most = call.quotas.grants_per_key
    if call.tx.count(_counter(*key.path)) >= most:
        raise errors.LimitExceeded(f"{key.arn} has reached the quota of {most} grants for a KMS key.")


# ---------------------------------------------------------------------------------- lists


def _by_service(call: Call, _request: object) -> Facts:
    """True when a service makes the call for its caller."""
    return {"kms:GrantIsForAWSResource": "false" if call.via is None else "true"}


def _filter(request: wire.ListGrantsRequest) -> tuple[str | None, str | None]:
    if request.grantee_principal is not None and request.grantee_service_principal is not None:
        raise errors.Validation(
            "You can specify either GranteePrincipal or GranteeServicePrincipal, but not both."
        )
    _refuse_service_filter("GranteeServicePrincipal", request.grantee_service_principal)
    grantee = None if request.grantee_principal is None else terms_of.principal(request.grantee_principal)
    return request.grant_id, grantee


def _refuse_service_filter(member: str, value: str | None) -> None:
    if value is not None:  # no caller here is a service
        raise errors.AccessDenied(f"The {member} filter can be used only by AWS service principals.")


def _is_filtered(request: wire.ListGrantsRequest, _targets: tuple[Target, ...]) -> bool:
    return request.grantee_principal is not None


@operation(
    "ListGrants", targets=on_key("ListGrants", cross_account=True, facts=_by_service), slow=_is_filtered
)
def list_grants(call: Call, request: wire.ListGrantsRequest, target: Target) -> wire.ListGrantsResponse:
    """Return a page of the grants on a key, or of those that a filter lets through."""
    key = target.found
    grant_id, grantee = _filter(request)
    limit = min(request.limit or _PAGE, _LONGEST_PAGE)
    prefix = f"{key_place(key)}/"
    after = read_marker(call, request.marker, prefix)
    if grant_id is not None:
        one = _found(call, key, grant_id)
        if one is None or grantee not in {None, one.grantee} or one.id <= (after or ""):
            return _answer([], None)
        return _answer([one], None)
    return _answer(*_page_of_grants(call, prefix, grantee, limit, after))


def _page_of_grants(
    call: Call, prefix: str, grantee: str | None, limit: int, after: str | None
) -> tuple[list[Grant], str | None]:
    scanned = call.tx.scan(
        GRANTS,
        prefix,
        after=None if after is None else prefix + after,
        limit=limit + 1 if grantee is None else _MOST_SCANNED,
    )
    rows = [grant for _, grant in scanned if grantee in {None, grant.grantee}]
    if len(rows) > limit:
        rows = rows[:limit]
        return rows, make_marker(call, rows[-1].id, prefix)
    if grantee is not None and len(scanned) == _MOST_SCANNED:
        return rows, make_marker(call, scanned[-1][1].id, prefix)
    return rows, None


def _retirable_targets(call: Call, request: wire.ListRetirableGrantsRequest) -> tuple[Target, ...]:
    """What is asked on is the retiring principal (ListRetirableGrants in the API reference), whatever that may retire."""
    if (request.retiring_principal is None) == (request.retiring_service_principal is None):
        raise errors.Validation(
            "You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
        )
    _refuse_service_filter("RetiringServicePrincipal", request.retiring_service_principal)
    retiring = terms_of.principal(request.retiring_principal or "")
    if terms_of.account_of(retiring) != call.account:
        raise errors.AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform: kms:ListRetirableGrants on resource: "
            f"{retiring} because no resource-based policy allows the kms:ListRetirableGrants action"
        )
    return (Target("kms:ListRetirableGrants", retiring, call.account),)


@operation("ListRetirableGrants", targets=_retirable_targets)
def list_retirable_grants(
    call: Call, request: wire.ListRetirableGrantsRequest, target: Target
) -> wire.ListGrantsResponse:
    """Return a page of the Region's grants, on keys of any account, that a principal may retire."""
    retiring = target.resource
    limit = min(request.limit or _PAGE, _LONGEST_PAGE)
    prefix = retirer_prefix(call.region, retiring)
    return _answer(*page_index(call, GRANTS, "retirer", prefix, limit=limit, marker=request.marker))


def _answer(grants: list[Grant], marker: str | None) -> wire.ListGrantsResponse:
    entries = [list_entry(grant) for grant in grants]
    return wire.ListGrantsResponse(grants=entries, next_marker=marker, truncated=marker is not None)


# -------------------------------------------------------------- RevokeGrant, RetireGrant


@operation("RevokeGrant", targets=on_key("RevokeGrant", cross_account=True, facts=_by_service), changes=True)
def revoke_grant(call: Call, request: wire.RevokeGrantRequest, target: Target) -> None:
    """End a grant, by the key's policy."""
    key, grant_id = target.found, request.grant_id or ""
    check_state("RevokeGrant", key.state, key.arn)
    grant = _found(call, key, grant_id)
    if grant is None:
        raise _missing(key, grant_id)
    check_dry_run(request.dry_run)
    _delete(call.tx, grant)


def _retire_targets(call: Call, request: wire.RetireGrantRequest) -> tuple[Target, ...]:
    permission = "kms:RetireGrant"
    if request.grant_token is not None:
        key, grant = _by_token(call, request.grant_token)
        if request.grant_id not in {None, grant.id}:
            raise errors.Validation("GrantToken and GrantId do not identify the same grant.")
    elif request.key_id is not None and request.grant_id is not None:
        key = named_key(call, permission, request.key_id, aliases=False).found
        grant = _of_key(call, key, request.grant_id, permission)
    else:
        raise errors.Validation("You must specify either GrantToken, or both KeyId and GrantId.")
    context = terms_of.constraint_context(grant.constraints)
    facts = terms_of.constraint_facts(grant.constraints)
    return (Target(permission, key.arn, key.account, key, context=context, facts=facts, grant=grant),)


def _by_token(call: Call, token: str) -> tuple[Key, Grant]:
    account, region, key_id, grant_id = open_grant_token(call, token).split("/")
    if region != call.region:
        raise errors.InvalidGrantToken("The grant token is invalid.")
    key = call.tx.get(KEYS, f"{account}/{region}/{key_id}")
    grant = call.tx.get(GRANTS, f"{account}/{region}/{key_id}/{grant_id}")
    if key is None or grant is None:
        raise errors.NotFound(f"Grant '{grant_id}' does not exist")
    return key, grant


def _of_key(call: Call, key: Key, grant_id: str, permission: str) -> Grant:
    grant = _found(call, key, grant_id)
    if grant is not None:
        return grant
    if key.account != call.account:  # say no more of a key of another account than that
        raise hidden(call, Target(permission, key.arn, key.account))
    raise _missing(key, grant_id)


@operation("RetireGrant", targets=_retire_targets, changes=True)
def retire_grant(call: Call, request: wire.RetireGrantRequest, target: Target) -> None:
    """End a grant, by the grant itself."""
    key, grant = target.found, target.grant
    assert grant is not None
    check_state("RetireGrant", key.state, key.arn)
    check_dry_run(request.dry_run)
    _delete(call.tx, grant)


OPERATIONS = (create_grant, list_grants, list_retirable_grants, revoke_grant, retire_grant)
