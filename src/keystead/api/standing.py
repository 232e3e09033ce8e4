"""What a caller is and which policies it brings, made of stored records and remade when one changes.

A caller's standing is looked up at every request; it is kept only as long as each record that it was
made of is the same, so that a deleted user, a detached policy or a closed unit counts at once.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import msgspec

from keystead import arn, errors
from keystead.api.directory import (
    ACCOUNTS,
    CREDENTIALS,
    GROUPS,
    POLICIES,
    ROLES,
    USERS,
    policy_place,
)
from keystead.api.guardrails import NOWHERE, Place, place_of
from keystead.api.reading import Kept, Reading, Version
from keystead.identity import Caller, Credential, Group, Issuer, Role, Session, User
from keystead.identity.caller import ANONYMOUS, ASSUMED_ROLE, AWS_SERVICE, FEDERATED_USER, IAM_USER, ROOT
from keystead.identity.names import federated_arn, session_arn
from keystead.identity.session import tags_of
from keystead.policy import CompiledPolicy, Policies, Principal, compile_policy, parse
from keystead.policy.aws_managed import AWS_MANAGED
from keystead.policy.request import PrincipalType
from keystead.storage import Store, Transaction

_MOST_KEPT: Final = 8192
_MOST_COMPILED: Final = 8192

_TYPES: Final[dict[str, PrincipalType]] = {
    ROOT: "root",
    IAM_USER: "user",
    ASSUMED_ROLE: "assumedRole",
    FEDERATED_USER: "federatedUser",
    AWS_SERVICE: "service",
}


class Standing(msgspec.Struct, frozen=True, gc=False, eq=False):
    """A caller, as policies see it, and the policies on its side (`policies.resource` is unset).

    `plain`: there is no policy on its side at all, as for the root of an account outside organizations.
    `rests_on`: the records that it was made of.
    """

    caller: Caller
    principal: Principal
    policies: Policies
    place: Place
    plain: bool
    rests_on: tuple[Version, ...] = ()

    def require(self, tx: Transaction) -> None:
        """None; the transaction commits only if what the standing was made of is the same then as when it was made."""
        for place, digest in self.rests_on:
            tx.require(place, digest)


class Standings:
    """Finds standings.

    Concurrency: any thread may ask, as those of S3's requests do. What two of them make at once is the same.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._generation = store.backend.generation
        self._kept: dict[str, Kept] = {}
        self._sessions: dict[str, Kept] = {}
        self._places: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def of_credential(self, credential: Credential, tx: Transaction) -> Standing:
        """The standing of who signs with this long-term access key.

        Raises:
            errors.UnrecognizedClient: its user is gone.
        """
        return self._find(
            self._kept, credential.access_key_id, tx, lambda reading: _of_credential(reading, credential)
        )

    def of_session(self, session: Session, tx: Transaction) -> Standing:
        """The standing of who signs with these temporary credentials.

        Raises:
            errors.UnrecognizedClient: the role or user that they came from is gone.
        """
        return self._find(
            self._sessions, session.access_key_id, tx, lambda reading: _of_session(reading, session)
        )

    def of_outsider(self, caller: Caller, principal: Principal, tx: Transaction) -> Standing:
        """The standing of who proves what it is with each request, and has no policies of its own."""
        return Standing(caller, principal, Policies(), self.place(caller.account, tx), plain=True)

    def of_nobody(self) -> Standing:
        """The standing of who does not say who it is: only a resource's policy can let it in."""
        return _NOBODY

    def place(self, account: str, tx: Transaction) -> Place:
        """Where an account stands in its organization."""
        stamp = self._generation(), self._store.view.era
        kept = self._places.get(account)
        if kept is None or not kept.holds(tx, stamp):
            reading = Reading(tx)
            kept = self._put(self._places, account, Kept(place_of(reading, account), reading.noted, stamp))
        place: Place = kept.value
        return place

    def renewed(self, standing: Standing, tx: Transaction) -> Standing:
        """The standing that its caller has now.

        Raises:
            errors.UnrecognizedClient: the caller has none any more.
        """
        caller = standing.caller
        if not standing.rests_on:
            return standing
        if caller.session is not None:
            return self.of_session(caller.session, tx)
        credential = tx.get(CREDENTIALS, caller.access_key_id)
        if credential is None or not credential.active:
            raise unrecognized()
        return self.of_credential(credential, tx)

    def _find(
        self, held: dict[str, Kept], name: str, tx: Transaction, make: Callable[[Reading], Standing]
    ) -> Standing:
        stamp = self._generation(), self._store.view.era
        kept = held.get(name)
        if kept is None or not kept.holds(tx, stamp):
            reading = Reading(tx)
            made = msgspec.structs.replace(make(reading), rests_on=reading.versions())
            kept = self._put(held, name, Kept(made, reading.noted, stamp))
        standing: Standing = kept.value
        return standing

    def _put(self, held: dict[str, Kept], name: str, kept: Kept) -> Kept:
        with self._lock:
            if len(held) >= _MOST_KEPT:
                held.pop(next(iter(held)))
            held[name] = kept
        return kept


