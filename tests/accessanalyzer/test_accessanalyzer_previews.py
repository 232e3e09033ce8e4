"""Access previews: what would be found after a change, and what would be found no more."""

import json

import pytest
from botocore.exceptions import ClientError
from watched import THERE

ABSENT = "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"
DECRYPT = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
OTHER = DECRYPT | {"Principal": {"AWS": f"arn:aws:iam::{THERE}:root"}}
EVERYONE = DECRYPT | {"Principal": "*"}
OWN = {"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "kms:*", "Resource": "*"}


def create(watched, arn, **configuration):
    return watched.aa.create_access_preview(analyzerArn=watched.arn, configurations={arn: configuration})[
        "id"
    ]


def preview(watched, arn, **configuration):
    """The findings of a preview, by principal and condition."""
    made = create(watched, arn, **configuration)
    found = watched.aa.list_access_preview_findings(analyzerArn=watched.arn, accessPreviewId=made)["findings"]
    return {(*one["principal"].values(), *one["condition"]): one for one in found}


def key_policy(watched, *statements):
    return {"keyPolicies": {"default": watched.policy(OWN, *statements)}}


def told(found):
    return (
        found["changeType"],
        found["status"],
        found.get("existingFindingStatus"),
        found["isPublic"],
        found["action"],
    )


def test_a_policy_that_opens_an_existing_key(watched):
    key = watched.key(OTHER)
    (existing,) = watched.scan(key)
    found = preview(watched, key, kmsKey=key_policy(watched, OTHER, EVERYONE))
    assert told(found[THERE,]) == ("UNCHANGED", "ACTIVE", "ACTIVE", False, ["kms:Decrypt"])
    assert found[THERE,]["existingFindingId"] == existing["id"]
    assert told(found["*",]) == ("NEW", "ACTIVE", None, True, ["kms:Decrypt"])
    assert "existingFindingId" not in found["*",]
    assert (found["*",]["resource"], found["*",]["resourceType"]) == (key, "AWS::KMS::Key")
    assert [one["principal"] for one in watched.scan(key)] == [{"AWS": THERE}]


def test_a_policy_that_takes_access_away_or_widens_it(watched):
    key = watched.key(OTHER)
    watched.scan(key)
    found = preview(watched, key, kmsKey=key_policy(watched))
    assert told(found[THERE,]) == ("CHANGED", "RESOLVED", "ACTIVE", False, ["kms:Decrypt"])
    wider = OTHER | {"Action": ["kms:Decrypt", "kms:Encrypt"]}
    found = preview(watched, key, kmsKey=key_policy(watched, wider))
    assert told(found[THERE,]) == ("CHANGED", "ACTIVE", "ACTIVE", False, ["kms:Decrypt", "kms:Encrypt"])
    watched.open_key(key)
    watched.scan(key)
    found = preview(watched, key, kmsKey=key_policy(watched, OTHER))
    assert told(found[THERE,]) == ("CHANGED", "ACTIVE", "RESOLVED", False, ["kms:Decrypt"])


def test_grants_take_the_place_of_those_there_are_only_if_they_are_given(watched):
    key = watched.key()
    watched.kms.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{THERE}:root", Operations=["Decrypt"])
    assert set(preview(watched, key, kmsKey=key_policy(watched))) == {(THERE,)}
    assert told(preview(watched, key, kmsKey={"grants": []})[THERE,])[:2] == ("CHANGED", "RESOLVED")
    grant = {
        "operations": ["Encrypt"], "granteePrincipal": f"arn:aws:iam::{THERE}:root", "issuingAccount": watched.account,
        "constraints": {"encryptionContextEquals": {"team": "a"}},
    }  # fmt: skip
    found = preview(watched, key, kmsKey={"grants": [grant]})
    assert told(found[THERE, "kms:EncryptionContext:team"]) == ("NEW", "ACTIVE", None, False, ["kms:Encrypt"])
    assert told(found[THERE,])[:2] == ("CHANGED", "RESOLVED")


def test_a_key_that_is_not_there_yet(watched):
    assert preview(watched, ABSENT, kmsKey={}) == {}
    assert told(preview(watched, ABSENT, kmsKey=key_policy(watched, EVERYONE))["*",])[:2] == ("NEW", "ACTIVE")


def test_an_archive_rule_counts_for_what_would_be_new(watched):
    key = watched.key()
    rule = {"resource": {"eq": [key]}}
    watched.aa.create_archive_rule(analyzerName="main", ruleName="ours", filter=rule)
    assert told(preview(watched, key, kmsKey=key_policy(watched, OTHER))[THERE,])[:2] == ("NEW", "ARCHIVED")
    watched.aa.delete_archive_rule(analyzerName="main", ruleName="ours")


def test_a_role(watched):
    trust = {"Effect": "Allow", "Principal": {"AWS": THERE}, "Action": "sts:AssumeRole"}
    arn = f"arn:aws:iam::{watched.account}:role/planned"
    found = preview(watched, arn, iamRole={"trustPolicy": watched.policy(trust)})
    assert told(found[THERE,]) == ("NEW", "ACTIVE", None, False, ["sts:AssumeRole"])
    failed = create(watched, arn, iamRole={})
    shown = watched.aa.get_access_preview(analyzerArn=watched.arn, accessPreviewId=failed)["accessPreview"]
    assert (shown["status"], shown["statusReason"]) == ("FAILED", {"code": "INVALID_CONFIGURATION"})


def test_a_bucket(watched):
    arn = "arn:aws:s3:::planned-bucket"
    policy = watched.policy(
        {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": f"{arn}/*"}
    )
    found = preview(watched, arn, s3Bucket={"bucketPolicy": policy})
    assert told(found["*",]) == ("NEW", "ACTIVE", None, True, ["s3:GetObject"])
    assert found["*",]["sources"] == [{"type": "POLICY"}]
    block = {"ignorePublicAcls": True, "restrictPublicBuckets": True}
    assert preview(watched, arn, s3Bucket={"bucketPolicy": policy, "bucketPublicAccessBlock": block}) == {}
    watched.s3.create_bucket(Bucket="planned-bucket")
    theirs = watched.policy(
        {"Effect": "Allow", "Principal": {"AWS": THERE}, "Action": "s3:GetObject", "Resource": f"{arn}/*"}
    )
    watched.s3.put_bucket_policy(Bucket="planned-bucket", Policy=theirs)
    assert told(preview(watched, arn, s3Bucket={"bucketPolicy": ""})[THERE,])[:2] == ("CHANGED", "RESOLVED")
    assert told(preview(watched, arn, s3Bucket={})[THERE,])[:2] == ("UNCHANGED", "ACTIVE")


def test_a_preview_is_shown_listed_and_filtered(watched):
    key = watched.key(OTHER)
    asked = {"kmsKey": key_policy(watched, EVERYONE)}
    made = create(watched, key, **asked)
    shown = watched.aa.get_access_preview(analyzerArn=watched.arn, accessPreviewId=made)["accessPreview"]
    assert (shown["id"], shown["analyzerArn"], shown["status"]) == (made, watched.arn, "COMPLETED")
    assert shown["configurations"] == {key: asked}
    pages = watched.aa.get_paginator("list_access_previews").paginate(
        analyzerArn=watched.arn, PaginationConfig={"PageSize": 2}
    )
    assert made in [one["id"] for page in pages for one in page["accessPreviews"]]
    for criteria, count in (
        ({}, 2),
        ({"changeType": {"eq": ["NEW"]}}, 1),
        ({"existingFindingStatus": {"eq": ["ACTIVE"]}, "status": {"eq": ["RESOLVED"]}}, 1),
        ({"isPublic": {"eq": ["true"]}, "changeType": {"neq": ["NEW"]}}, 0),
    ):
        found = watched.aa.list_access_preview_findings(
            analyzerArn=watched.arn, accessPreviewId=made, filter=criteria
        )
        assert len(found["findings"]) == count


def refused(call, **given):
    with pytest.raises(ClientError) as error:
        call(**given)
    return error.value.response["Error"]["Code"]


@pytest.mark.parametrize(
    ("arn", "configuration"),
    [
        (ABSENT, {"snsTopic": {"topicPolicy": "{}"}}),
        (ABSENT, {"iamRole": {}}),
        (ABSENT, {}),
        (ABSENT, {"kmsKey": {}, "iamRole": {}}),
        (ABSENT.replace("us-east-1", "eu-west-1"), {"kmsKey": {}}),
        (ABSENT.replace("000000000000", THERE, 1), {"kmsKey": {}}),
        ("arn:aws:s3:::b-b-b", {"s3Bucket": {"bucketAclGrants": [{"permission": "READ", "grantee": {"id": "x"}}]}}),
    ],
)  # fmt: skip
def test_what_cannot_be_previewed_is_refused(watched, arn, configuration):
    given = {"analyzerArn": watched.arn, "configurations": {arn: configuration}}
    assert refused(watched.aa.create_access_preview, **given) == "ValidationException"


@pytest.mark.parametrize("policies", [{"default": "nonsense"}, {"default": ""}, {"other": "{}"}])
def test_a_preview_of_what_is_no_policy_fails(watched, policies):
    made = create(watched, ABSENT, kmsKey={"keyPolicies": policies})
    shown = watched.aa.get_access_preview(analyzerArn=watched.arn, accessPreviewId=made)["accessPreview"]
    assert (shown["status"], shown["statusReason"]["code"]) == ("FAILED", "INVALID_CONFIGURATION")
    given = {"analyzerArn": watched.arn, "accessPreviewId": made}
    assert refused(watched.aa.list_access_preview_findings, **given) == "ConflictException"


def test_what_is_not_there_is_not_found(watched):
    given = {"analyzerArn": watched.arn, "accessPreviewId": "00000000-0000-0000-0000-000000000000"}
    for call in (watched.aa.get_access_preview, watched.aa.list_access_preview_findings):
        assert refused(call, **given) == "ResourceNotFoundException"


def test_a_preview_that_says_so_is_what_is_found_after_the_change(watched):
    statements = [
        OTHER,
        EVERYONE | {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-abcdefghij"}}},
        DECRYPT
        | {"Effect": "Deny", "Principal": {"AWS": f"arn:aws:iam::{THERE}:root"}, "Action": "kms:Encrypt"},
    ]
    key = watched.key(EVERYONE)
    watched.scan(key)
    foreseen = preview(watched, key, kmsKey=key_policy(watched, *statements))
    watched.kms.put_key_policy(
        KeyId=key, Policy=watched.policy(OWN, *statements), BypassPolicyLockoutSafetyCheck=True
    )
    watched.scan(key)
    found = {(*one["principal"].values(), *one["condition"]): one for one in watched.findings(key)}
    members = ("status", "action", "isPublic", "principal", "condition")
    assert {name: [one[member] for member in members] for name, one in foreseen.items()} == {
        name: [one[member] for member in members] for name, one in found.items()
    }


def test_a_preview_has_its_event(watched):
    key = watched.key()
    create(watched, key, kmsKey=key_policy(watched, EVERYONE))
    event = [one for one in watched.server.events() if one["eventName"] == "CreateAccessPreview"][-1]
    assert event["requestParameters"]["analyzerArn"] == watched.arn
    told = event["requestParameters"]["configurations"][key]
    assert json.loads(told["kmsKey"]["keyPolicies"]["default"])["Statement"][1] == EVERYONE
