"""Users, groups, roles and managed policies of a seed, and what each becomes in the store.

What is there already, by name, stays as it is: only access keys are added to it.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from keystead import errors
from keystead.api.directory import (
    CREDENTIALS,
    POLICIES,
    ROLES,
    bind,
    document_of,
    group_named,
    policy_place,
    role_named,
    user_named,
)
from keystead.api.identities import counter, insert
from keystead.entropy import Entropy
from keystead.identity import Credential, Group, ManagedPolicy, PolicyVersion, Role, User
from keystead.identity import names as ids
from keystead.identity.credential import check_credential
from keystead.policy import named_principals, parse
from keystead.storage import Transaction

Name = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_+=,.@-]+\Z", max_length=64)]
LongName = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_+=,.@-]+\Z", max_length=128)]
Path = Annotated[str, msgspec.Meta(pattern=r"^/([!-~]+/)?\Z", max_length=512)]
"""Names and paths as IAM takes them (IAM API Reference, CreateUser, CreateGroup, CreatePolicy)."""
Document = dict[str, Any] | str
"""A policy: written as YAML, or as its text."""


class AccessKey(msgspec.Struct, forbid_unknown_fields=True):
    """An access key of a user or an account's root."""

    access_key_id: str
    secret_access_key: str

    def __repr__(self) -> str:
        return "AccessKey()"


class SeedUser(msgspec.Struct, forbid_unknown_fields=True):
    """A user; `policies` are inline, `attached` and `boundary` ARNs of managed policies, `groups` names of groups."""

    name: Name
    path: Path = "/"
    credentials: AccessKey | None = None
    policies: dict[LongName, Document] = {}
    attached: list[str] = []
    boundary: str = ""
    groups: list[str] = []
    tags: dict[str, str] = {}


class SeedGroup(msgspec.Struct, forbid_unknown_fields=True):
    """A group; `policies` are inline, `attached` ARNs of managed policies."""

    name: LongName
    path: Path = "/"
    policies: dict[LongName, Document] = {}
    attached: list[str] = []


class SeedRole(msgspec.Struct, forbid_unknown_fields=True):
    """A role, policies as a user's; `trust` is its trust policy, `max_session` in seconds."""

    name: Name
    trust: Document
    path: Path = "/"
    description: str = ""
    max_session: int = 3600
    policies: dict[LongName, Document] = {}
    attached: list[str] = []
    boundary: str = ""
    tags: dict[str, str] = {}


class SeedPolicy(msgspec.Struct, forbid_unknown_fields=True):
    """A managed policy of the account."""

    name: LongName
    document: Document
    path: Path = "/"
    description: str = ""
    tags: dict[str, str] = {}


class Maker(msgspec.Struct, frozen=True):
    """What it takes to make identities: where, when, and where unique ids come from.

    `roles` gathers those that were made and do not trust anybody yet.
    """

    tx: Transaction
    entropy: Entropy
    now: float
    roles: list[Role] = []


def text_of(document: Document) -> str:
    """The policy as it is stored: a text byte for byte, YAML as JSON."""
    return document if isinstance(document, str) else msgspec.json.encode(document).decode()


def policy_text(document: Document) -> str:
    """The same of a policy that is none of a key.

    Raises:
        errors.MalformedPolicyDocument: it is no policy.
    """
    text = text_of(document)
    parse(text)
    return text


def put_policy(make: Maker, account: str, given: SeedPolicy) -> str:
    """The ARN of the account's managed policy of that name, which is made if there is none."""
    arn = ids.iam_arn(account, "policy", given.path, given.name)
    place = policy_place(arn)
    assert place is not None
    known = make.tx.get(POLICIES, place)
    if known is not None:
        return known.arn
    policy = ManagedPolicy(
        account=account,
        name=given.name,
        id=ids.new_unique_id(ids.POLICY, make.entropy),
        created=make.now,
        updated=make.now,
        versions=(PolicyVersion(id="v1", document=policy_text(given.document), created=make.now),),
        path=given.path,
        description=given.description,
        tags=given.tags,
    )
    make.tx.insert(POLICIES, place, policy)
    make.tx.bump(counter(account, "policy"), 1)
    return policy.arn


