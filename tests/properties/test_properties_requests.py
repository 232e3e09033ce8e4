"""Any request at all, for any operation: a success or one of AWS's refusals, and a refusal changes nothing."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from signed_http import Client

from keystead.clock import ManualClock
from keystead.keyring.keyring import MATERIALS
from keystead.services.kms.key_stores import KEY_STORES
from keystead.services.kms.tables import ALIASES, GRANTS, KEYS
from keystead.testing import RunningServer
from keystead.wire.model import Rule, Shape
from keystead.wire.models.kms import OPERATIONS

TABLES = (KEYS, ALIASES, GRANTS, KEY_STORES, MATERIALS)
QUOTA = 40
SLOW = {"RSA_3072", "RSA_4096"}
ROOT = "arn:aws:iam::000000000000:root"

TEXTS = st.one_of(
    st.sampled_from(
        [
            "", " ", "a", "\0", "a\0b", "/", "%", "*", "..", "alias/", "alias/\0", "alias/aws/s3", "alias/there", "default",
            "arn:", "arn:aws:kms:::", "arn:aws:kms:us-east-1:000000000000:key/\0", "arn:aws:kms:us-east-1:000000000000:alias/\0",
            "arn:aws:iam::000000000000:root", "arn:aws:iam::999999999999:root", "AROA", "eu-west-1", "us-east-1", "nowhere",
            "{}", '{"Version":"2012-10-17","Statement":[]}', "\u202e\u0000", "\U0001f511", "0" * 64, "1" * 5000,
        ]
    ),
    st.text(max_size=40),
)  # fmt: skip
NUMBERS = st.one_of(st.integers(-3, 40), st.sampled_from([2**31, 2**63 - 1, -(2**63), 2560, 1024]))
TIMES = st.one_of(NUMBERS, st.floats(allow_nan=False, allow_infinity=False))
BLOBS = st.binary(max_size=200).map(lambda data: base64.b64encode(data).decode())


class World:
    """A server with something of everything, and names of what is there."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server
        self.client = Client(server.port, server.access_key_id, server.secret_access_key)
        must = self.client.must
        self.keys: list[str] = []
        for members in (
            {},
            {"MultiRegion": True},
            {"Origin": "EXTERNAL"},
            {"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"},
            {"KeySpec": "ECC_NIST_P256", "KeyUsage": "KEY_AGREEMENT"},
            {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"},
            {"KeySpec": "ML_DSA_44", "KeyUsage": "SIGN_VERIFY"},
        ):
            metadata = must("CreateKey", members)["KeyMetadata"]
            self.keys += [metadata["KeyId"], metadata["Arn"]]
        must("CreateAlias", {"AliasName": "alias/there", "TargetKeyId": self.keys[0]})
        grant = must(
            "CreateGrant",
            {"KeyId": self.keys[0], "GranteePrincipal": ROOT, "Operations": ["Encrypt"], "Name": "n"},
        )
        blob = must("Encrypt", {"KeyId": self.keys[0], "Plaintext": "YQ=="})["CiphertextBlob"]
        self.known: dict[str, list[str]] = {
            "KeyId": [*self.keys, "alias/there"],
            "TargetKeyId": self.keys,
            "SourceKeyId": self.keys,
            "DestinationKeyId": self.keys,
            "GrantId": [grant["GrantId"]],
            "GrantToken": [grant["GrantToken"]],
            "CiphertextBlob": [blob],
            "AliasName": ["alias/there", "alias/new"],
            "PolicyName": ["default"],
            "GranteePrincipal": [ROOT],
            "RetiringPrincipal": [ROOT],
            "ReplicaRegion": ["eu-west-1"],
            "PrimaryRegion": ["eu-west-1"],
            "Policy": [must("GetKeyPolicy", {"KeyId": self.keys[0]})["Policy"]],
        }

    def stored(self) -> list[list[Any]]:
        tx = self.server.store.transaction()
        return [tx.scan(table, "") for table in TABLES]


@pytest.fixture(scope="module")
def world():
    # Time stands still, so that nothing falls due between two looks.
    with RunningServer(clock=ManualClock(time.time()), quota_keys=QUOTA) as server:
        yield World(server)


def value_of(rule: Rule, known: list[str]) -> st.SearchStrategy[Any]:
    """Values for one member: right ones, wrong ones of the right type, and some of another type."""
    right: list[st.SearchStrategy[Any]] = [st.sampled_from(known)] * 4 if known else []
    if rule.shape is not None:
        right.append(members_of(rule.shape, {}))
    elif rule.kind == "list":
        assert rule.item is not None
        right.append(st.lists(value_of(rule.item, known), max_size=4))
    elif rule.kind == "map":
        assert rule.item is not None
        right.append(st.dictionaries(TEXTS, value_of(rule.item, []), max_size=4))
    elif rule.kind == "blob":
        right.append(BLOBS)
    elif rule.kind == "boolean":
        right.append(st.booleans())
    elif rule.kind in {"integer", "long"}:
        right.append(NUMBERS)
    elif rule.kind == "timestamp":
        right.append(TIMES)
    else:
        choices = [choice for choice in getattr(rule, "enum", None) or () if choice not in SLOW]
        right += [st.sampled_from(choices)] * 4 if choices else []
        right.append(TEXTS)
    wrong = st.sampled_from([None, 1, "x", [], {}, True, 1.5, ["x"], {"x": "y"}])
    return st.one_of(*right, *right, *right, wrong)


def members_of(shape: type[Shape], known: dict[str, list[str]]) -> st.SearchStrategy[dict[str, Any]]:
    values = {member.name: value_of(member.rule, known.get(member.name, [])) for member in shape.MEMBERS}
    required = {member.name: values[member.name] for member in shape.MEMBERS if member.required}
    optional = {name: value for name, value in values.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional)


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_any_request_is_answered_and_a_refusal_changes_nothing(world: World, operation: str) -> None:
    shape = OPERATIONS[operation].input

    @settings(
        max_examples=25,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    @given(body=members_of(shape, world.known))
    def check(body: dict[str, Any]) -> None:
        before = world.stored()
        answer = world.client.call(operation, body)
        assert answer.status in {200, 400}, (body, answer.body)
        if answer.status == 400:
            assert answer.code.endswith("Exception"), answer.body
            assert "Internal" not in answer.code
            assert world.stored() == before
        else:
            json.loads(answer.body or b"{}")
            world.server.advance(0)  # what a success makes due at once is done before the next look

    check()
    world.server.advance(0.01)


def test_afterwards_everything_recorded_and_stored_is_in_order(world: World) -> None:
    assert world.server.store.verify_all().findings == ()
    assert world.server.app.journal.verify() > 0
    ids = [event["requestID"] for event in world.server.events() if "requestID" in event]
    assert len(ids) == len(set(ids))
    assert world.server.get("/readyz")[0] == 200
