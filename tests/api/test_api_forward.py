"""Services that call with a caller's permissions, by what a client of theirs signed for them."""

import json

import pytest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from callers import client_with, forwarded_by, service_client, signed_for

from keystead.api.forward import FORWARDED, SOURCE_ARN
from keystead.testing import RunningServer

SERVICE = "rds.amazonaws.com"
ACCOUNT = "000000000000"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        yield running


@pytest.fixture(scope="module")
def rds(server):
    return service_client(server, SERVICE)


def key_with(server, *statements):
    """A key with these statements besides one that lets the root do all but use it."""
    keep = {
        "Effect": "Allow",
        "Principal": {"AWS": ROOT},
        "Action": ["kms:Put*", "kms:Get*"],
        "Resource": "*",
    }
    made = [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", **statement} for statement in statements]
    policy = json.dumps({"Version": "2012-10-17", "Statement": [keep, *made]})
    return server.client("kms").create_key(Policy=policy)["KeyMetadata"]["Arn"]


def code_of(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    return caught.value.response["Error"]["Code"]


@pytest.fixture(scope="module")
def only_through_rds(server):
    return key_with(
        server,
        {
            "Principal": {"AWS": ROOT},
            "Condition": {
                "StringEquals": {"kms:ViaService": "rds.us-east-1.amazonaws.com"},
                "Bool": {"aws:ViaAWSService": "true"},
                "ForAllValues:StringEquals": {"aws:CalledVia": [SERVICE]},
                "ForAnyValue:StringEquals": {"aws:CalledVia": [SERVICE]},
            },
        },
    )


def test_a_key_for_use_through_a_service_serves_it_and_nobody_else(server, rds, only_through_rds):
    with forwarded_by(server, rds, SERVICE):
        blob = rds.encrypt(KeyId=only_through_rds, Plaintext=b"page")["CiphertextBlob"]
        assert rds.decrypt(CiphertextBlob=blob)["Plaintext"] == b"page"
    assert code_of(server.client("kms").decrypt, CiphertextBlob=blob) == "AccessDeniedException"
    assert code_of(rds.decrypt, CiphertextBlob=blob) == "AccessDeniedException"  # for nobody


def test_the_event_names_the_caller_and_the_service(server, rds, only_through_rds):
    with forwarded_by(server, rds, SERVICE):
        rds.encrypt(KeyId=only_through_rds, Plaintext=b"page")
    event = server.events()[-1]
    assert event["userIdentity"]["arn"] == ROOT
    assert event["userIdentity"]["invokedBy"] == SERVICE
    assert (event["sourceIPAddress"], event["userAgent"]) == (SERVICE, SERVICE)
    assert event["recipientAccountId"] == ACCOUNT


def test_who_is_no_service_cannot_forward(server, only_through_rds):
    client = client_with(
        server, server.access_key_id, server.secret_access_key, api="kms", region="us-east-1"
    )
    with forwarded_by(server, client, SERVICE):
        assert code_of(client.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "AccessDeniedException"


def test_naming_the_service_oneself_gives_nothing(server, only_through_rds):
    client = client_with(
        server, server.access_key_id, server.secret_access_key, api="kms", region="us-east-1"
    )

    def claim(request, **_):
        request.headers["X-Amz-Via-Service"] = SERVICE
        request.headers["X-Keystead-Via-Service"] = "rds.us-east-1.amazonaws.com"

    client.meta.events.register("before-sign.*.*", claim)
    assert code_of(client.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "AccessDeniedException"


def test_what_was_signed_for_another_service_is_refused(server, rds, only_through_rds):
    with forwarded_by(server, rds, "sqs.amazonaws.com"):
        assert code_of(rds.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "InvalidSignatureException"


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"target": "/other"},
        {"payload": "0" * 64},
        {"headers": {"host": "elsewhere.example.com"}},
    ],
)
def test_a_forwarded_request_that_was_changed_is_refused(server, rds, only_through_rds, change):
    block = forwarded_by(server, rds, SERVICE)
    headers = block.request["headers"] | change.get("headers", {})
    block.request = block.request | change | {"headers": headers}
    with block:
        assert code_of(rds.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "InvalidSignatureException"


def test_an_old_request_is_refused(server, rds, only_through_rds):
    block = forwarded_by(server, rds, SERVICE)
    block.request["headers"]["x-amz-date"] = "20200101T000000Z"
    with block:
        assert code_of(rds.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "InvalidSignatureException"


@pytest.mark.parametrize("text", ["", "bm90IGpzb24=", "!!", "e30="])
def test_what_is_no_request_is_refused(server, rds, only_through_rds, text):
    def add(request, **_):
        request.headers[FORWARDED] = text

    rds.meta.events.register("before-sign.*.*", add)
    try:
        assert code_of(rds.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "IncompleteSignatureException"
    finally:
        rds.meta.events.unregister("before-sign.*.*", add)


def test_a_header_that_the_service_did_not_sign_is_refused(server, rds, only_through_rds):
    block = forwarded_by(server, rds, SERVICE)
    rds.meta.events.register("before-send.*.*", block._add)
    try:
        assert code_of(rds.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "InvalidSignatureException"
    finally:
        rds.meta.events.unregister("before-send.*.*", block._add)


def test_a_chain_of_services_is_told_in_order(server, rds):
    key = key_with(
        server,
        {
            "Principal": {"AWS": ROOT},
            "Condition": {
                "StringEquals": {
                    "aws:CalledViaFirst": "cloudformation.amazonaws.com",
                    "aws:CalledViaLast": SERVICE,
                    "kms:ViaService": "rds.us-east-1.amazonaws.com",
                }
            },
        },
    )
    first = service_client(server, "cloudformation.amazonaws.com")
    own = first._request_signer._credentials
    chain = forwarded_by(server, rds, SERVICE)
    inner = signed_for(Credentials(server.access_key_id, server.secret_access_key), "cloudformation")
    from base64 import b64encode

    chain.request = signed_for(
        Credentials(own.access_key, own.secret_key),
        "rds",
        **{FORWARDED: b64encode(json.dumps(inner).encode()).decode()},
    )
    with chain:
        rds.encrypt(KeyId=key, Plaintext=b"x")
    with forwarded_by(server, rds, SERVICE):
        assert code_of(rds.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"


def test_a_service_for_itself_is_named_by_the_key_policy_and_bound_to_its_source(server, rds):
    source = f"arn:aws:rds:us-east-1:{ACCOUNT}:db:one"
    key = key_with(
        server, {"Principal": {"Service": SERVICE}, "Condition": {"ArnEquals": {"aws:SourceArn": source}}}
    )
    assert code_of(rds.encrypt, KeyId=key, Plaintext=b"x") == "AccessDeniedException"

    def add(request, **_):
        request.headers[SOURCE_ARN] = source

    rds.meta.events.register("before-sign.*.*", add)
    try:
        rds.encrypt(KeyId=key, Plaintext=b"x")
    finally:
        rds.meta.events.unregister("before-sign.*.*", add)
    event = server.events()[-1]
    assert event["userIdentity"] == {"type": "AWSService", "invokedBy": SERVICE}
    assert event["recipientAccountId"] == ACCOUNT


def test_a_service_that_is_no_longer_registered_is_refused(server, only_through_rds):
    from keystead.api.directory import CREDENTIALS

    client = service_client(server, SERVICE)
    with forwarded_by(server, client, SERVICE):
        client.encrypt(KeyId=only_through_rds, Plaintext=b"x")
        key_id = client._request_signer._credentials.access_key
        server.store.run(lambda tx: tx.delete(CREDENTIALS, key_id))
        assert (
            code_of(client.encrypt, KeyId=only_through_rds, Plaintext=b"x") == "UnrecognizedClientException"
        )