def put_group(make: Maker, account: str, given: SeedGroup) -> Group:
    """The account's group of that name, which is made if there is none."""
    known = group_named(make.tx, account, given.name)
    if known is not None:
        return known
    group = Group(
        account=account,
        name=given.name,
        id=ids.new_unique_id(ids.GROUP, make.entropy),
        created=make.now,
        path=given.path,
        inline=_texts(given.policies),
        attached=_existing(make.tx, given.attached),
    )
    return insert(make.tx, group)


def put_user(make: Maker, account: str, given: SeedUser) -> User:
    """The account's user of that name, made if there is none, with the access key that is given.

    Raises:
        errors.SettingsError: the access key cannot be used, or a group or policy does not exist.
    """
    user = user_named(make.tx, account, given.name) or _new_user(make, account, given)
    if given.credentials is not None:
        put_access_key(make, user, given.credentials)
    return user


def _new_user(make: Maker, account: str, given: SeedUser) -> User:
    user = User(
        account=account,
        name=given.name,
        id=ids.new_unique_id(ids.USER, make.entropy),
        created=make.now,
        path=given.path,
        tags=given.tags,
        boundary=_boundary(make.tx, given.boundary),
        inline=_texts(given.policies),
        attached=_existing(make.tx, given.attached),
        groups=tuple(_group(make.tx, account, name).id for name in given.groups),
    )
    return insert(make.tx, user)


def put_access_key(make: Maker, user: User, given: AccessKey) -> Credential:
    """The user's access key of that id, made or its secret changed.

    Raises:
        errors.SettingsError: it cannot be used, or is somebody else's.
    """
    check_credential(given.access_key_id, given.secret_access_key)
    known = make.tx.get(CREDENTIALS, given.access_key_id)
    if known is not None and (known.account, known.user) != (user.account, user.id):
        raise errors.SettingsError(f"access key id {given.access_key_id} is in use already")
    if known is not None and known.secret == given.secret_access_key:
        return known
    credential = Credential(
        access_key_id=given.access_key_id,
        secret=given.secret_access_key,
        account=user.account,
        created=make.now,
        user=user.id,
    )
    make.tx.put(CREDENTIALS, credential.access_key_id, credential)
    return credential


def put_role(make: Maker, account: str, given: SeedRole) -> Role:
    """The account's role of that name, made if there is none; `bind_trusts` finds whom it trusts."""
    known = role_named(make.tx, account, given.name)
    if known is not None:
        return known
    role = Role(
        account=account,
        name=given.name,
        id=ids.new_unique_id(ids.ROLE, make.entropy),
        created=make.now,
        trust=policy_text(given.trust),
        path=given.path,
        description=given.description,
        max_session=given.max_session,
        tags=given.tags,
        boundary=_boundary(make.tx, given.boundary),
        inline=_texts(given.policies),
        attached=_existing(make.tx, given.attached),
    )
    make.roles.append(role)
    return insert(make.tx, role)


def bind_trusts(make: Maker) -> None:
    """None; the roles that were made trust those who bear the names in their trust policies now.

    Raises:
        errors.SettingsError: one of those does not exist.
    """
    for role in make.roles:
        bound, missing = bind(make.tx, named_principals(role.trust))
        if missing:
            raise errors.SettingsError(
                f"account {role.account}: role {role.name}: its trust policy names principals that do not "
                f"exist: {', '.join(missing)}"
            )
        trusting = msgspec.structs.replace(role, trusted=tuple(sorted(bound.items())))
        make.tx.put(ROLES, f"{role.account}/{role.id}", trusting)


def _texts(policies: dict[str, Document]) -> dict[str, str]:
    return {name: policy_text(document) for name, document in policies.items()}


def _existing(tx: Transaction, policies: list[str]) -> tuple[str, ...]:
    missing = [arn for arn in policies if document_of(tx, arn) is None]
    if missing:
        raise errors.SettingsError(f"no such managed policy: {', '.join(missing)}")
    return tuple(policies)


def _boundary(tx: Transaction, arn: str) -> str:
    return _existing(tx, [arn])[0] if arn else ""


def _group(tx: Transaction, account: str, name: str) -> Group:
    group = group_named(tx, account, name)
    if group is None:
        raise errors.SettingsError(f"no such group: {name}")
    return group
