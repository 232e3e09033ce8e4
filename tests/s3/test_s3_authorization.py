"""Who may do what: policies of callers, of buckets and of keys decide, and each call is recorded."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError

from keystead.testing.server import RunningServer

OTHER = "222222222222"


def allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}
    return {"Version": "2012-10-17", "Statement": [statement]}


def denied(caught: Any) -> bool:
    answer = caught.value.response
    return (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("AccessDenied", 403)


def test_without_a_policy_nothing_is_allowed(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    nobody = made(server.user("nobody"))
    for call in (
        lambda: nobody.get_object(Bucket=bucket, Key="k"),
        lambda: nobody.put_object(Bucket=bucket, Key="k", Body=b"y"),
        lambda: nobody.delete_object(Bucket=bucket, Key="k"),
        lambda: nobody.list_objects_v2(Bucket=bucket),
        lambda: nobody.create_bucket(Bucket="another"),
        nobody.list_buckets,
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert denied(caught)
    answer = nobody.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "k"}]})
    assert [row["Code"] for row in answer["Errors"]] == ["AccessDenied"]
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_a_policy_opens_what_it_names(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    resource = f"arn:aws:s3:::{bucket}/open/*"
    reader = made(server.user("reader", {"p": allow("s3:GetObject", resource=resource)}))
    s3.put_object(Bucket=bucket, Key="open/k", Body=b"x")
    s3.put_object(Bucket=bucket, Key="shut/k", Body=b"x")
    assert reader.get_object(Bucket=bucket, Key="open/k")["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket=bucket, Key="shut/k")
    assert denied(caught)


def test_who_may_not_list_is_not_told_what_is_missing(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    reader = made(server.user("blind", {"p": allow("s3:GetObject")}))
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket=bucket, Key="absent")
    assert denied(caught)


def test_a_key_policy_decides_as_well(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    reader = made(server.user("keyless", {"p": allow("s3:*")}))
    with pytest.raises(ClientError) as caught:
        reader.get_object(Bucket=bucket, Key="k")
    assert denied(caught)
    assert "kms:Decrypt" in caught.value.response["Error"]["Message"]
    via = {"StringEquals": {"kms:ViaService": "s3.us-east-1.amazonaws.com"}}
    policy = {
        "p": allow("s3:*"),
        "k": allow("kms:Decrypt", resource=key, Condition=via),
    }
    person = server.user("keyed", policy)
    assert made(person).get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    direct = server.client_of(person, "kms")
    with pytest.raises(ClientError) as caught:
        direct.decrypt(CiphertextBlob=b"x" * 200, KeyId=key)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_a_disabled_key_opens_nothing_at_once(server: RunningServer, s3: Any, bucket: str) -> None:
    kms = server.client("kms")
    key = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    kms.disable_key(KeyId=key)
    for call in (
        lambda: s3.get_object(Bucket=bucket, Key="k"),
        lambda: s3.put_object(
            Bucket=bucket, Key="l", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
        ),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert caught.value.response["Error"]["Code"] == "KMS.DisabledException"
    assert s3.head_object(Bucket=bucket, Key="k")["ContentLength"] == 1
    kms.enable_key(KeyId=key)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"


def test_strangers_and_nobody_are_not_told_why_they_are_denied(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    near, stranger = made(server.user("near")), made(server.root(OTHER))
    unsigned = made(config=Config(signature_version=UNSIGNED))
    for client, told in (
        (near, "because no identity-based policy allows"),
        (stranger, None),
        (unsigned, None),
    ):
        with pytest.raises(ClientError) as caught:
            client.get_object(Bucket=bucket, Key="k")
        assert denied(caught)
        message = caught.value.response["Error"]["Message"]
        assert told in message if told else message == "Access Denied"


def test_another_accounts_bucket_is_closed(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    stranger = made(server.root(OTHER))
    with pytest.raises(ClientError) as caught:
        stranger.get_object(Bucket=bucket, Key="k")
    assert denied(caught)
    with pytest.raises(ClientError) as caught:
        stranger.create_bucket(Bucket=bucket)
    assert caught.value.response["Error"]["Code"] == "BucketAlreadyExists"
    assert bucket not in [row["Name"] for row in stranger.list_buckets()["Buckets"]]


def test_who_signs_nothing_is_denied(server: RunningServer, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    status, body = server.get(f"/{bucket}/k")
    assert status == 403
    assert b"<Code>AccessDenied</Code>" in body


def test_calls_and_uses_of_keys_are_recorded(server: RunningServer, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"secret bytes", ServerSideEncryption="aws:kms")
    s3.get_object(Bucket=bucket, Key="k")
    mine = [event for event in server.events() if f"arn:aws:s3:::{bucket}/k" in json.dumps(event)]
    assert [event["eventName"] for event in mine] == ["GenerateDataKey", "PutObject", "Decrypt", "GetObject"]
    put = mine[1]
    assert put["requestParameters"]["bucketName"] == bucket
    assert put["requestParameters"]["key"] == "k"
    assert put["requestParameters"]["x-amz-server-side-encryption"] == "aws:kms"
    assert [(each["type"], each["ARN"]) for each in put["resources"]] == [
        ("AWS::S3::Object", f"arn:aws:s3:::{bucket}/k"),
        ("AWS::S3::Bucket", f"arn:aws:s3:::{bucket}"),
    ]
    assert (put["eventCategory"], put["managementEvent"], put["readOnly"]) == ("Data", False, False)
    use = mine[0]
    assert use["userIdentity"]["invokedBy"] == "s3.amazonaws.com"
    assert use["requestParameters"]["encryptionContext"] == {"aws:s3:arn": f"arn:aws:s3:::{bucket}/k"}
    assert "secret bytes" not in json.dumps(server.events())


def test_a_policy_demands_encryption_with_a_key(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    demand = {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}
    document = allow("s3:*")
    document["Statement"].append(
        {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*", "Condition": demand}
    )
    writer = made(server.user("careful", {"p": document, "k": allow("kms:*")}))
    with pytest.raises(ClientError) as caught:
        writer.put_object(Bucket=bucket, Key="k", Body=b"x")
    assert denied(caught)
    writer.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms")


def test_tags_of_objects_and_requests_decide(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    document = allow("s3:*")
    for key, actions in (
        ("s3:ExistingObjectTag/secret", "s3:GetObject"),
        ("s3:RequestObjectTag/secret", "s3:PutObject*"),
    ):
        condition = {"StringEquals": {key: "yes"}}
        document["Statement"].append(
            {"Effect": "Deny", "Action": actions, "Resource": "*", "Condition": condition}
        )
    person = made(server.user("by-tags", {"p": document}))
    s3.put_object(Bucket=bucket, Key="open", Body=b"x", Tagging="secret=no")
    s3.put_object(Bucket=bucket, Key="shut", Body=b"x", Tagging="secret=yes")
    assert person.get_object(Bucket=bucket, Key="open")["Body"].read() == b"x"
    secret = {"TagSet": [{"Key": "Secret", "Value": "yes"}]}
    for call in (
        lambda: person.get_object(Bucket=bucket, Key="shut"),
        lambda: person.copy_object(Bucket=bucket, Key="copy", CopySource={"Bucket": bucket, "Key": "shut"}),
        lambda: person.put_object(Bucket=bucket, Key="new", Body=b"x", Tagging="secret=yes"),
        lambda: person.put_object_tagging(Bucket=bucket, Key="open", Tagging=secret),
    ):
        with pytest.raises(ClientError) as caught:
            call()
        assert denied(caught)


def test_whoever_deletes_many_leaves_an_event_with_the_buckets_owner(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    for name in "ab":
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": OTHER},
        "Action": "s3:DeleteObject",
        "Resource": f"arn:aws:s3:::{bucket}/a",
    }
    server.credential(OTHER)
    s3.put_bucket_policy(
        Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    )
    answer = made(server.root(OTHER)).delete_objects(
        Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "b"}]}
    )
    assert [row["Key"] for row in answer["Deleted"]] == ["a"]
    assert [(row["Key"], row["Code"]) for row in answer["Errors"]] == [("b", "AccessDenied")]
    told = [
        e
        for e in server.events()
        if e["eventName"] == "DeleteObjects" and e["requestParameters"]["bucketName"] == bucket
    ]
    assert sorted(event["recipientAccountId"] for event in told) == sorted(
        [OTHER, server.settings.account_id]
    )
    assert len({event["sharedEventID"] for event in told}) == 1


def test_trails_and_lookups_tell_of_buckets_and_not_of_objects(
    server: RunningServer, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    by_source = {"AttributeKey": "EventSource", "AttributeValue": "s3.amazonaws.com"}
    pages = server.client("cloudtrail").get_paginator("lookup_events").paginate(LookupAttributes=[by_source])
    names = {event["EventName"] for page in pages for event in page["Events"]}
    assert "CreateBucket" in names
    assert "PutObject" not in names
