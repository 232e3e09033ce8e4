"""Another key for objects that are there: by UpdateObjectEncryption, and for whole buckets by a command."""

import json

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from keystead.cli.main import cli

BODY = b"body" * 100_000


@pytest.fixture
def key(server):
    return server.client("kms").create_key()["KeyMetadata"]["Arn"]


@pytest.fixture
def update(s3, bucket):
    def call(name, arn, **more):
        encryption = {"SSEKMS": {"KMSKeyArn": arn}}
        return s3.update_object_encryption(Bucket=bucket, Key=name, ObjectEncryption=encryption, **more)

    return call


def refused(code, call, *arguments, **named):
    with pytest.raises(ClientError) as told:
        call(*arguments, **named)
    assert told.value.response["Error"]["Code"] == code
    return told.value.response["Error"]["Message"]


def read(s3, bucket, name, **more):
    return s3.get_object(Bucket=bucket, Key=name, **more)["Body"].read()


# ------------------------------------------------------------------------------ the operation


@pytest.mark.parametrize("before", [{}, {"ServerSideEncryption": "aws:kms"}], ids=["own key", "default key"])
def test_the_key_changes_and_nothing_else(server, s3, bucket, key, update, before):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, Metadata={"a": "b"}, **before)
    old = s3.head_object(Bucket=bucket, Key="k")
    blobs = {path: path.read_bytes() for path in (server.data_dir / "objects").rglob("*") if path.is_file()}
    update("k", key)
    new = s3.head_object(Bucket=bucket, Key="k")
    assert (new["ServerSideEncryption"], new["SSEKMSKeyId"]) == ("aws:kms", key)
    for name in ("ETag", "LastModified", "ContentLength", "ContentType", "Metadata"):
        assert new[name] == old[name], name
    assert read(s3, bucket, "k") == BODY
    assert all(path.read_bytes() == content for path, content in blobs.items())


def test_from_then_on_the_new_key_decides(server, s3, bucket, key, update):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    update("k", key)
    kms = server.client("kms")
    kms.disable_key(KeyId=key)
    refused("KMS.DisabledException", read, s3, bucket, "k")
    kms.enable_key(KeyId=key)
    assert read(s3, bucket, "k") == BODY


def test_the_old_key_decides_whether_it_may_be_changed(server, s3, bucket, key, update):
    kms = server.client("kms")
    old = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ServerSideEncryption="aws:kms", SSEKMSKeyId=old)
    kms.disable_key(KeyId=old)
    refused("KMS.DisabledException", update, "k", key)
    kms.enable_key(KeyId=old)
    update("k", key)
    kms.schedule_key_deletion(KeyId=old, PendingWindowInDays=7)
    assert read(s3, bucket, "k") == BODY


def test_it_takes_a_permission_of_its_own_and_the_use_of_both_keys(server, s3, bucket, key, made):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY)
    encryption = {"SSEKMS": {"KMSKeyArn": key}}

    def person(name, *actions):
        statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
        return made(server.user(name, {"p": {"Version": "2012-10-17", "Statement": [statement]}}))

    for name, actions in {
        "putter": ("s3:PutObject", "s3:GetObject", "kms:*"),
        "keyless": ("s3:*",),
        "decrypting": ("s3:*", "kms:Decrypt"),
    }.items():
        client = person(name, *actions)
        refused(
            "AccessDenied",
            client.update_object_encryption,
            Bucket=bucket,
            Key="k",
            ObjectEncryption=encryption,
        )
    allowed = person("allowed", "s3:UpdateObjectEncryption", "kms:Encrypt")
    allowed.update_object_encryption(Bucket=bucket, Key="k", ObjectEncryption=encryption)
    assert s3.head_object(Bucket=bucket, Key="k")["SSEKMSKeyId"] == key


@pytest.mark.parametrize("bucket_key", [True, False])
def test_an_object_of_a_bucket_key_is_changed_and_one_can_be_asked_for(s3, bucket, key, bucket_key):
    named = {"Bucket": bucket, "Key": "k"}
    s3.put_object(**named, Body=BODY, ServerSideEncryption="aws:kms", BucketKeyEnabled=True)
    encryption = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": bucket_key}}
    s3.update_object_encryption(**named, ObjectEncryption=encryption)
    answer = s3.get_object(**named)
    assert (answer["Body"].read(), answer["SSEKMSKeyId"]) == (BODY, key)
    assert answer.get("BucketKeyEnabled", False) == bucket_key


