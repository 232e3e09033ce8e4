"""Two spellings of one principal or key never get two answers, whatever the policies say."""

import json

import botocore
import msgspec
import pytest
from botocore.exceptions import ClientError
from callers import client_with
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from principals import access_key, put_principals, set_policies

from keystead.policy.simulate import simulate
from keystead.services.kms.tables import KEYS
from keystead.testing import RunningServer

ACCOUNT = "000000000000"
ALICE = f"arn:aws:iam::{ACCOUNT}:user/alice"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
ROLE, SESSION = f"arn:aws:iam::{ACCOUNT}:role/Keys", f"arn:aws:sts::{ACCOUNT}:assumed-role/Keys/one"
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EFFECTS = st.sampled_from(["Allow", "Allow", "Deny"])
ACTIONS = st.sampled_from(["kms:*", "kms:Encrypt", "kms:encrypt", "kms:Decrypt", "kms:Describe*", "*"])
CONDITIONS = st.sampled_from([
    {}, {}, {},
    {"StringEquals": {"kms:CallerAccount": ACCOUNT}},
    {"StringNotEquals": {"aws:PrincipalAccount": ACCOUNT}},
    {"StringEquals": {"kms:EncryptionContext:a": "1"}},
    {"ForAnyValue:StringLike": {"kms:ResourceAliases": "alias/*"}},
    {"Null": {"kms:ViaService": "false"}},
])  # fmt: skip


def statements(**elements):
    shape = {"Effect": EFFECTS, "Action": ACTIONS, "Condition": CONDITIONS} | elements
    return st.lists(st.fixed_dictionaries(shape), min_size=1, max_size=3)


def document(entries):
    return {"Version": "2012-10-17", "Statement": entries}


# ----------------------------------------------------------------------------- principals

CALLERS = st.sampled_from([
    {"type": "user", "arn": ALICE},
    {"type": "root", "arn": ROOT},
    {"type": "assumedRole", "arn": SESSION},
    {"type": "user", "arn": "arn:aws:iam::444455556666:user/carol"},
    {"type": "service", "service": "logs.amazonaws.com"},
])  # fmt: skip
NAMES = st.sampled_from(["account", "user", "session", "everyone", "other"])
ACCOUNT_SPELLINGS = (ACCOUNT, ROOT, [ACCOUNT], [ROOT, ACCOUNT])
EVERYONE_SPELLINGS = ("*", {"AWS": "*"}, {"AWS": ["*"]})


def principal(name, account, session, everyone):
    """The Principal element that `name` stands for, in one spelling."""
    return {
        "account": {"AWS": account},
        "user": {"AWS": ALICE},
        "session": {"AWS": session},
        "everyone": everyone,
        "other": {"AWS": "arn:aws:iam::444455556666:root"},
    }[name]


def decided(caller, key_entries, identity_entries, spelling):
    policy = [entry | {"Principal": principal(entry["Principal"], *spelling)} for entry in key_entries]
    case = {
        "principal": caller,
        "request": {
            "action": "kms:Encrypt",
            "resource": KEY,
            "resourceAccount": ACCOUNT,
            "context": {
                "kms:CallerAccount": caller.get("arn", ":" * 5).split(":")[4],
                "aws:PrincipalAccount": "1",
            },
        },
        "identityPolicies": [{"document": document(identity_entries)}],
        "resourcePolicy": {"document": document(policy)},
    }
    return json.loads(simulate(json.dumps(case)))["decision"]


RESOURCES = st.sampled_from(["*", KEY, "arn:aws:kms:*:*:key/*", KEY[:-1]])


@settings(max_examples=300)
@given(CALLERS, statements(Principal=NAMES, Resource=st.just("*")), statements(Resource=RESOURCES))
def test_the_spelling_of_a_principal_in_a_policy_does_not_matter(caller, key_entries, identity_entries):
    """An account by id or root ARN, everyone as a string or an object, and a session by itself or its role.

    The last two differ by what limits them, a boundary or a session policy; here is neither.
    """
    answers = {
        decided(caller, key_entries, identity_entries, (account, session, everyone))
        for account in ACCOUNT_SPELLINGS
        for session in (ROLE, SESSION)
        for everyone in EVERYONE_SPELLINGS
    }
    assert len(answers) == 1


# ----------------------------------------------------------------------------------- keys


class World:
    """A key with an alias, and a user."""

    def __init__(self, server):
        self.server = server
        kms = server.client("kms")
        self.key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/pay", TargetKeyId=self.key)
        put_principals(server.store, ALICE)
        self.alice = client_with(server, *access_key(server.store, ALICE), region="us-east-1")
        prefix, _, key_id = self.key.partition("key/")
        self.spellings = (key_id, self.key, "alias/pay", f"{prefix}alias/pay")

    def have(self, key_entries, identity_entries):
        set_policies(self.server.store, ALICE, p=document(identity_entries))

        def put(tx):
            for where, key in tx.scan(KEYS, ""):
                tx.put(
                    KEYS,
                    where,
                    msgspec.structs.replace(key, policy=json.dumps(document(key_entries)), principals=()),
                )

        self.server.store.run(put)

    def answer(self, operation, **request):
        """What a client is told: the error's code and text, or nothing."""
        try:
            getattr(self.alice, botocore.xform_name(operation))(**request)
        except ClientError as error:
            return error.response["Error"]["Code"], error.response["Error"]["Message"]
        return None


@pytest.fixture(scope="module")
def world():
    with RunningServer() as server:
        yield World(server)


OF_KEY = st.sampled_from([{"AWS": ROOT}, {"AWS": ACCOUNT}, {"AWS": ALICE}, "*", {"AWS": "444455556666"}])
ON = st.sampled_from(
    [
        "*",
        "own",
        "arn:aws:kms:*:*:key/*",
        "arn:aws:kms:*:*:alias/*",
        f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/pay",
    ]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(statements(Principal=OF_KEY, Resource=st.just("*")), statements(Resource=ON), st.booleans())
def test_the_spelling_of_a_key_in_a_request_does_not_matter(
    world, key_entries, identity_entries, with_context
):
    """Id, ARN, alias name and alias ARN: one answer, down to the words, as long as no policy asks for the alias."""
    own = [
        entry | {"Resource": world.key if entry["Resource"] == "own" else entry["Resource"]}
        for entry in identity_entries
    ]
    world.have(key_entries, own)
    context = {"EncryptionContext": {"a": "1"}} if with_context else {}
    for operation, members in (("Encrypt", {"Plaintext": b"x", **context}), ("DescribeKey", {})):
        answers = {world.answer(operation, KeyId=spelling, **members) for spelling in world.spellings}
        assert len(answers) == 1, answers
