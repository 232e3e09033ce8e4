"""Users and roles are named by unique id once a policy is written: a namesake made later has nothing."""

import json

import pytest

from keystead.policy import (
    AuthorizationRequest,
    Grant,
    Policies,
    Principal,
    ResourceDescription,
    compile_key_policy,
    decide,
)

ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234"
USER, ROLE = f"arn:aws:iam::{ACCOUNT}:user/Alice", f"arn:aws:iam::{ACCOUNT}:role/p/Keys"
SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/Keys/s1"
FEDERATED = f"arn:aws:sts::{ACCOUNT}:federated-user/bob"
OLD_USER, NEW_USER = "AIDAOLDOLDOLDOLDOLD1", "AIDANEWNEWNEWNEWNEW1"
OLD_ROLE, NEW_ROLE = "AROAOLDOLDOLDOLDOLD1", "AROANEWNEWNEWNEWNEW1"


def user(unique_id, arn=USER):
    return Principal(type="user", arn=arn, account=ACCOUNT, unique_id=unique_id)


def session(unique_id, arn=SESSION):
    return Principal(type="assumedRole", arn=arn, account=ACCOUNT, role_arn=ROLE, unique_id=unique_id)


def federated(issuer_id):
    return Principal(
        type="federatedUser", arn=FEDERATED, account=ACCOUNT, issuer_arn=USER, issuer_id=issuer_id
    )


def policy(bound, *, effect="Allow", element="Principal", entry):
    named = {"Effect": effect, element: {"AWS": entry}, "Action": "kms:*", "Resource": "*"}
    everyone = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}
    statements = [named] if effect == "Allow" else [named, everyone]
    return compile_key_policy(json.dumps({"Statement": statements}), bound)


def effect(caller, key_policy=None, grants=(), session_policy=None):
    return decide(
        AuthorizationRequest(
            principal=caller, action="kms:Decrypt", resource=KEY, account=ACCOUNT, context={},
            description=ResourceDescription(trust="keyPolicy"),
        ),
        Policies(resource=key_policy, grants=grants, session=session_policy or ()),
    ).effect  # fmt: skip


PAIRS = [
    pytest.param(USER, OLD_USER, user(OLD_USER), user(NEW_USER), id="user"),
    pytest.param(ROLE, OLD_ROLE, session(OLD_ROLE), session(NEW_ROLE), id="role"),
    pytest.param(SESSION, OLD_ROLE, session(OLD_ROLE), session(NEW_ROLE), id="session"),
]


@pytest.mark.parametrize(("entry", "identity", "known", "namesake"), PAIRS)
def test_a_bound_entry_names_only_who_was_meant(entry, identity, known, namesake):
    bound = policy({entry: identity}, entry=entry)
    assert effect(known, bound) == "allowed"
    assert effect(namesake, bound) == "implicitDeny"


@pytest.mark.parametrize(("entry", "identity", "known", "namesake"), PAIRS)
def test_a_caller_without_unique_id_meets_no_bound_entry(entry, identity, known, namesake):
    assert effect(
        type(known)(**{**_members(known), "unique_id": ""}), policy({entry: identity}, entry=entry)
    ) == ("implicitDeny")


def _members(principal):
    return {name: getattr(principal, name) for name in principal.__struct_fields__}


@pytest.mark.parametrize(("entry", "identity", "known", "namesake"), PAIRS)
def test_an_unbound_entry_names_by_arn(entry, identity, known, namesake):
    assert effect(known, policy({}, entry=entry)) == effect(namesake, policy({}, entry=entry)) == "allowed"


@pytest.mark.parametrize(("entry", "identity", "known", "namesake"), PAIRS)
def test_a_bound_deny_and_a_bound_exemption_speak_of_who_was_meant(entry, identity, known, namesake):
    deny = policy({entry: identity}, effect="Deny", entry=entry)
    assert (effect(known, deny), effect(namesake, deny)) == ("explicitDeny", "allowed")
    exempt = policy({entry: identity}, effect="Deny", element="NotPrincipal", entry=entry)
    assert (effect(known, exempt), effect(namesake, exempt)) == ("allowed", "explicitDeny")


@pytest.mark.parametrize(("entry", "identity", "known", "namesake"), PAIRS)
def test_a_grant_is_held_by_who_was_meant(entry, identity, known, namesake):
    grant = Grant(
        grant_id="g", key_arn=KEY, grantee=entry, grantee_id=identity, operations=frozenset({"Decrypt"}),
        issuing_account=ACCOUNT,
    )  # fmt: skip
    assert (effect(known, grants=(grant,)), effect(namesake, grants=(grant,))) == ("allowed", "implicitDeny")


def test_one_who_is_renamed_stays_the_same():
    renamed = user(OLD_USER, arn=f"arn:aws:iam::{ACCOUNT}:user/Alice2")
    assert effect(renamed, policy({USER: OLD_USER}, entry=USER)) == "allowed"


def test_a_session_entry_names_no_other_session():
    bound = policy({SESSION: OLD_ROLE}, entry=SESSION)
    assert effect(session(OLD_ROLE, arn=SESSION + "2"), bound) == "implicitDeny"


def test_a_unique_id_as_an_entry_names_its_bearer():
    assert effect(user(OLD_USER), policy({}, entry=OLD_USER)) == "allowed"
    assert effect(user(NEW_USER), policy({}, entry=OLD_USER)) == "implicitDeny"
    assert effect(session(OLD_ROLE), policy({}, entry=OLD_ROLE)) == "allowed"


def test_a_user_who_issues_a_session_is_known_by_unique_id():
    """Such an Allow is within the session policy; without one it allows nothing."""
    allowing = (compile_key_policy(json.dumps({"Statement": [
        {"Effect": "Allow", "Action": "*", "Resource": "*"}
    ]})),)  # fmt: skip
    bound = policy({USER: OLD_USER}, entry=USER)
    assert effect(federated(OLD_USER), bound, session_policy=allowing) == "allowed"
    assert effect(federated(NEW_USER), bound, session_policy=allowing) == "implicitDeny"
    assert effect(federated(OLD_USER), bound) == "implicitDeny"


def test_a_grant_to_a_user_is_none_to_the_sessions_the_user_issues():
    grant = Grant(
        grant_id="g", key_arn=KEY, grantee=USER, operations=frozenset({"Decrypt"}), issuing_account=ACCOUNT
    )
    assert effect(federated(OLD_USER), grants=(grant,)) == "implicitDeny"


def test_a_grant_names_one_principal_and_never_everyone():
    grant = Grant(
        grant_id="g", key_arn=KEY, grantee="*", operations=frozenset({"Decrypt"}), issuing_account=ACCOUNT
    )
    assert effect(user(OLD_USER), grants=(grant,)) == "implicitDeny"