def test_two_layers_stay(s3, bucket, key, update):
    s3.put_object(Bucket=bucket, Key="k", Body=BODY, ServerSideEncryption="aws:kms:dsse")
    assert "DSSE-KMS or SSE-C" in refused("InvalidRequest", update, "k", key)


@pytest.mark.parametrize(
    ("arn", "code"),
    [
        ("arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab", "AccessDenied"),
        ("arn:aws:kms:us-east-1:000000000000:alias/aws/s3", "InvalidRequest"),
        ("arn:aws:s3:us-east-1:000000000000:key/x", "InvalidRequest"),
        (
            "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "KMS.NotFoundException",
        ),
    ],
)
def test_what_is_no_key_of_the_account_is_refused(s3, bucket, update, arn, code):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    refused(code, update, "k", arn)
    assert s3.head_object(Bucket=bucket, Key="k")["ServerSideEncryption"] == "AES256"


def test_what_is_not_there_is_told(update, key):
    refused("NoSuchKey", update, "absent", key)


# ------------------------------------------------------------------------------ the command


@pytest.fixture
def command(server):
    def call(*words, expect=0):
        done = CliRunner().invoke(
            cli,
            ["s3", "reencrypt", *words, "--output", "json"],
            env=server.environment(),
            catch_exceptions=False,
        )
        assert done.exit_code == expect, done.output
        return json.loads(done.stdout) if done.stdout else done.stderr

    return call


def test_a_bucket_is_moved_to_a_key_and_read(command, s3, bucket, key):
    names = [f"n{number:02}" for number in range(25)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=name.encode() * 1000)
    assert command(bucket, "--key-id", key, "--dry-run")["counts"] == {"to change": 25}
    assert command(bucket, "--key-id", key, "--prefix", "n1")["counts"] == {"changed": 10}
    assert command(bucket, "--key-id", key, "--after", "n19")["counts"] == {"changed": 5}
    assert command(bucket, "--key-id", key, "--read")["counts"] == {"already": 15, "changed": 10, "read": 25}
    for name in names:
        assert s3.head_object(Bucket=bucket, Key=name)["SSEKMSKeyId"] == key


def test_a_run_that_is_broken_off_is_gone_on_with(command, server, s3, bucket, key):
    for number in range(5):
        s3.put_object(Bucket=bucket, Key=f"n{number}", Body=b"x")
    kms = server.client("kms")
    barred = kms.create_key()["KeyMetadata"]["Arn"]
    s3.put_object(Bucket=bucket, Key="n2", Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=barred)
    kms.disable_key(KeyId=barred)
    told = command(bucket, "--key-id", key, expect=1)
    assert told["counts"] == {"changed": 4, "failed": 1}
    assert [(row["key"], row["reason"].partition(":")[0]) for row in told["failed"]] == [
        ("n2", "KMS.DisabledException")
    ]
    kms.enable_key(KeyId=barred)
    assert command(bucket, "--key-id", key)["counts"] == {"already": 4, "changed": 1}


def test_what_cannot_be_changed_in_place_is_told(command, s3, bucket, key):
    s3.put_object(Bucket=bucket, Key="k", Body=b"x", ServerSideEncryption="aws:kms:dsse")
    told = command(bucket, "--key-id", key, expect=1)
    assert "two layers" in told["failed"][0]["reason"]


def test_a_bucket_that_is_not_there_is_told(command, key):
    assert "NoSuchBucket" in command("no-such-bucket", "--key-id", key, expect=1)


def test_older_versions_are_changed_as_well_unless_they_are_not_to_be(command, s3, bucket, key):
    s3.put_object(Bucket=bucket, Key="k", Body=b"null")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
    s3.put_object(Bucket=bucket, Key="gone", Body=b"3")
    s3.delete_object(Bucket=bucket, Key="gone")
    assert command(bucket, "--key-id", key, "--current-only")["counts"] == {"changed": 1}
    assert command(bucket, "--key-id", key, "--read")["counts"] == {"already": 1, "changed": 3, "read": 4}
    for version, body in ((first, b"1"), (second, b"2"), ("null", b"null")):
        answer = s3.get_object(Bucket=bucket, Key="k", VersionId=version)
        assert (answer["Body"].read(), answer["SSEKMSKeyId"]) == (body, key)
    found = s3.list_object_versions(Bucket=bucket)
    assert len(found["Versions"]) == 4  # none was added
    assert len(found["DeleteMarkers"]) == 1
