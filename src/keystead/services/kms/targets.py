"""From a request to the keys it names: the permissions that an operation needs, as data.

Cross-account: AWS KMS Developer Guide, "Allowing users in other accounts to use a KMS key". A key of
another account that does not exist looks like one that the caller may not use.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from keystead import arn, errors
from keystead.api import Call, Target
from keystead.api.authorize import hidden
from keystead.api.operation import Targets
from keystead.keys import Key
from keystead.keys.identifiers import KeyRef, parse_key_ref
from keystead.services.kms.managed_keys import default_key
from keystead.services.kms.tables import ALIASES, KEYS
from keystead.wire.models import kms as wire

Facts = Callable[[Call, Any], dict[str, str | list[str]]]


def on_account(action: str, facts: Facts | None = None) -> Targets:
    """The target of an operation that acts on no existing key: resource `*` in the caller's account."""
    permission = f"kms:{action}"

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        return (Target(permission, "*", call.account, facts=facts(call, request) if facts else None),)

    return targets


def on_key(
    action: str, *, aliases: bool = False, cross_account: bool = False, facts: Facts | None = None
) -> Targets:
    """The one key that `request.key_id` names.

    `aliases`: the operation takes alias names and alias ARNs too. `cross_account`: it works on keys of
    other accounts.
    """
    permission = f"kms:{action}"
    in_context = hasattr(wire.SERVICE.operations[action].input, "encryption_context")

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        context = request.encryption_context if in_context else None
        said = facts(call, request) if facts else None
        ref = parse_key_ref(request.key_id, call.account, call.region)
        if ref.place and (cross_account or ref.account == call.account):
            key = call.tx.get(KEYS, ref.place)
            if key is not None:
                return (Target(permission, key.arn, key.account, key, None, context, said),)
        # An alias, or there is no such key.
        named = (call, permission, request.key_id)
        return (named_key(*named, aliases=aliases, cross_account=cross_account, context=context, facts=said),)

    return targets


def named_key(
    call: Call,
    permission: str,
    identifier: str,
    *,
    aliases: bool,
    cross_account: bool = True,
    context: dict[str, str] | None = None,
    facts: dict[str, str | list[str]] | None = None,
) -> Target:
    """The target for the key that a caller named.

    Raises:
        errors.NotFound: no such key or alias in the caller's own account and Region.
        errors.AccessDenied: a key of another account that does not exist, or an operation that never
            crosses accounts.
        errors.InvalidArn: the ARN names something else than a key (or alias, where allowed).
    """
    ref = parse_key_ref(identifier, call.account, call.region)
    crosses = ref.account == call.account or cross_account
    if crosses and ref.alias is not None and not aliases:
        raise _alias_refused(identifier)
    key = _find_key(call, ref) if crosses else None
    if key is None:
        asked = Target(permission, _named_arn(ref), ref.account, None, ref.alias, context, facts)
        raise hidden(call, asked)
    return Target(permission, key.arn, key.account, key, ref.alias, context, facts)


def _named_arn(ref: KeyRef) -> str:
    """The ARN of what the caller named, which need not be there."""
    if ref.alias is not None:
        return arn.alias_arn(ref.region, ref.account, ref.alias)
    return arn.key_arn(ref.region, ref.account, ref.key_id or "")


def _alias_refused(identifier: str) -> errors.ApiError:
    if identifier.startswith("arn:"):
        return errors.InvalidArn(f"Invalid arn {identifier}")
    return errors.NotFound(f"Invalid keyId '{identifier}'")


def _find_key(call: Call, ref: KeyRef) -> Key | None:
    """The key that `ref` points to, None if there is none in another account.

    Raises:
        errors.NotFound: there is none in the caller's own account.
    """
    key_id = ref.key_id
    if ref.alias is not None:
        # The store has no place for NUL, which a caller may well send.
        named = "\0" not in ref.alias
        alias = call.tx.get(ALIASES, f"{ref.account}/{ref.region}/{ref.alias}") if named else None
        if alias is None:
            if ref.account != call.account:
                return None
            made = default_key(call, ref.alias) if ref.region == call.region else None
            if made is not None:
                return made
            raise errors.NotFound(f"Alias {arn.alias_arn(ref.region, ref.account, ref.alias)} is not found.")
        key_id = alias.target
    assert key_id is not None
    key = call.tx.get(KEYS, f"{ref.account}/{ref.region}/{key_id}")
    if key is None:
        if ref.account != call.account:
            return None
        raise errors.NotFound(f"Key '{arn.key_arn(ref.region, ref.account, key_id)}' does not exist")
    return key
