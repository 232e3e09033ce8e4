import io
import json

import pytest

from keystead.audit.export import FORMATS
from keystead.audit.export.ocsf import ocsf

KEY = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"

EVENT = {
    "eventVersion": "1.11",
    "userIdentity": {
        "type": "AssumedRole",
        "principalId": "AROA1:s",
        "arn": "arn:aws:sts::111122223333:assumed-role/R/s",
        "accountId": "111122223333",
        "accessKeyId": "ASIA1",
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "arn": "arn:aws:iam::111122223333:role/R", "userName": "R"},
            "attributes": {"creationDate": "2026-03-01T09:00:00Z", "mfaAuthenticated": "false"},
        },
    },
    "eventTime": "2026-03-01T10:00:00Z",
    "eventSource": "kms.amazonaws.com",
    "eventName": "Decrypt",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "192.0.2.7",
    "userAgent": "aws-cli/2",
    "requestParameters": {"encryptionContext": {"a": "b"}, "empty": None},
    "responseElements": None,
    "requestID": "r",
    "eventID": "e",
    "readOnly": True,
    "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
    "eventType": "AwsApiCall",
    "recipientAccountId": "111122223333",
    "eventCategory": "Management",
}

# OCSF 1.1.0, "API Activity [6003]", its objects and the profile `cloud`: what is required, and of which type.
REQUIRED = {
    "activity_id": int,
    "category_uid": int,
    "class_uid": int,
    "type_uid": int,
    "severity_id": int,
    "time": int,
    "metadata": dict,
    "metadata.version": str,
    "metadata.product": dict,
    "metadata.product.vendor_name": str,
    "cloud": dict,
    "cloud.provider": str,
    "api": dict,
    "api.operation": str,
    "actor": dict,
    "src_endpoint": dict,
}
ACTIVITIES = {0, 1, 2, 3, 4, 99}

# The objects that are in such an event: the members that are used of each, and of which names it has one at least.
OBJECTS = {
    "metadata": ("version profiles product uid event_code log_name log_version original_time", ""),
    "metadata.product": ("name vendor_name feature", "name"),
    "metadata.product.feature": ("name", "name"),
    "cloud": ("provider region account", ""),
    "cloud.account": ("uid type type_id", "uid name"),
    "api": ("operation service request response", ""),
    "api.service": ("name", "name uid"),
    "api.request": ("uid data", "uid"),
    "api.response": ("error error_message data", ""),
    "actor": ("user session idp invoked_by", "user session invoked_by process"),
    "actor.user": ("type name uid uid_alt credential_uid account", "name uid account"),
    "actor.user.account": ("uid", "uid name"),
    "actor.session": ("created_time issuer is_mfa", ""),
    "actor.idp": ("name", "name uid"),
    "src_endpoint": ("ip svc_name", "ip svc_name"),
    "http_request": ("user_agent", ""),
    "resources": ("uid type owner", "uid name"),
    "resources.owner": ("account", "account"),
    "resources.owner.account": ("uid", "uid"),
}
UNSCHEMED = {"data", "unmapped"}


def member(value, path):
    for name in path.split("."):
        value = value[name]
    return value


def objects(value, path=""):
    """Path and members of each object in it."""
    if isinstance(value, list):
        for one in value:
            yield from objects(one, path)
    elif isinstance(value, dict):
        yield path, value
        for name, one in value.items():
            if name not in UNSCHEMED:
                yield from objects(one, f"{path}.{name}".strip("."))


