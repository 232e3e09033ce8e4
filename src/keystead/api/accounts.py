"""Accounts and credentials as stored, and how one is added."""

from __future__ import annotations

import re

import msgspec

from keystead import errors
from keystead.identity import Account, Credential
from keystead.identity.account import check_account_id
from keystead.identity.credential import check_credential
from keystead.identity.names import ROLES_ANYWHERE
from keystead.storage import Table, Transaction, join

_SERVICE = re.compile(r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.amazonaws\.com", re.ASCII)


def _member(_where: str, account: Account) -> list[str]:
    return [join(account.organization, account.parent)] if account.organization else []


ACCOUNTS: Table[Account] = Table("account", Account, indexes={"organization": _member})
"""account id; index `organization`: organization id/id of the root or unit that holds the account"""


def _owner(_where: str, credential: Credential) -> list[str]:
    return [f"{credential.account}/{credential.user}"] if credential.user else []


CREDENTIALS: Table[Credential] = Table("credential", Credential, indexes={"owner": _owner})
"""access key id; index `owner`: account/user's unique id"""


def ensure_account(tx: Transaction, account_id: str, name: str, now: float) -> Account:
    """The account, which is made with that name if it is not there.

    Raises:
        errors.SettingsError: the id is not 12 digits.
    """
    check_account_id(account_id)
    known = tx.get(ACCOUNTS, account_id)
    if known is not None:
        return known
    account = Account(id=account_id, name=name, created=now)
    tx.put(ACCOUNTS, account_id, account)
    return account


def put_account(tx: Transaction, account_id: str, name: str, now: float) -> Account:
    """The account, made if it is not there; a changed name is taken over.

    Raises:
        errors.SettingsError: the id is not 12 digits.
    """
    account = ensure_account(tx, account_id, name, now)
    if account.name != name:
        account = msgspec.structs.replace(account, name=name)
        tx.put(ACCOUNTS, account_id, account)
    return account


def put_root_credential(
    tx: Transaction, account_id: str, access_key_id: str, secret: str, now: float
) -> None:
    """Create or replace a root credential of the account.

    Raises:
        errors.SettingsError: the id is malformed, or belongs to another account.
    """
    check_credential(access_key_id, secret)
    known = tx.get(CREDENTIALS, access_key_id)
    if known is not None and (known.account, known.user, known.service) != (account_id, "", ""):
        raise errors.SettingsError(f"access key id {access_key_id} is in use already")
    if known is None or known.secret != secret:
        credential = Credential(access_key_id=access_key_id, secret=secret, account=account_id, created=now)
        tx.put(CREDENTIALS, access_key_id, credential)


def put_service_credential(
    tx: Transaction, service: str, access_key_id: str, secret: str, now: float
) -> None:
    """Create or replace an access key of a service principal, which is registered by having one.

    Raises:
        errors.SettingsError: the name is no service principal's, or the id is malformed or in use.
    """
    if not _SERVICE.fullmatch(service):
        raise errors.SettingsError(f"a service principal is named like rds.amazonaws.com, not {service!r}")
    if service == ROLES_ANYWHERE:
        raise errors.SettingsError(f"{service} stands for client certificates; no service can be it")
    check_credential(access_key_id, secret)
    known = tx.get(CREDENTIALS, access_key_id)
    if known is not None and known.service != service:
        raise errors.SettingsError(f"access key id {access_key_id} is in use already")
    credential = Credential(
        access_key_id=access_key_id, secret=secret, account="", created=now, service=service
    )
    tx.put(CREDENTIALS, access_key_id, credential)


def service_credentials(tx: Transaction) -> list[Credential]:
    """The access keys of all registered services."""
    return [c for _, c in tx.scan(CREDENTIALS, "") if c.service]
