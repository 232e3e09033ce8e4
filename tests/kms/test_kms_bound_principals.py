"""Users and roles that policies and grants name are known by their unique ids: namesakes are other people."""

import json

import pytest
from callers import client_with
from principals import access_key, put_principals, set_policies

from keystead.api.directory import NAMES, USERS, name_place, principal_id_of

ALICE = "arn:aws:iam::000000000000:user/alice"
ROOT = "arn:aws:iam::000000000000:root"


@pytest.fixture
def alice(server):
    """A function that makes the user anew and returns her client."""

    def make():
        put_principals(server.store, ALICE)
        return client_with(server, *access_key(server.store, ALICE), region="us-east-1")

    return make


def delete_user(server, name):
    def delete(tx):
        where = f"000000000000/{principal_id_of(tx, name)}"
        tx.delete(USERS, where)
        tx.delete(NAMES, name_place("user", "000000000000", name.rpartition("/")[2]))

    server.store.run(delete)


def policy_for(*principals, action="kms:*"):
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": name}, "Action": action, "Resource": "*"}
        for name in principals
    ]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def test_a_namesake_has_nothing_by_a_key_policy(server, kms, alice, refused):
    first = alice()
    key = kms.create_key(Policy=policy_for(ROOT, ALICE))["KeyMetadata"]["KeyId"]
    blob = first.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    delete_user(server, ALICE)
    with refused("UnrecognizedClientException"):
        first.decrypt(CiphertextBlob=blob)
    second = alice()
    with refused("AccessDeniedException"):
        second.decrypt(CiphertextBlob=blob)
    kms.put_key_policy(KeyId=key, Policy=policy_for(ROOT, ALICE))
    assert second.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"


def test_a_namesake_has_nothing_by_a_grant(server, kms, alice, refused):
    first = alice()
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_grant(KeyId=key, GranteePrincipal=ALICE, Operations=["Encrypt"])
    first.encrypt(KeyId=key, Plaintext=b"x")
    delete_user(server, ALICE)
    with refused("AccessDeniedException"):
        alice().encrypt(KeyId=key, Plaintext=b"x")


def test_a_deny_for_somebody_who_is_gone_is_no_deny_for_a_namesake(server, kms, alice):
    alice()
    policy = json.loads(policy_for(ROOT))
    policy["Statement"] += [
        {"Effect": "Deny", "Principal": {"AWS": ALICE}, "Action": "kms:Encrypt", "Resource": "*"}
    ]
    key = kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["KeyId"]
    delete_user(server, ALICE)
    second = alice()
    set_policies(server.store, ALICE, all=json.loads(_allow_all()))
    second.encrypt(KeyId=key, Plaintext=b"x")


def _allow_all():
    return '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}'


@pytest.mark.parametrize(
    "name",
    [
        "arn:aws:iam::000000000000:user/nobody",
        "arn:aws:iam::999988887777:role/nobody",
        "arn:aws:sts::000000000000:assumed-role/nobody/session",
        "arn:aws:sts::999988887777:federated-user/somebody",
    ],
)
def test_who_does_not_exist_cannot_be_named(kms, refused, name):
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    message = f"Policy contains a statement with one or more invalid principals. They do not exist: {name}"
    with refused("MalformedPolicyDocumentException", message):
        kms.put_key_policy(KeyId=key, Policy=policy_for(ROOT, name))
    with refused("MalformedPolicyDocumentException", message):
        kms.create_key(Policy=policy_for(ROOT, name))
    assert name not in kms.get_key_policy(KeyId=key)["Policy"]