VARIANTS = {
    "role": {},
    "named service": {"userIdentity": {"type": "AWSService", "invokedBy": "rolesanywhere.amazonaws.com"}},
    "web identity": {
        "userIdentity": {
            "type": "WebIdentityUser",
            "principalId": "p:a:s",
            "userName": "s",
            "identityProvider": "idp.example.com",
        },
    },
    "service": {
        "userIdentity": {"type": "AWSService", "invokedBy": "AWS Internal"},
        "sourceIPAddress": "AWS Internal",
        "requestParameters": None,
    },
    "denied": {"errorCode": "AccessDenied", "errorMessage": "no", "requestParameters": None, "resources": []},
    "change": {"eventName": "PutKeyPolicy", "readOnly": False},
    "ipv6": {"sourceIPAddress": "2001:db8::1"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_ocsf_has_what_the_schema_requires(variant):
    shown = ocsf(EVENT | VARIANTS[variant])
    for path, kind in REQUIRED.items():
        assert type(member(shown, path)) is kind, path
    assert shown["activity_id"] in ACTIVITIES
    assert (shown["class_uid"], shown["category_uid"]) == (6003, 6)
    assert shown["type_uid"] == 600300 + shown["activity_id"]
    assert shown["metadata"]["version"] == "1.1.0"
    assert shown["metadata"]["profiles"] == ["cloud"]
    for path, found in objects(shown):
        if path:
            members, one_of = (set(names.split()) for names in OBJECTS[path])
            assert found.keys() <= members, path
            assert not one_of or found.keys() & one_of, path


def test_ocsf_tells_what_the_event_tells():
    shown = ocsf(EVENT)
    assert shown["time"] == 1772359200000
    assert shown["api"]["request"] == {"uid": "r", "data": EVENT["requestParameters"]}
    assert shown["actor"]["user"]["credential_uid"] == "ASIA1"
    assert shown["actor"]["session"] == {
        "created_time": 1772355600000,
        "issuer": "arn:aws:iam::111122223333:role/R",
        "is_mfa": False,
    }
    assert shown["resources"][0]["uid"] == KEY
    assert shown["cloud"]["account"]["uid"] == "111122223333"
    assert shown["unmapped"] == {
        "readOnly": True,
        "eventType": "AwsApiCall",
        "eventCategory": "Management",
        "userIdentity": {"sessionContext": EVENT["userIdentity"]["sessionContext"]},
    }
    web = ocsf(EVENT | VARIANTS["web identity"])
    assert web["actor"]["idp"] == {"name": "idp.example.com"}


def test_ocsf_tells_why_a_call_failed():
    shown = ocsf(EVENT | VARIANTS["denied"])
    assert shown["api"]["response"] == {"error": "AccessDenied", "error_message": "no"}
    assert (shown["status"], shown["status_code"], shown["status_detail"]) == (
        "Failure",
        "AccessDenied",
        "no",
    )


@pytest.mark.parametrize(
    ("name", "read_only", "activity"),
    [
        ("Decrypt", True, 2),
        ("CreateKey", False, 1),
        ("ScheduleKeyDeletion", False, 4),
        ("DisableKey", False, 3),
        ("CopyObject", False, 1),
        ("CompleteMultipartUpload", False, 1),
        ("AbortMultipartUpload", False, 4),
        ("ExpireObject", False, 4),
        ("StopLogging", False, 3),
        ("SynchronizeMultiRegionKey", False, 3),
        ("AssumeRole", False, 99),
    ],
)
def test_ocsf_activities(name, read_only, activity):
    assert ocsf(EVENT | {"eventName": name, "readOnly": read_only})["activity_id"] == activity


def written(form, *events):
    file = io.BytesIO()
    assert FORMATS[form]([json.dumps(event).encode() for event in events], file) == len(events)
    return file.getvalue()


def test_json_lines_are_the_events():
    lines = written("jsonl", EVENT, EVENT | VARIANTS["denied"]).splitlines()
    assert [json.loads(line) for line in lines] == [EVENT, EVENT | VARIANTS["denied"]]
    assert len(written("ocsf", EVENT, EVENT).splitlines()) == 2


def test_parquet_is_read_back():
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    table = parquet.read_table(io.BytesIO(written("parquet", *([EVENT | VARIANTS["denied"]] * 3), EVENT)))
    rows = table.to_pylist()
    assert len(rows) == 4
    assert json.loads(rows[3]["event"]) == EVENT
    assert rows[3]["resources"] == [KEY]
    assert json.loads(rows[3]["encryption_context"]) == [["a", "b"]]
    assert rows[3]["event_time"].isoformat() == "2026-03-01T10:00:00+00:00"
    assert (rows[0]["error_code"], rows[3]["error_code"]) == ("AccessDenied", None)
