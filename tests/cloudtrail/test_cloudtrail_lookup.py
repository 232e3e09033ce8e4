import json

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer

READ_ONLY = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="module")
def server():
    with RunningServer() as running:
        running.key = running.client("kms").create_key()["KeyMetadata"]
        kms = running.client("kms")
        kms.create_alias(AliasName="alias/notes", TargetKeyId=running.key["KeyId"])
        for _ in range(7):
            kms.encrypt(KeyId="alias/notes", Plaintext=b"x")
            running.clock.advance(1)
        with pytest.raises(ClientError):
            kms.describe_key(KeyId="alias/none")
        iam = running.client("iam")
        iam.create_user(UserName="ann")
        iam.create_group(GroupName="staff")
        iam.add_user_to_group(GroupName="staff", UserName="ann")
        iam.attach_user_policy(UserName="ann", PolicyArn=READ_ONLY)
        yield running


@pytest.fixture
def trails(server):
    return server.client("cloudtrail")


def named(trails, **given):
    return [event["EventName"] for event in trails.lookup_events(**given)["Events"]]


def by(key, value):
    return {"LookupAttributes": [{"AttributeKey": key, "AttributeValue": value}]}


def test_each_attribute(server, trails):
    event = trails.lookup_events(**by("EventName", "CreateKey"))["Events"][0]
    raw = json.loads(event["CloudTrailEvent"])
    assert raw["eventName"] == "CreateKey"
    assert event["ReadOnly"] == "false"
    assert event["Username"] == "root"
    assert event["Resources"] == [{"ResourceType": "AWS::KMS::Key", "ResourceName": server.key["Arn"]}]
    assert named(trails, **by("EventId", event["EventId"])) == ["CreateKey"]
    assert set(named(trails, **by("ResourceName", "alias/notes"))) == {"CreateAlias", "Encrypt"}
    assert named(trails, **by("ResourceName", server.key["Arn"])).count("Encrypt") == 7
    assert "Encrypt" in named(trails, **by("ResourceType", "AWS::KMS::Alias"))
    assert set(named(trails, **by("EventSource", "sts.amazonaws.com"))) == set()
    assert "CreateKey" in named(trails, **by("AccessKeyId", server.access_key_id))
    assert "Encrypt" not in named(trails, **by("ReadOnly", "false"))
    assert named(trails, **by("Username", "nobody")) == []


def test_what_iam_has_is_found_by_its_name(trails):
    added = trails.lookup_events(**by("EventName", "AddUserToGroup"))["Events"][0]
    assert added["Resources"] == [
        {"ResourceType": "AWS::IAM::Group", "ResourceName": "staff"},
        {"ResourceType": "AWS::IAM::User", "ResourceName": "ann"},
    ]
    changes = ["AttachUserPolicy", "AddUserToGroup", "CreateUser"]
    assert named(trails, **by("ResourceName", "ann")) == changes
    assert named(trails, **by("ResourceType", "AWS::IAM::User")) == changes
    assert named(trails, **by("ResourceName", READ_ONLY)) == ["AttachUserPolicy"]


def test_pages_are_newest_first_and_whole(trails):
    whole = trails.lookup_events(**by("EventName", "Encrypt"))["Events"]
    times = [event["EventTime"] for event in whole]
    assert times == sorted(times, reverse=True)
    seen, token = [], {}
    while True:
        page = trails.lookup_events(**by("EventName", "Encrypt"), MaxResults=3, **token)
        seen += page["Events"]
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}
    assert [event["EventId"] for event in seen] == [event["EventId"] for event in whole]
    assert len(seen) == 7


def test_other_accounts_and_regions_see_their_own(server):
    other = server.root("222222222222").client("cloudtrail")
    assert "CreateKey" not in named(other)
    assert "CreateKey" not in named(server.client("cloudtrail", region="eu-west-1"))


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("InvalidTimeRangeException", {"StartTime": 2, "EndTime": 1}),
        ("InvalidNextTokenException", {"NextToken": "bm9uc2Vuc2U="}),
        ("InvalidLookupAttributesException", by("ReadOnly", "maybe")),
        (
            "InvalidLookupAttributesException",
            {"LookupAttributes": by("EventName", "a")["LookupAttributes"] * 2},
        ),
    ],
)
def test_what_is_refused(trails, code, given):
    with pytest.raises(ClientError) as caught:
        trails.lookup_events(**given)
    assert caught.value.response["Error"]["Code"] == code


def test_times_bound_the_answer(trails):
    newest = trails.lookup_events(**by("EventName", "Encrypt"))["Events"][0]["EventTime"]
    within = trails.lookup_events(**by("EventName", "Encrypt"), StartTime=newest)["Events"]
    assert [event["EventTime"] for event in within] == [newest]