_NOBODY: Final = Standing(
    Caller(ANONYMOUS, "", "", "", ""), Principal(type="anonymous"), Policies(), NOWHERE, plain=True
)


# --------------------------------------------------------------------- long-term credentials


def _of_credential(reading: Reading, credential: Credential) -> Standing:
    reading.get(CREDENTIALS, credential.access_key_id)
    if credential.service:
        return _service(credential)
    if not credential.user:
        root = arn.root_arn(credential.account)
        caller = Caller(ROOT, root, credential.account, credential.account, credential.access_key_id)
        return _standing(reading, caller, Principal(type="root", arn=root, account=credential.account))
    user = reading.get(USERS, f"{credential.account}/{credential.user}")
    if user is None:
        raise unrecognized()
    caller = Caller(IAM_USER, user.arn, user.account, user.id, credential.access_key_id, user.name)
    return _of_user(reading, user, caller)


def _service(credential: Credential) -> Standing:
    name = credential.service
    caller = Caller(AWS_SERVICE, "", "", name, credential.access_key_id, name)
    principal = Principal(type="service", service=name)
    return Standing(caller, principal, Policies(), NOWHERE, plain=True)


def _of_user(reading: Reading, user: User, caller: Caller, session: Session | None = None) -> Standing:
    principal = Principal(
        type="user", arn=user.arn, account=user.account, user_id=user.id, unique_id=user.id, tags=user.tags
    )
    return _standing(reading, caller, principal, user, session)


# ---------------------------------------------------------------------------------- sessions


def _of_session(reading: Reading, session: Session) -> Standing:
    return _SESSIONS[session.kind](reading, session)


def _root_session(reading: Reading, session: Session) -> Standing:
    root = arn.root_arn(session.account)
    if reading.get(ACCOUNTS, session.account) is None:
        raise unrecognized()
    issuer = Issuer(type="Root", id=session.account, arn=root)
    caller = Caller(ROOT, root, session.account, session.account, session.access_key_id, "", session, issuer)
    principal = Principal(type="root", arn=root, account=session.account)
    return _standing(reading, caller, principal, None, session)


def _user_session(reading: Reading, session: Session) -> Standing:
    user = _user_of(reading, session)
    issuer = Issuer(type="IAMUser", id=user.id, arn=user.arn, name=user.name)
    caller = Caller(
        IAM_USER, user.arn, user.account, user.id, session.access_key_id, user.name, session, issuer
    )
    return _of_user(reading, user, caller, session)


def _federated_session(reading: Reading, session: Session) -> Standing:
    user = _user_of(reading, session) if session.principal else None
    account, name = session.account, session.name
    if user is None:
        issuer = Issuer(type="Root", id=account, arn=arn.root_arn(account))
    else:
        issuer = Issuer(type="IAMUser", id=user.id, arn=user.arn, name=user.name)
    who = federated_arn(account, name)
    caller = Caller(
        FEDERATED_USER, who, account, f"{account}:{name}", session.access_key_id, name, session, issuer
    )
    principal = Principal(
        type="federatedUser",
        arn=who,
        account=account,
        issuer_arn=issuer.arn,
        issuer_id=user.id if user is not None else "",
        user_id=caller.principal_id,
        tags=session.tags,
    )
    return _standing(reading, caller, principal, user, session, as_root=user is None)


def _role_session(reading: Reading, session: Session) -> Standing:
    role = reading.get(ROLES, f"{session.account}/{session.principal}")
    if role is None:
        raise unrecognized()
    who = session_arn(role.account, role.name, session.name)
    issuer = Issuer(type="Role", id=role.id, arn=role.arn, name=role.name)
    user_id = f"{role.id}:{session.name}"
    caller = Caller(
        ASSUMED_ROLE, who, role.account, user_id, session.access_key_id, session.name, session, issuer
    )
    principal = Principal(
        type="assumedRole",
        arn=who,
        account=role.account,
        role_arn=role.arn,
        user_id=user_id,
        unique_id=role.id,
        tags=tags_of(session, role.tags),
        service_linked_role=bool(role.service_linked),
    )
    return _standing(reading, caller, principal, role, session)


