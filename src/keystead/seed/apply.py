"""The seed file of development mode: accounts, credentials and keys with fixed identities.

Idempotent: what is there already stays as it is, so that a seed can be applied at each start.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import yaml

from keystead import errors
from keystead.api.accounts import put_account, put_root_credential
from keystead.keyring import Keyring
from keystead.keys import Key, KeyState
from keystead.keys import key as keys
from keystead.keys import spec as specs
from keystead.keys.alias import Alias, check_alias_name
from keystead.keys.identifiers import is_key_id
from keystead.keys.key import Material, MultiRegion
from keystead.policy import default_key_policy, validate_key_policy
from keystead.services.kms.tables import ALIASES, KEYS, key_place
from keystead.storage import Store, Transaction


class RootCredentials(msgspec.Struct, forbid_unknown_fields=True):
    """An account's root access key."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return "RootCredentials()"


class SeedKey(msgspec.Struct, forbid_unknown_fields=True):
    """A key with a fixed id; `material` is base64 (raw bytes, or PKCS#8 DER for key pairs)."""

    id: str
    region: str = "us-east-1"
    spec: str = specs.SYMMETRIC_DEFAULT
    usage: str | None = None
    description: str = ""
    aliases: list[str] = []
    tags: dict[str, str] = {}
    policy: dict[str, Any] | str | None = None
    material: bytes | None = None

    def __repr__(self) -> str:
        return f"SeedKey({self.id})"


class SeedAccount(msgspec.Struct, forbid_unknown_fields=True):
    """One account. Users and roles come with the identity service and are refused until then."""

    id: str
    name: str = ""
    root_credentials: RootCredentials | None = None
    users: list[Any] = []
    roles: list[Any] = []
    keys: list[SeedKey] = []


class Seed(msgspec.Struct, forbid_unknown_fields=True):
    """A whole seed file."""

    accounts: list[SeedAccount] = []
    organization: Any = None


def read_seed(file: Path) -> Seed:
    """The seed in a YAML file.

    Raises:
        errors.SettingsError: it cannot be read, or holds something that is unknown or not supported.
    """
    try:
        content = yaml.safe_load(file.read_text())
        seed = msgspec.convert(content or {}, Seed, strict=True)
    except OSError as error:
        raise errors.SettingsError(f"cannot read the seed file {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError):
        raise errors.SettingsError(f"the seed file {file} is not YAML") from None
    except msgspec.ValidationError as error:
        raise errors.SettingsError(f"bad seed file {file}: {error}") from None
    if seed.organization is not None:
        raise errors.SettingsError(f"bad seed file {file}: organization is not supported yet")
    for account in seed.accounts:
        if account.users or account.roles:
            raise errors.SettingsError(
                f"bad seed file {file}: users and roles are not supported yet, only root_credentials"
            )
    return seed


def apply_seed(store: Store, keyring: Keyring, seed: Seed, now: float) -> None:
    """Have the store hold what the seed names.

    Raises:
        errors.SettingsError: a value of the seed cannot be used; nothing of its account was written.
        errors.StorageError: the store cannot be written.
    """
    for account in seed.accounts:
        store.run(lambda tx, account=account: _apply_account(tx, keyring, account, now))  # type: ignore[misc]


def _apply_account(tx: Transaction, keyring: Keyring, account: SeedAccount, now: float) -> None:
    put_account(tx, account.id, account.name, now)
    root = account.root_credentials
    if root is not None:
        put_root_credential(tx, account.id, root.access_key_id, root.secret_access_key, now)
    for key in account.keys:
        try:
            _apply_key(tx, keyring, account.id, key, now)
        except (errors.ApiError, errors.CryptoError) as error:
            raise errors.SettingsError(f"bad seed: key {key.id}: {error}") from None


def _apply_key(tx: Transaction, keyring: Keyring, account: str, given: SeedKey, now: float) -> None:
    if not is_key_id(given.id):
        raise errors.Validation("a key id is a UUID with dashes, or mrk- and 32 hex digits")
    spec = specs.KEY_SPECS.get(given.spec)
    if spec is None:
        raise errors.Validation(f"unknown or unsupported key spec {given.spec}")
    key = Key(
        account=account,
        region=given.region,
        id=given.id,
        spec=spec.name,
        usage=specs.check_usage(spec, given.usage),
        origin=keys.AWS_KMS,
        state=KeyState.ENABLED,
        created=now,
        policy=_policy(given, account),
        description=given.description,
        tags=given.tags,
        multi_region=MultiRegion(role=keys.PRIMARY, primary=given.region)
        if given.id.startswith("mrk-")
        else None,
    )
    if tx.get(KEYS, key_place(key)) is None:
        if given.material is None:
            material_id = keyring.generate(tx, key.path, spec.name)
        else:
            material_id = keyring.adopt(tx, key.path, spec.name, given.material)
        tx.put(KEYS, key_place(key), msgspec.structs.replace(key, materials=(Material(id=material_id),)))
        tx.bump(f"{account}/{given.region}/keys", 1)
    for name in given.aliases:
        check_alias_name(name)
        place = f"{account}/{given.region}/{name}"
        if tx.get(ALIASES, place) is None:
            tx.put(ALIASES, place, Alias(name=name, target=given.id, created=now, updated=now))


def _policy(given: SeedKey, account: str) -> str:
    if given.policy is None:
        return default_key_policy(account)
    text = given.policy if isinstance(given.policy, str) else msgspec.json.encode(given.policy).decode()
    validate_key_policy(text)
    return text
