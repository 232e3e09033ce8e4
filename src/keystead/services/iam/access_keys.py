"""CreateAccessKey, ListAccessKeys, UpdateAccessKey, DeleteAccessKey, GetAccessKeyLastUsed.

Without a user name they are about the caller's own keys, the root's included.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, CREDENTIALS, USERS, credentials_of, root_credentials_of
from keystead.api.usage import forget_caller
from keystead.arn import root_arn
from keystead.identity import Credential, User
from keystead.identity.credential import new_access_key
from keystead.services.iam.entities import existing_user, put
from keystead.services.iam.paging import page_list
from keystead.services.iam.quotas import KEYS_PER_USER, check_quota
from keystead.services.iam.targets import on_own_user, own_user_name
from keystead.wire.models import iam as wire

_STATUS: Final = {True: "Active", False: "Inactive"}


def keys_of(call: Call, user: User | None) -> list[Credential]:
    """The access keys of a user, or of the caller's account's root (None), oldest first."""
    found = root_credentials_of(call.tx, call.account)
    if user is not None:
        found = credentials_of(call.tx, user.account, user.id)
    return sorted(found, key=lambda key: (key.created, key.access_key_id))


def _owner(call: Call, request: Any) -> User | None:
    """The user that the request is about; None for the root."""
    name = own_user_name(call, request.user_name)
    return None if name is None else existing_user(call, name)


def _key(call: Call, request: Any) -> Credential:
    """The owner's access key that the request names.

    Raises:
        errors.NoSuchEntity: the owner has none with this id.
    """
    owner = _owner(call, request)
    key = call.tx.get(CREDENTIALS, request.access_key_id)
    expected = call.account, owner.id if owner is not None else "", ""
    if key is None or (key.account, key.user, key.service) != expected:
        raise errors.NoSuchEntity(f"The Access Key with id {request.access_key_id} cannot be found.")
    return key


def _touch(call: Call, owner: User | None) -> None:
    """None; two changes of one owner's keys at once are carried out one after the other.

    The owner's record is written as it is: how many keys there are is looked up in an index, which is no
    condition of a commit, and the owner must not be deleted meanwhile.
    """
    if owner is not None:
        put(call, owner)
        return
    account = call.tx.get(ACCOUNTS, call.account)
    if account is not None:
        call.tx.put(ACCOUNTS, call.account, account)


@operation("CreateAccessKey", targets=on_own_user("CreateAccessKey"), changes=True)
def create_access_key(
    call: Call, request: wire.CreateAccessKeyRequest, _user: Target
) -> wire.CreateAccessKeyResponse:
    """Make an access key; this answer is the only place where its secret is ever shown."""
    owner = _owner(call, request)
    check_quota(KEYS_PER_USER, len(keys_of(call, owner)))
    key_id, secret = new_access_key(call.entropy)
    key = Credential(
        access_key_id=key_id,
        secret=secret,
        account=call.account,
        created=call.now,
        user=owner.id if owner is not None else "",
    )
    _touch(call, owner)
    call.tx.insert(CREDENTIALS, key_id, key)
    return wire.CreateAccessKeyResponse(
        access_key=wire.AccessKey(
            user_name=owner.name if owner is not None else None,
            access_key_id=key_id,
            status=_STATUS[key.active],
            secret_access_key=secret,
            create_date=key.created,
        )
    )


@operation("ListAccessKeys", targets=on_own_user("ListAccessKeys"))
def list_access_keys(
    call: Call, request: wire.ListAccessKeysRequest, _user: Target
) -> wire.ListAccessKeysResponse:
    """Return a page of the access keys, without secrets."""
    owner = _owner(call, request)
    keys, marker = page_list(call, request, keys_of(call, owner), owner.id if owner is not None else "")
    shown = [
        wire.AccessKeyMetadata(
            user_name=owner.name if owner is not None else None,
            access_key_id=key.access_key_id,
            status=_STATUS[key.active],
            create_date=key.created,
        )
        for key in keys
    ]
    return wire.ListAccessKeysResponse(
        access_key_metadata=shown, is_truncated=marker is not None, marker=marker
    )


@operation("UpdateAccessKey", targets=on_own_user("UpdateAccessKey"), changes=True)
def update_access_key(call: Call, request: wire.UpdateAccessKeyRequest, _user: Target) -> None:
    """Switch an access key off or on; what it signs is refused from the next request on."""
    key = _key(call, request)
    if request.status not in _STATUS.values():
        raise errors.InvalidInput(f"An access key cannot be given the status {request.status}.")
    active = request.status == _STATUS[True]
    call.tx.put(CREDENTIALS, key.access_key_id, msgspec.structs.replace(key, active=active))


@operation("DeleteAccessKey", targets=on_own_user("DeleteAccessKey"), changes=True)
def delete_access_key(call: Call, request: wire.DeleteAccessKeyRequest, _user: Target) -> None:
    """Delete an access key for good."""
    key = _key(call, request)
    call.tx.delete(CREDENTIALS, key.access_key_id)
    forget_caller(call.tx, key.account, key.access_key_id)


# --------------------------------------------------------------------------------- last used


def _own_key(call: Call, key_id: str) -> Credential | None:
    key = call.tx.get(CREDENTIALS, key_id)
    return key if key is not None and key.account == call.account and not key.service else None


def _on_key(call: Call, request: wire.GetAccessKeyLastUsedRequest) -> tuple[Target, ...]:
    """The key's owner; a key that is not the account's looks like one that the caller may not ask about."""
    key_id = request.access_key_id or ""
    key = _own_key(call, key_id)
    if key is None:
        raise errors.AccessDenied(
            f"User: {call.caller.arn} is not authorized to perform: iam:GetAccessKeyLastUsed on resource: "
            f"access key {key_id}"
        )
    user = call.tx.get(USERS, f"{key.account}/{key.user}") if key.user else None
    resource = user.arn if user is not None else root_arn(key.account)
    return (Target("iam:GetAccessKeyLastUsed", resource, key.account),)


@operation("GetAccessKeyLastUsed", targets=_on_key)
def get_access_key_last_used(
    call: Call, request: wire.GetAccessKeyLastUsedRequest, _owner: Target
) -> wire.GetAccessKeyLastUsedResponse:
    """Return when an access key last signed a request, to which service and in which Region."""
    key_id = request.access_key_id or ""
    key = _own_key(call, key_id)
    assert key is not None  # found a moment ago, in this transaction
    user = call.tx.get(USERS, f"{key.account}/{key.user}") if key.user else None
    use = call.usage.callers.last(call.tx, call.account, key_id)
    shown = wire.AccessKeyLastUsed(service_name="N/A", region="N/A")
    if use is not None:
        shown = wire.AccessKeyLastUsed(last_used_date=use.at, service_name=use.service, region=use.region)
    return wire.GetAccessKeyLastUsedResponse(
        user_name=user.name if user is not None else None, access_key_last_used=shown
    )


OPERATIONS = (
    create_access_key,
    list_access_keys,
    update_access_key,
    delete_access_key,
    get_access_key_last_used,
)