def _user_of(reading: Reading, session: Session) -> User:
    user = reading.get(USERS, f"{session.account}/{session.principal}")
    if user is None:
        raise unrecognized()
    return user


_SESSIONS: Final[dict[str, Callable[[Reading, Session], Standing]]] = {
    "root": _root_session,
    "user": _user_session,
    "federated": _federated_session,
    "role": _role_session,
}


# ---------------------------------------------------------------------------------- policies


def _standing(
    reading: Reading,
    caller: Caller,
    principal: Principal,
    holder: User | Role | None = None,
    session: Session | None = None,
    *,
    as_root: bool = False,
) -> Standing:
    place = place_of(reading, caller.account)
    policies = msgspec.structs.replace(
        policies_held(reading, holder, place), session=_session_policies(reading, session)
    )
    if as_root:
        policies = msgspec.structs.replace(policies, identity=(_everything(),))
    principal = msgspec.structs.replace(
        principal,
        org_id=place.org_id,
        org_path=place.org_path,
        management_account=place.management,
        **_of_the_session(session),
    )
    return Standing(caller, principal, policies, place, plain=holder is None and policies == Policies())


def policies_held(reading: Reading, holder: User | Role | None, place: Place) -> Policies:
    """The policies on the side of a user or role, whatever session it comes with."""
    return Policies(
        identity=_identity(reading, holder),
        group=_groups(reading, holder),
        boundary=_boundary(reading, holder),
        service_control=place.service_control,
    )


def _of_the_session(session: Session | None) -> dict[str, object]:
    if session is None:
        return {}
    return {
        "mfa_present": session.mfa is not None,
        "token_issue_time": instant(int(session.issued)),
        "source_identity": session.source_identity,
    }


def _identity(reading: Reading, holder: User | Group | Role | None) -> tuple[CompiledPolicy, ...]:
    """Inline policies and then managed ones; one that is gone allows and denies nothing."""
    if holder is None:
        return ()
    inline = [compiled(text, name) for name, text in holder.inline.items()]
    return (*inline, *_managed(reading, holder.attached))


def _managed(reading: Reading, arns: tuple[str, ...]) -> list[CompiledPolicy]:
    return [policy for each in arns if (policy := managed(reading, each)) is not None]


def managed(reading: Reading, policy_arn: str) -> CompiledPolicy | None:
    """The managed policy with this ARN, compiled; None if there is none."""
    own = AWS_MANAGED.get(policy_arn)
    if own is not None:
        return compiled(own.document, own.name)
    place = policy_place(policy_arn)
    found = None if place is None else reading.get(POLICIES, place)
    if found is None or found.arn != policy_arn:
        return None
    return compiled(found.document, found.name)


def _groups(reading: Reading, holder: User | Role | None) -> tuple[CompiledPolicy, ...]:
    if not isinstance(holder, User):
        return ()
    groups = [reading.get(GROUPS, f"{holder.account}/{group}") for group in holder.groups]
    return tuple(policy for group in groups for policy in _identity(reading, group))


def _boundary(reading: Reading, holder: User | Role | None) -> CompiledPolicy | None:
    """The permissions boundary; one that cannot be found allows nothing."""
    if holder is None or not holder.boundary:
        return None
    return managed(reading, holder.boundary) or _nothing()


def _session_policies(reading: Reading, session: Session | None) -> tuple[CompiledPolicy, ...]:
    """The policies passed when the session was made; those that are gone allow nothing."""
    if session is None or not (session.policies or session.policy_arns):
        return ()
    passed = [compiled(text, "session") for text in session.policies]
    return (*passed, *_managed(reading, session.policy_arns)) or (_nothing(),)


@lru_cache(_MOST_COMPILED)
def compiled(text: str, name: str) -> CompiledPolicy:
    """The policy compiled; once per version, since the text is the version."""
    return compile_policy(parse(text), name)


def _nothing() -> CompiledPolicy:
    return CompiledPolicy((), None)


def _everything() -> CompiledPolicy:
    return compiled(
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}', "root"
    )


@lru_cache(256)
def instant(seconds: int) -> str:
    """Whole epoch seconds as conditions read them (`YYYY-MM-DDTHH:MM:SSZ`)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unrecognized() -> errors.ApiError:
    """What the holder of a credential that is not (or no longer) valid is told."""
    return errors.UnrecognizedClient("The security token included in the request is invalid.")
