"""CreateAlias, UpdateAlias, DeleteAlias, ListAliases.

An alias operation takes its permission on the alias and on every key that it touches (AWS KMS
Developer Guide, "Controlling access to aliases").
"""

from __future__ import annotations

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.keys import Key
from keystead.keys.alias import Alias, check_alias_name
from keystead.keys.identifiers import parse_key_ref
from keystead.keys.state import check_state
from keystead.services.kms.paging import page, page_index
from keystead.services.kms.tables import ALIASES, KEYS, key_place
from keystead.services.kms.targets import named_key, on_account
from keystead.storage import Transaction
from keystead.wire.models import kms as wire

_PAGE = 50
_LONGEST_PAGE = 100


def alias_names(tx: Transaction, key: Key, limit: int | None = None) -> list[str]:
    """The names of the key's aliases (`alias/…`), in order; at most `limit`."""
    rows = tx.scan_index(ALIASES, "target", f"{key_place(key)}/", limit=limit)
    return [where.split("/", 2)[2] for _, where in rows]


def delete_aliases_of(tx: Transaction, key: Key) -> None:
    """Delete every alias that points to `key`."""
    for name in alias_names(tx, key):
        where = f"{key.account}/{key.region}/{name}"
        alias = tx.get(ALIASES, where)
        # One that was pointed elsewhere since the scan belongs to another key now.
        if alias is not None and alias.target == key.id:
            tx.delete(ALIASES, where)


# ------------------------------------------------------------------------------- targets


def _place(call: Call, name: str) -> str:
    return f"{call.account}/{call.region}/{name}"


def _alias_target(call: Call, permission: str, name: str) -> Target:
    check_alias_name(name)
    return Target(permission, arn.alias_arn(call.region, call.account, name), call.account)


def _key_to_point_to(call: Call, permission: str, identifier: str) -> Target:
    if parse_key_ref(identifier, call.account, call.region).alias is not None:
        raise errors.Validation("Aliases must refer to keys. Not aliases")
    return named_key(call, permission, identifier, aliases=False, cross_account=False)


def _key_pointed_to(call: Call, permission: str, alias: Alias) -> Target:
    key = call.tx.get(KEYS, f"{call.account}/{call.region}/{alias.target}")
    if key is None:  # the key was deleted, and its aliases with it, between the two reads
        raise _not_found(call, alias.name)
    return Target(permission, key.arn, key.account, key)


def _existing(call: Call, name: str) -> Alias:
    alias = call.tx.get(ALIASES, _place(call, name))
    if alias is None:
        raise _not_found(call, name)
    return alias


def _not_found(call: Call, name: str) -> errors.ApiError:
    return errors.NotFound(f"Alias {arn.alias_arn(call.region, call.account, name)} is not found.")


def _create_targets(call: Call, request: wire.CreateAliasRequest) -> tuple[Target, ...]:
    permission = "kms:CreateAlias"
    return (
        _alias_target(call, permission, request.alias_name or ""),
        _key_to_point_to(call, permission, request.target_key_id or ""),
    )


def _update_targets(call: Call, request: wire.UpdateAliasRequest) -> tuple[Target, ...]:
    permission = "kms:UpdateAlias"
    alias = _alias_target(call, permission, request.alias_name or "")
    new = _key_to_point_to(call, permission, request.target_key_id or "")
    old = _key_pointed_to(call, permission, _existing(call, request.alias_name or ""))
    return (alias, old, new)


def _delete_targets(call: Call, request: wire.DeleteAliasRequest) -> tuple[Target, ...]:
    permission = "kms:DeleteAlias"
    alias = _alias_target(call, permission, request.alias_name or "")
    return (alias, _key_pointed_to(call, permission, _existing(call, request.alias_name or "")))


# ---------------------------------------------------------------------------- operations


def _check_quota(call: Call, key: Key) -> None:
    most = call.quotas.aliases_per_key
    if len(alias_names(call.tx, key, limit=most)) >= most:
        raise errors.LimitExceeded(f"{key.arn} has reached the quota of {most} aliases for a KMS key.")


@operation("CreateAlias", targets=_create_targets, changes=True)
def create_alias(call: Call, request: wire.CreateAliasRequest, alias: Target, target: Target) -> None:
    """Give a key a name that is unique in the account and Region."""
    key, name = target.found, request.alias_name or ""
    check_state("CreateAlias", key.state, key.arn)
    if call.tx.get(ALIASES, _place(call, name)) is not None:
        raise errors.AlreadyExists(f"An alias with the name {alias.resource} already exists")
    _check_quota(call, key)
    record = Alias(name=name, target=key.id, created=call.now, updated=call.now)
    call.tx.insert(ALIASES, _place(call, name), record)


@operation("UpdateAlias", targets=_update_targets, changes=True)
def update_alias(
    call: Call, request: wire.UpdateAliasRequest, alias: Target, current: Target, target: Target
) -> None:
    """Point an alias to another key of the same type and usage."""
    old, new, name = current.found, target.found, request.alias_name or ""
    # Only the key it will point to: an alias can be moved away from a key that is to be deleted.
    check_state("UpdateAlias", new.state, new.arn)
    if (old.key_spec.symmetric, old.usage) != (new.key_spec.symmetric, new.usage):
        raise errors.Validation(
            f"Alias {alias.resource} cannot be updated to refer to {new.arn}. "
            "The current and new KMS key must be the same type and must have the same key usage."
        )
    if old.id != new.id:
        _check_quota(call, new)
    record = msgspec.structs.replace(_existing(call, name), target=new.id, updated=call.now)
    call.tx.put(ALIASES, _place(call, name), record)


@operation("DeleteAlias", targets=_delete_targets, changes=True)
def delete_alias(call: Call, request: wire.DeleteAliasRequest, *_targets: Target) -> None:
    """Delete an alias; its key stays as it is."""
    call.tx.delete(ALIASES, _place(call, request.alias_name or ""))


@operation("ListAliases", targets=on_account("ListAliases"))
def list_aliases(call: Call, request: wire.ListAliasesRequest, _account: Target) -> wire.ListAliasesResponse:
    """Return a page of the account's aliases in the Region, or of one key's."""
    limit = min(request.limit or _PAGE, _LONGEST_PAGE)
    if request.key_id is None:
        rows, marker = page(call, ALIASES, f"{call.account}/{call.region}/", limit, request.marker)
        found = [alias for _, alias in rows]
    else:
        named = named_key(call, "kms:ListAliases", request.key_id, aliases=False, cross_account=False)
        prefix = f"{key_place(named.found)}/"
        found, marker = page_index(call, ALIASES, "target", prefix, limit=limit, marker=request.marker)
    entries = [
        wire.AliasListEntry(
            alias_name=alias.name,
            alias_arn=arn.alias_arn(call.region, call.account, alias.name),
            target_key_id=alias.target,
            creation_date=alias.created,
            last_updated_date=alias.updated,
        )
        for alias in found
    ]
    return wire.ListAliasesResponse(aliases=entries, next_marker=marker, truncated=marker is not None)


OPERATIONS = (create_alias, update_alias, delete_alias, list_aliases)
