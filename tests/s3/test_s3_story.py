"""Why a custom key: a stolen role, two accounts, an alias that moves, a key that is disabled and one that is shredded."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from keystead.testing.people import Person, allow
from keystead.testing.server import RunningServer

PARTNER = "111122223333"
CONTEXT = {"department": "finance"}


class Story:
    """A bucket with an object under the default key and one under a custom key, and who comes for them."""

    def __init__(self, server: RunningServer, s3: Any, bucket: str, made: Any, bucket_key: bool) -> None:
        self.server, self.bucket, self.made, self.bucket_key = server, bucket, made, bucket_key
        self.kms, self.alias = server.client("kms"), f"alias/{bucket}"
        use = allow("s3:GetObject", "s3:PutObject", "kms:GenerateDataKey", "kms:Decrypt")
        self.app = server.user(f"app-{bucket}", {"p": use})
        self.thief = server.assume(server.role(f"batch-{bucket}", {"p": allow("s3:GetObject")}))
        self.auditor = server.user(
            f"auditor-{bucket}", {"p": allow("s3:GetObject", "kms:Decrypt")}, account=PARTNER
        )
        s3.put_bucket_policy(Bucket=bucket, Policy=_shared(f"arn:aws:s3:::{bucket}/*", "s3:GetObject"))
        self.key = self.new_key()
        self.kms.create_alias(AliasName=self.alias, TargetKeyId=self.key)
        made(self.app).put_object(Bucket=bucket, Key="letter", Body=b"letter", ServerSideEncryption="aws:kms")
        self.put("invoice", b"invoice")

    def new_key(self) -> str:
        users = {"AWS": self.app.arn}
        through = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
        bound = {f"kms:EncryptionContext:{name}": value for name, value in CONTEXT.items()}
        root = (
            self.server.root().arn
        )  # and not who has permissions from identity policies, to whom naming it delegates
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                _statement({"AWS": root}, ["kms:*"], {"aws:PrincipalArn": root}),
                _statement(users, ["kms:GenerateDataKey", "kms:Decrypt"], through | bound),
                _statement({"AWS": f"arn:aws:iam::{PARTNER}:root"}, ["kms:Decrypt"], bound),
            ],
        }
        return str(self.kms.create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"])

    def put(self, name: str, body: bytes, context: dict[str, str] | None = None) -> Any:
        context = CONTEXT if context is None else context
        return self.made(self.app).put_object(
            Bucket=self.bucket,
            Key=name,
            Body=body,
            ServerSideEncryption="aws:kms",
            SSEKMSKeyId=self.alias,
            SSEKMSEncryptionContext=base64.b64encode(json.dumps(context).encode()).decode(),
            BucketKeyEnabled=self.bucket_key,
        )

    def read(self, who: Person, name: str) -> bytes:
        body: bytes = self.made(who).get_object(Bucket=self.bucket, Key=name)["Body"].read()
        return body

    def refused(self, who: Person, name: str) -> tuple[str, str]:
        with pytest.raises(ClientError) as caught:
            self.read(who, name)
        error = caught.value.response["Error"]
        return error["Code"], error["Message"]


def _statement(principal: dict[str, str], actions: list[str], equal: dict[str, str]) -> dict[str, Any]:
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}
    return statement | ({"Condition": {"StringEquals": equal}} if equal else {})


def _shared(resource: str, action: str) -> str:
    statement = _statement({"AWS": f"arn:aws:iam::{PARTNER}:root"}, [action], {})
    return json.dumps({"Version": "2012-10-17", "Statement": [statement | {"Resource": resource}]})


@pytest.fixture(params=[False, True], ids=["key for each object", "bucket key"])
def story(request: pytest.FixtureRequest, server: RunningServer, s3: Any, bucket: str, made: Any) -> Story:
    return Story(server, s3, bucket, made, request.param)


def test_a_stolen_role_reads_under_the_default_key_and_is_told_why_not_under_a_custom_one(
    story: Story,
) -> None:
    assert story.read(story.thief, "letter") == b"letter"
    assert story.read(story.app, "invoice") == b"invoice"
    code, message = story.refused(story.thief, "invoice")
    assert code == "AccessDenied"
    assert f"not authorized to perform: kms:Decrypt on resource: {story.key} because" in message
    event = [e for e in story.server.events() if e["eventName"] == "Decrypt" and "errorCode" in e][-1]
    assert event["errorCode"] == "AccessDenied"
    assert "/batch-" in event["userIdentity"]["arn"]


def test_a_custom_key_is_used_in_its_context_and_through_s3_only(story: Story) -> None:
    with pytest.raises(ClientError) as caught:
        story.put("gossip", b"x", {"department": "rumours"})
    assert caught.value.response["Error"]["Code"] == "AccessDenied"
    kms = story.server.client_of(story.app, "kms")
    with pytest.raises(ClientError) as caught:
        kms.generate_data_key(KeyId=story.key, KeySpec="AES_256", EncryptionContext=CONTEXT)
    assert caught.value.response["Error"]["Code"] == "AccessDeniedException"


def test_another_account_reads_what_is_shared_and_nothing_under_the_default_key(story: Story) -> None:
    assert story.read(story.auditor, "invoice") == b"invoice"
    assert story.refused(story.auditor, "letter")[0] == "AccessDenied"


def test_an_alias_that_is_repointed_takes_new_objects_and_leaves_old_ones(story: Story) -> None:
    second = story.new_key()
    story.kms.update_alias(AliasName=story.alias, TargetKeyId=second)
    assert story.put("invoice-8", b"next")["SSEKMSKeyId"] == second
    story.kms.disable_key(KeyId=second)
    assert story.read(story.app, "invoice") == b"invoice"
    assert story.refused(story.app, "invoice-8")[0] == "KMS.DisabledException"


def test_a_key_that_is_disabled_closes_its_objects_at_once_and_a_shredded_one_for_ever(story: Story) -> None:
    assert story.read(story.app, "invoice") == b"invoice"  # so that a bucket key is held
    story.kms.disable_key(KeyId=story.key)
    assert story.refused(story.app, "invoice")[0] == "KMS.DisabledException"
    story.kms.enable_key(KeyId=story.key)
    assert story.read(story.app, "invoice") == b"invoice"
    story.kms.schedule_key_deletion(KeyId=story.key, PendingWindowInDays=7)
    assert story.refused(story.app, "invoice")[0] == "KMS.KMSInvalidStateException"
    story.server.advance(7 * 86_400 + 1)
    for who in (story.app, story.server.root()):
        assert story.refused(who, "invoice")[0] == "KMS.NotFoundException"
    assert (
        story.refused(story.auditor, "invoice")[0] == "AccessDenied"
    )  # another account is not told that it is gone
    assert story.read(story.app, "letter") == b"letter"
