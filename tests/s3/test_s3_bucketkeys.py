"""Bucket keys save questions to KMS, and no refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.testing.server import RunningServer


@pytest.fixture
def key(server: RunningServer) -> str:
    return str(server.client("kms").create_key()["KeyMetadata"]["Arn"])


@pytest.fixture
def bucket(s3: Any, bucket: str, key: str) -> str:
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": True}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return bucket


def uses(server: RunningServer, bucket: str) -> list[str]:
    return [
        event["eventName"]
        for event in server.events()
        if (event["requestParameters"] or {}).get("encryptionContext")
        == {"aws:s3:arn": f"arn:aws:s3:::{bucket}"}
    ]


def test_many_objects_ask_kms_once(server: RunningServer, s3: Any, bucket: str) -> None:
    for name in "abcde":
        put = s3.put_object(Bucket=bucket, Key=name, Body=name.encode() * 1000)
        assert put["BucketKeyEnabled"] is True
    for name in "abcde":
        assert s3.get_object(Bucket=bucket, Key=name)["Body"].read() == name.encode() * 1000
    assert uses(server, bucket) == ["GenerateDataKey"]
    server.clock.advance(301)
    assert s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"a" * 1000
    assert uses(server, bucket) == ["GenerateDataKey", "Decrypt"]


def test_a_key_that_is_disabled_or_shredded_opens_nothing_though_it_is_held(
    server: RunningServer, s3: Any, bucket: str, key: str
) -> None:
    kms = server.client("kms")
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    kms.disable_key(KeyId=key)
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="k"),
        lambda: s3.put_object(Bucket=bucket, Key="l", Body=b"y"),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "KMS.DisabledException"
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert caught.value.response["Error"]["Code"] == "KMS.KMSInvalidStateException"


def test_a_caller_who_may_not_use_the_key_reads_nothing_though_others_did(
    server: RunningServer, s3: Any, bucket: str, key: str, made: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
    }
    reader = made(server.user("reads-all", {"p": document}))
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket=bucket, Key="k")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    denied = [event for event in server.events() if event["eventName"] == "Decrypt" and "errorCode" in event]
    assert denied[-1]["errorCode"] == "AccessDenied"
    kms = server.client("kms")
    policy = json.loads(kms.get_key_policy(KeyId=key)["Policy"])
    policy["Statement"].append({"Effect": "Deny", "Principal": "*", "Action": "kms:Decrypt", "Resource": "*"})
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    kms.put_key_policy(KeyId=key, Policy=json.dumps(policy))
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_an_alias_that_is_moved_counts_at_once(server: RunningServer, s3: Any, bucket: str, key: str) -> None:
    kms = server.client("kms")
    other = kms.create_key()["KeyMetadata"]["Arn"]
    name = f"alias/{bucket}"
    kms.create_alias(AliasName=name, TargetKeyId=key)
    more = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": name, "BucketKeyEnabled": True}
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **more)["SSEKMSKeyId"] == key
    kms.update_alias(AliasName=name, TargetKeyId=other)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x", **more)["SSEKMSKeyId"] == other
