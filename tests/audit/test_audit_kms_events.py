"""The event of every operation of KMS, as the cases in `kms_events.json` say.

The cases follow the entries of the AWS KMS Developer Guide, "Logging AWS KMS API calls with AWS CloudTrail". In
them `<…>` stands for a value of that kind; everything else must be there as it is, and nothing more.
"""

import json
import re
from pathlib import Path

import botocore
import pytest
from botocore.exceptions import ClientError
from operations import CALLS, Scene

CASES = json.loads((Path(__file__).parent / "kms_events.json").read_text())

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
KEY = rf"(mrk-[0-9a-f]{{32}}|{UUID})"
NAME = r"name-[0-9a-f]{8}"
KINDS = {
    "<account>": r"\d{12}",
    "<alias>": rf"alias/{NAME}",
    "<base64>": r"[A-Za-z0-9+/]{100,}={0,2}",
    "<date>": r"[A-Z][a-z]{2} \d{1,2}, \d{4}, \d{1,2}:\d\d:\d\d [AP]M",
    "<digest>": r"[0-9a-f]{64}",
    "<key arn>": rf"arn:aws:kms:[a-z0-9-]+:\d{{12}}:key/{KEY}",
    "<key id>": KEY,
    "<name>": NAME,
    "<policy>": r"(?s)\{.*\}",
    "<root>": r"arn:aws:iam::\d{12}:root",
    "<store>": r"cks-[0-9a-f]{17}",
    "<url>": rf"https://{NAME}\.example\.com",
}
ALWAYS = {
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "readOnly",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
}


@pytest.fixture(scope="module")
def scene(server):
    return Scene(server)


def agree(expected, found):
    if isinstance(expected, dict) and isinstance(found, dict):
        return set(expected) == set(found) and all(agree(expected[name], found[name]) for name in expected)
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(agree, expected, found))
    if expected in KINDS if isinstance(expected, str) else False:
        return isinstance(found, str) and re.fullmatch(KINDS[expected], found) is not None
    return type(expected) is type(found) and expected == found


def test_every_operation_has_its_case():
    assert [case["operation"] for case in CASES] == sorted(CALLS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["operation"])
def test_the_event_is_as_the_case_says(scene, server, case):
    name = case["operation"]
    request = CALLS[name](scene)
    code = None
    try:
        answer = getattr(scene.kms, botocore.xform_name(name))(**request)
    except ClientError as error:
        answer, code = error.response, error.response["Error"]["Code"]
    (event,) = [
        event
        for event in server.events()
        if event.get("requestID") == answer["ResponseMetadata"]["RequestId"] and event["eventName"] == name
    ]
    assert agree(case["requestParameters"], event["requestParameters"]), event["requestParameters"]
    assert agree(case["responseElements"], event["responseElements"]), event["responseElements"]
    assert agree(case.get("additionalEventData"), event.get("additionalEventData"))
    assert [r["type"].removeprefix("AWS::KMS::") for r in event.get("resources", [])] == case["resources"]
    assert event["readOnly"] is case["readOnly"]
    assert event.get("errorCode") == case.get("errorCode") == code
    assert (event["eventVersion"], event["eventType"]) == ("1.11", "AwsApiCall")
    assert (event["managementEvent"], event["eventCategory"]) == (True, "Management")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", event["eventTime"])
    assert set(event) - {"resources", "additionalEventData", "errorCode", "errorMessage"} == ALWAYS
