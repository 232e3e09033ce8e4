"""Which events a trail delivers: of management, of objects in S3, reading or writing."""

import gzip
import json

import msgspec
import pytest
from botocore.exceptions import ClientError

from keystead.audit.index import Index
from keystead.audit.sink import sink_of
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn
from keystead.services.cloudtrail.tables import Selector, Trail


@pytest.fixture
def trails(server):
    client = server.client("cloudtrail")
    client.create_trail(Name="all", S3BucketName="evidence")
    client.start_logging(Name="all")
    return client


def s3_objects(*values, **members):
    return {"DataResources": [{"Type": "AWS::S3::Object", "Values": list(values)}], **members}


def delivered(server, root):
    """Operation and key of each event that was delivered."""
    keyring = Keyring.open(server.store, server.entropy)
    route = Route(server.store, keyring, Index(server.data_dir), sink_of(server.settings), server.data_dir)
    with turn(server.data_dir, wait=True):
        for trail in trails_of(server.store):
            deliver(route, trail, server.clock.now(), digest_every=0)
    files = sorted(root.glob("evidence/**/CloudTrail/**/*.json.gz"))
    events = [event for file in files for event in json.loads(gzip.decompress(file.read_bytes()))["Records"]]
    return {(event["eventName"], (event["requestParameters"] or {}).get("key")) for event in events}


def use(server):
    s3 = server.client("s3")
    s3.create_bucket(Bucket="papers")
    s3.create_bucket(Bucket="papers-old")
    s3.put_object(Bucket="papers", Key="in/a", Body=b"a")
    s3.put_object(Bucket="papers", Key="out/b", Body=b"b")
    s3.get_object(Bucket="papers", Key="in/a")["Body"].read()
    s3.put_object(Bucket="papers-old", Key="in/c", Body=b"c")
    s3.list_objects_v2(Bucket="papers")


WRITTEN = {("PutObject", "in/a"), ("PutObject", "out/b"), ("PutObject", "in/c")}
READ = {("GetObject", "in/a"), ("ListObjects", None)}
CREATED = {("CreateBucket", None)}


@pytest.mark.parametrize(
    ("selectors", "expected"),
    [
        (None, CREATED),
        ([s3_objects("arn:aws:s3")], WRITTEN | READ | CREATED),
        ([s3_objects("arn:aws:s3", IncludeManagementEvents=False)], WRITTEN | READ),
        ([s3_objects("arn:aws:s3:::", ReadWriteType="WriteOnly")], WRITTEN | CREATED),
        (
            [s3_objects("arn:aws:s3:::papers/", IncludeManagementEvents=False)],
            (WRITTEN | READ) - {("PutObject", "in/c")},
        ),
        (
            [s3_objects("arn:aws:s3:::papers/in/", IncludeManagementEvents=False)],
            {("PutObject", "in/a"), ("GetObject", "in/a")},
        ),
        (
            [
                {"ReadWriteType": "WriteOnly"},
                s3_objects(
                    "arn:aws:s3:::papers/out", "arn:aws:s3:::papers-old/", IncludeManagementEvents=False
                ),
            ],
            CREATED | {("PutObject", "out/b"), ("PutObject", "in/c")},
        ),
    ],
)
def test_an_event_is_delivered_if_a_selector_selects_it(server, trails, tmp_path, selectors, expected):
    if selectors is not None:
        trails.put_event_selectors(TrailName="all", EventSelectors=selectors)
    use(server)
    ours = WRITTEN | READ | CREATED
    assert delivered(server, tmp_path) & ours == expected


def test_selectors_are_shown_as_they_were_put(trails):
    given = [
        {
            "ReadWriteType": "ReadOnly",
            "IncludeManagementEvents": True,
            "DataResources": [],
            "ExcludeManagementEventSources": ["kms.amazonaws.com"],
        },
        {
            "ReadWriteType": "All",
            "IncludeManagementEvents": False,
            "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::papers/", "arn:aws:s3"]}],
            "ExcludeManagementEventSources": [],
        },
    ]
    assert trails.put_event_selectors(TrailName="all", EventSelectors=given)["EventSelectors"] == given
    assert trails.get_event_selectors(TrailName="all")["EventSelectors"] == given
    assert trails.get_trail(Name="all")["Trail"]["HasCustomEventSelectors"] is True


@pytest.mark.parametrize(
    ("selectors", "said"),
    [
        ([], "from 1 to 5"),
        ([{}] * 6, "from 1 to 5"),
        ([{"IncludeManagementEvents": False}], "deliver nothing"),
        ([{"ExcludeManagementEventSources": ["iam.amazonaws.com"]}], "can be excluded"),
        ([s3_objects("arn:aws:s3:::papers")], "arn:aws:s3:::papers for DataResources.Values is invalid"),
        ([s3_objects("papers/")], "is invalid"),
        ([s3_objects(*["arn:aws:s3:::papers/"] * 251)], "at most 250"),
        (
            [{"DataResources": [{"Type": "AWS::Lambda::Function", "Values": ["arn:aws:lambda"]}]}],
            "none of AWS::Lambda::Function",
        ),
    ],
)
def test_what_selects_nothing_is_refused(trails, selectors, said):
    with pytest.raises(ClientError) as caught:
        trails.put_event_selectors(TrailName="all", EventSelectors=selectors)
    assert caught.value.response["Error"]["Code"] == "InvalidEventSelectorsException"
    assert said in caught.value.response["Error"]["Message"]


def test_a_trail_of_before_selects_as_it_did():
    """Its record has no selectors: the two members of before count."""
    old = {"account": "111122223333", "region": "us-east-1", "name": "all", "bucket": "evidence"}
    record = msgspec.convert({**old, "read_write": "WriteOnly", "excluded": ["kms.amazonaws.com"]}, Trail)
    assert record.selected == (Selector(read_write="WriteOnly", excluded=("kms.amazonaws.com",)),)
