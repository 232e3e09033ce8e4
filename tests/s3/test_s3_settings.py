"""Settings of buckets: what is put is got, and counts."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.testing.server import RunningServer

OTHER = "333333333333"


def code(caught: Any) -> str:
    return str(caught.value.response["Error"]["Code"])


def test_the_default_encryption_counts_for_what_says_nothing(s3: Any, bucket: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}, "BucketKeyEnabled": False}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    told = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    assert told["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms"}
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "aws:kms"
    assert (
        s3.put_object(Bucket=bucket, Key="l", Body=b"x", ServerSideEncryption="AES256")[
            "ServerSideEncryption"
        ]
        == "AES256"
    )
    s3.delete_bucket_encryption(Bucket=bucket)
    assert s3.put_object(Bucket=bucket, Key="k", Body=b"x")["ServerSideEncryption"] == "AES256"


def test_keys_of_callers_are_refused_until_the_bucket_takes_them(s3: Any, bucket: str) -> None:
    key = os.urandom(32)
    brought = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": key}
    with pytest.raises(ClientError) as caught:
        s3.put_object(Bucket=bucket, Key="k", Body=b"x", **brought)
    assert code(caught) == "AccessDenied"
    rule = {
        "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"},
        "BlockedEncryptionTypes": {"EncryptionType": ["NONE"]},
    }
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    put = s3.put_object(Bucket=bucket, Key="k", Body=b"mine", **brought)
    assert (
        put["SSECustomerKeyMD5"]
        == base64.b64encode(hashlib.md5(key, usedforsecurity=False).digest()).decode()
    )
    assert s3.get_object(Bucket=bucket, Key="k", **brought)["Body"].read() == b"mine"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k")
    assert code(caught) == "InvalidRequest"
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key="k", SSECustomerAlgorithm="AES256", SSECustomerKey=os.urandom(32))
    assert code(caught) == "AccessDenied"
    with pytest.raises(ClientError):
        s3.head_object(Bucket=bucket, Key="k")


def test_a_bucket_policy_lets_another_account_in(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    guest = made(server.root(OTHER))
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
                "Action": "s3:GetObject",
                "Resource": f"arn:aws:s3:::{bucket}/*",
            }
        ],
    }
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    assert json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]) == policy
    assert s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"]["IsPublic"] is False
    assert guest.get_object(Bucket=bucket, Key="k")["Body"].read() == b"x"
    with pytest.raises(ClientError) as caught:
        guest.delete_object(Bucket=bucket, Key="k")
    assert code(caught) == "AccessDenied"
    s3.delete_bucket_policy(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        guest.get_object(Bucket=bucket, Key="k")
    assert code(caught) == "AccessDenied"
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_policy(Bucket=bucket)
    assert code(caught) == "NoSuchBucketPolicy"


def test_a_bucket_is_made_public_only_where_nothing_blocks_it(
    server: RunningServer, s3: Any, bucket: str
) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    statement = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert code(caught) == "AccessDenied"
    assert server.get(f"/{bucket}/k")[0] == 403
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_bucket_policy(Bucket=bucket, Policy=policy)
    assert server.get(f"/{bucket}/k") == (200, b"x")
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration={"RestrictPublicBuckets": True})
    assert server.get(f"/{bucket}/k")[0] == 403


@pytest.mark.parametrize(
    "text",
    [
        "no",
        '{"Statement": []',
        '{"Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::another/*"}]}',
        '{"Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::000000000000:user/nobody-there"}, "Action": "s3:*", "Resource": "*"}]}',
    ],
)
def test_what_is_no_bucket_policy_is_refused(s3: Any, bucket: str, text: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.put_bucket_policy(Bucket=bucket, Policy=text)
    assert code(caught) == "MalformedPolicy"


def test_tags_of_buckets_and_objects(s3: Any, bucket: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_tagging(Bucket=bucket)
    assert code(caught) == "NoSuchTagSet"
    tags = [{"Key": "team", "Value": "a b"}, {"Key": "x", "Value": ""}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket=bucket)["TagSet"] == tags
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", Tagging="a=1&b=2%203")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == [
        {"Key": "a", "Value": "1"},
        {"Key": "b", "Value": "2 3"},
    ]
    s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": tags})
    assert s3.head_object(Bucket=bucket, Key="k")["TagCount"] == 2
    s3.delete_object_tagging(Bucket=bucket, Key="k")
    assert s3.get_object_tagging(Bucket=bucket, Key="k")["TagSet"] == []
    with pytest.raises(ClientError) as caught:
        s3.put_object_tagging(Bucket=bucket, Key="k", Tagging={"TagSet": [tags[0], tags[0]]})
    assert code(caught) == "InvalidTag"


def test_ownership_cors_and_lifecycle_are_kept(s3: Any, bucket: str) -> None:
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"], "MaxAgeSeconds": 5}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    assert s3.get_bucket_cors(Bucket=bucket)["CORSRules"] == rules
    s3.delete_bucket_cors(Bucket=bucket)
    with pytest.raises(ClientError) as caught:
        s3.get_bucket_cors(Bucket=bucket)
    assert code(caught) == "NoSuchCORSConfiguration"
    life = [
        {
            "ID": "r",
            "Filter": {"Prefix": "tmp/"},
            "Status": "Enabled",
            "Expiration": {"Days": 3},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
    ]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": life})
    assert s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"] == life
    owned = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]["Rules"]
    assert owned == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert len(s3.get_bucket_acl(Bucket=bucket)["Grants"]) == 1
    assert (
        s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]["BlockPublicPolicy"]
        is True
    )


@pytest.mark.parametrize(
    "name", ["ab", "a" * 64, "Upper", "a..b", "192.168.0.1", "xn--abc", "-abc", "metrics", "a_b"]
)
def test_names_that_no_bucket_has(s3: Any, name: str) -> None:
    with pytest.raises(ClientError) as caught:
        s3.create_bucket(Bucket=name)
    assert code(caught) in {"InvalidBucketName", "SignatureDoesNotMatch"}


def test_a_bucket_of_another_region_says_where_it_is(
    server: RunningServer, s3: Any, bucket: str, made: Any
) -> None:
    there = made(region="eu-west-1")
    # boto3 asks again in the Region that the first answer names
    assert there.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    refused = [event for event in server.events() if event.get("errorCode") == "AuthorizationHeaderMalformed"]
    assert refused[-1]["requestParameters"]["bucketName"] == bucket
    there.create_bucket(Bucket=f"{bucket}-eu", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert there.get_bucket_location(Bucket=f"{bucket}-eu")["LocationConstraint"] == "eu-west-1"
    with pytest.raises(ClientError) as caught:
        there.create_bucket(Bucket=f"{bucket}-none")
    assert code(caught) == "IllegalLocationConstraintException"
