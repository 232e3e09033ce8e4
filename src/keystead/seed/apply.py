"""From a seed to records, in one transaction: everything that it names, or nothing.

Idempotent: what is there already stays as it is, so that a seed can be applied at each start. Identities come
first, so that policies may name principals that stand further down in the file.
"""

from __future__ import annotations

import msgspec

from keystead.api.accounts import put_account, put_root_credential
from keystead.api.directory import ACCOUNTS
from keystead.audit.notes import run_noted
from keystead.entropy import Entropy
from keystead.keyring import Keyring
from keystead.seed.file import Seed, SeedAccount
from keystead.seed.identities import Maker, bind_trusts, put_group, put_policy, put_role, put_user
from keystead.seed.keys import put_key
from keystead.seed.organization import put_organization
from keystead.seed.place import at
from keystead.storage import Store, Transaction


def apply_seed(store: Store, keyring: Keyring, seed: Seed, now: float, entropy: Entropy) -> None:
    """Have the store hold what the seed names.

    Raises:
        errors.SettingsError: a value of the seed cannot be used; nothing was written.
        errors.StorageError: the store cannot be written.
    """
    run_noted(
        store,
        lambda tx: _apply(Maker(tx, entropy, now), keyring, seed),
        what="seed",
        now=now,
        entropy=entropy,
    )


def _apply(make: Maker, keyring: Keyring, seed: Seed) -> None:
    with at("bad seed"):
        for step in (_put_account, _put_policies, _put_holders):
            for account in seed.accounts:
                with at(f"account {account.id}"):
                    step(make, account)
        bind_trusts(make)
        if seed.organization is not None:
            put_organization(make.tx, seed.organization, make.entropy, make.now)
        for account in seed.accounts:
            with at(f"account {account.id}"):
                _put_keys(make.tx, keyring, account, make.now)


def _put_account(make: Maker, given: SeedAccount) -> None:
    account = put_account(make.tx, given.id, given.name, make.now)
    if given.email and given.email != account.email:
        make.tx.put(ACCOUNTS, account.id, msgspec.structs.replace(account, email=given.email))
    root = given.root_credentials
    if root is not None:
        put_root_credential(make.tx, given.id, root.access_key_id, root.secret_access_key, make.now)


def _put_policies(make: Maker, given: SeedAccount) -> None:
    for policy in given.policies:
        with at(f"policy {policy.name}"):
            put_policy(make, given.id, policy)


def _put_holders(make: Maker, given: SeedAccount) -> None:
    for group in given.groups:
        with at(f"group {group.name}"):
            put_group(make, given.id, group)
    for user in given.users:
        with at(f"user {user.name}"):
            put_user(make, given.id, user)
    for role in given.roles:
        with at(f"role {role.name}"):
            put_role(make, given.id, role)


def _put_keys(tx: Transaction, keyring: Keyring, given: SeedAccount, now: float) -> None:
    for key in given.keys:
        with at(f"key {key.id}"):
            put_key(tx, keyring, given.id, key, now)
