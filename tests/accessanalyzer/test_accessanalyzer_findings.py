"""Findings: that they are exactly the access from outside, follow what changes, and keep what people say of them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from processes import wait_until
from watched import THERE, Watched

from keystead.api.analyzed import find
from keystead.app.server import ANALYZED
from keystead.services.accessanalyzer.examine import zone_of
from keystead.services.accessanalyzer.scan import analyzers, note, outcome_of
from keystead.testing import RunningServer

ORG = "o-abcdefghij"
DECRYPT = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
OTHER = DECRYPT | {"Principal": {"AWS": f"arn:aws:iam::{THERE}:root"}}
EVERYONE = DECRYPT | {"Principal": "*"}
DENY = {"Effect": "Deny", "Action": ["kms:Decrypt", "kms:Encrypt"], "Resource": "*", "Principal": "*"}


def when(statement, **condition):
    return statement | {"Condition": {op.replace("__", ":"): value for op, value in condition.items()}}


@pytest.fixture(scope="module")
def key(watched):
    return watched.key()


TRAPS = [
    ("the owner's own", [], set()),
    ("an account", [OTHER], {(THERE, False)}),
    ("an account by its id", [DECRYPT | {"Principal": {"AWS": THERE}}], {(THERE, False)}),
    ("everyone", [EVERYONE], {("*", True)}),
    ("everyone, as a list", [DECRYPT | {"Principal": {"AWS": ["*"]}}], {("*", True)}),
    ("NotPrincipal", [DECRYPT | {"NotPrincipal": {"AWS": f"arn:aws:iam::{THERE}:root"}}], {("*", True)}),
    ("NotAction", [{k: v for k, v in EVERYONE.items() if k != "Action"} | {"NotAction": "kms:PutKeyPolicy"}], {("*", True)}),
    ("a service", [DECRYPT | {"Principal": {"Service": "s3.amazonaws.com"}}], set()),
    ("an operation that works within the account only", [OTHER | {"Action": "kms:ScheduleKeyDeletion"}], set()),
    ("an action of another service", [OTHER | {"Action": "s3:GetObject"}], set()),
    ("an action in other letters", [OTHER | {"Action": "KMS:decrypt"}], {(THERE, False)}),
    ("the own account of everyone", [when(EVERYONE, StringEquals={"aws:PrincipalAccount": "000000000000"})], set()),
    ("the own account as KMS says it", [when(EVERYONE, StringEquals={"kms:CallerAccount": "000000000000"})], set()),
    ("another account of everyone", [when(EVERYONE, StringEquals={"kms:CallerAccount": THERE})], {("*", False)}),
    ("a contradiction", [when(OTHER, StringEquals={"aws:PrincipalAccount": "000000000000"})], set()),
    ("an organization", [when(EVERYONE, StringEquals={"aws:PrincipalOrgID": ORG})], {("*", False)}),
    ("any organization", [when(EVERYONE, StringLike={"aws:PrincipalOrgID": "o-*"})], {("*", True)}),
    ("an organization, if there is one", [when(EVERYONE, StringEqualsIfExists={"aws:PrincipalOrgID": ORG})], {("*", True)}),
    ("another organization than", [when(EVERYONE, StringNotEquals={"aws:PrincipalOrgID": ORG})], {("*", True)}),
    ("paths, all of none", [when(EVERYONE, ForAllValues__StringLike={"aws:PrincipalOrgPaths": f"{ORG}/*"})], {("*", True)}),
    ("paths, any", [when(EVERYONE, ForAnyValue__StringLike={"aws:PrincipalOrgPaths": f"{ORG}/*"})], {("*", False)}),
    ("a star that StringEquals takes literally", [when(EVERYONE, StringEquals={"aws:PrincipalOrgID": "o-*"})], {("*", False)}),
    ("a service as the way", [when(EVERYONE, StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"})], {("*", True)}),
    ("MFA", [when(EVERYONE, Bool={"aws:MultiFactorAuthPresent": "true"})], {("*", True)}),
    ("two halves of all addresses", [when(EVERYONE, IpAddress={"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]})], {("*", True)}),
    ("a network", [when(EVERYONE, IpAddress={"aws:SourceIp": "54.0.0.0/8"})], {("*", False)}),
    ("all of IPv6 beside a network", [when(EVERYONE, IpAddress={"aws:SourceIp": ["54.0.0.0/8", "::/0"]})], {("*", True)}),
    ("a role of any account", [when(EVERYONE, ArnLike={"aws:PrincipalArn": "arn:aws:iam::*:role/Admin"})], {("*", True)}),
    ("a role of the own account", [when(EVERYONE, ArnLike={"aws:PrincipalArn": "arn:aws:iam::000000000000:role/*"})], set()),
    ("denied to all", [OTHER, DENY], set()),
    ("denied to others than the own account", [EVERYONE, when(DENY, StringNotEquals={"aws:PrincipalAccount": "000000000000"})], set()),
    ("denied without MFA, which may be absent", [OTHER, when(DENY, Bool={"aws:MultiFactorAuthPresent": "false"})], {(THERE, False)}),
    ("denied to another", [OTHER, DENY | {"Principal": {"AWS": "arn:aws:iam::000000000000:root"}}], {(THERE, False)}),
    ("one of two actions denied", [OTHER | {"Action": ["kms:Decrypt", "kms:Encrypt"]}, DENY | {"Action": "kms:Encrypt"}], {(THERE, False)}),
    ("another key's ARN", [OTHER | {"Resource": "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"}], set()),
    ("an impossible value", [when(OTHER, Null={"kms:ViaService": "true"}, StringEquals={"kms:ViaService": "s3.us-east-1.amazonaws.com"})], set()),
]  # fmt: skip
"""What a key's policy says besides, and whom that lets in, with whether it is public."""


@pytest.mark.parametrize(
    ("statements", "expected"), [row[1:] for row in TRAPS], ids=[row[0] for row in TRAPS]
)
def test_findings_are_exactly_the_access_from_outside(watched, key, statements, expected):
    watched.open_key(key, *statements)
    watched.scan(key)
    assert {(one["principal"]["AWS"], one["isPublic"]) for one in watched.active(key)} == expected


def test_a_finding_says_who_may_do_what_and_when(watched):
    key = watched.key(when(OTHER | {"Action": "kms:*crypt"}, StringEquals={"kms:ViaService": ["a", "b"]}))
    (found,) = watched.scan(key)
    assert found["principal"] == {"AWS": THERE}
    assert found["action"] == ["kms:Decrypt", "kms:Encrypt"]
    assert found["condition"] == {"kms:ViaService": "a,b"}
    assert (found["resource"], found["resourceType"]) == (key, "AWS::KMS::Key")
    assert (found["resourceOwnerAccount"], found["isPublic"]) == (watched.account, False)
    assert found["resourceControlPolicyRestriction"] == "NOT_APPLICABLE"
    assert "error" not in found
    told = watched.aa.get_finding(analyzerArn=watched.arn, id=found["id"])["finding"]
    assert told == found
    second = watched.aa.get_finding_v2(analyzerArn=watched.arn, id=found["id"])
    assert (second["findingType"], second["resource"]) == ("ExternalAccess", key)
    details = second["findingDetails"][0]["externalAccessDetails"]
    assert details["action"] == found["action"]
    assert (details["principal"], details["condition"]) == (found["principal"], found["condition"])


def test_statements_and_grants_of_one_principal_and_condition_are_one_finding(watched):
    key = watched.key(OTHER, OTHER | {"Sid": "More", "Action": "kms:Encrypt"})
    watched.kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{THERE}:root", Operations=["GenerateDataKey"]
    )
    (found,) = watched.scan(key)
    assert found["action"] == ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"]


def test_a_grant_is_access_until_it_is_revoked(watched):
    key = watched.key()
    grant = watched.kms.create_grant(
        KeyId=key,
        GranteePrincipal=f"arn:aws:iam::{THERE}:root",
        Operations=["Decrypt", "DescribeKey"],
        Constraints={"EncryptionContextSubset": {"team": "a"}},
    )["GrantId"]
    found = {tuple(one["action"]): one for one in watched.scan(key)}
    assert found["kms:Decrypt",]["condition"] == {"kms:EncryptionContext:team": "a"}
    assert found["kms:DescribeKey",]["condition"] == {}
    watched.kms.create_grant(KeyId=key, GranteePrincipal=watched.root, Operations=["Decrypt"])
    assert len(watched.scan(key)) == len(found)
    watched.kms.revoke_grant(KeyId=key, GrantId=grant)
    watched.scan(key)
    assert watched.active(key) == []


def test_a_finding_is_resolved_and_comes_back_as_the_same(watched):
    key = watched.key(OTHER)
    (first,) = watched.scan(key)
    watched.open_key(key)
    (resolved,) = watched.scan(key)
    assert (resolved["id"], resolved["status"]) == (first["id"], "RESOLVED")
    assert resolved["updatedAt"] >= first["updatedAt"]
    watched.open_key(key, OTHER | {"Action": "kms:Encrypt"})
    (back,) = watched.scan(key)
    assert (back["id"], back["status"], back["createdAt"]) == (first["id"], "ACTIVE", first["createdAt"])
    assert back["action"] == ["kms:Encrypt"]


def test_a_change_of_policy_grant_role_or_bucket_is_followed_without_being_asked(watched):
    key, aa = watched.key(), watched.aa
    watched.open_key(key, OTHER)
    wait_until(lambda: watched.active(key))
    watched.open_key(key)
    wait_until(lambda: not watched.active(key))
    grant = watched.kms.create_grant(
        KeyId=key, GranteePrincipal=f"arn:aws:iam::{THERE}:root", Operations=["Decrypt"]
    )
    wait_until(lambda: watched.active(key))
    watched.kms.retire_grant(KeyId=key, GrantId=grant["GrantId"])
    wait_until(lambda: not watched.active(key))
    trust = {"Effect": "Allow", "Principal": {"AWS": THERE}, "Action": "sts:AssumeRole"}
    role = watched.iam.create_role(RoleName="open", AssumeRolePolicyDocument=watched.policy(trust))["Role"][
        "Arn"
    ]
    wait_until(lambda: watched.active(role))
    watched.iam.delete_role(RoleName="open")
    wait_until(lambda: not watched.active(role))
    assert [one["status"] for one in watched.findings(role)] == ["RESOLVED"]
    listed = aa.list_analyzed_resources(analyzerArn=watched.arn, resourceType="AWS::IAM::Role")
    assert role not in {one["resourceArn"] for one in listed["analyzedResources"]}


def test_a_finding_is_archived_by_hand_and_stays_so_while_its_access_changes(watched):
    key = watched.key(OTHER)
    (found,) = watched.scan(key)
    watched.aa.update_findings(analyzerArn=watched.arn, ids=[found["id"]], status="ARCHIVED")
    assert [one["status"] for one in watched.findings(key)] == ["ARCHIVED"]
    watched.open_key(key, OTHER | {"Action": ["kms:Decrypt", "kms:Encrypt"]})
    (changed,) = watched.scan(key)
    assert (changed["status"], changed["action"]) == ("ARCHIVED", ["kms:Decrypt", "kms:Encrypt"])
    watched.aa.update_findings(analyzerArn=watched.arn, resourceArn=key, status="ACTIVE")
    assert [one["status"] for one in watched.findings(key)] == ["ACTIVE"]
    watched.open_key(key)
    watched.scan(key)
    watched.aa.update_findings(analyzerArn=watched.arn, resourceArn=key, status="ARCHIVED")
    assert [one["status"] for one in watched.findings(key)] == ["RESOLVED"]


def test_a_rule_archives_what_is_new_and_what_is_there_when_it_is_applied(watched):
    key, aa = watched.key(OTHER), watched.aa
    watched.scan(key)
    rule = {"resource": {"eq": [key]}, "principal.AWS": {"eq": [THERE]}, "isPublic": {"eq": ["false"]}}
    aa.create_archive_rule(analyzerName="main", ruleName="partner", filter=rule)
    watched.scan(key)
    assert [one["status"] for one in watched.findings(key)] == ["ACTIVE"]
    aa.apply_archive_rule(analyzerArn=watched.arn, ruleName="partner")
    assert [one["status"] for one in watched.findings(key)] == ["ARCHIVED"]
    watched.open_key(key, OTHER, EVERYONE, when(OTHER, Bool={"aws:SecureTransport": "true"}))
    states = {(one["principal"]["AWS"], *one["condition"]): one["status"] for one in watched.scan(key)}
    assert states == {(THERE,): "ARCHIVED", ("*",): "ACTIVE", (THERE, "aws:SecureTransport"): "ARCHIVED"}
    aa.delete_archive_rule(analyzerName="main", ruleName="partner")


@pytest.mark.parametrize(
    ("criteria", "count"),
    [
        ({}, 2),
        ({"isPublic": {"eq": ["true"]}}, 1),
        ({"isPublic": {"neq": ["true"]}}, 1),
        ({"principal.AWS": {"contains": ["4444"]}}, 1),
        ({"principal.AWS": {"exists": True}, "error": {"exists": False}}, 2),
        ({"condition.kms:ViaService": {"exists": True}}, 1),
        ({"condition.KMS:viaservice": {"contains": ["s3"]}}, 1),
        ({"status": {"eq": ["RESOLVED", "ARCHIVED"]}}, 0),
        ({"resourceType": {"eq": ["AWS::S3::Bucket"]}}, 0),
    ],
)
def test_lists_are_filtered(watched, filtered, criteria, count):
    asked = {"resource": {"eq": [filtered]}, **criteria}
    for call in (watched.aa.list_findings, watched.aa.list_findings_v2):
        assert len(call(analyzerArn=watched.arn, filter=asked)["findings"]) == count


@pytest.fixture(scope="module")
def filtered(watched):
    key = watched.key(OTHER, when(EVERYONE, StringLike={"kms:ViaService": "s3.*"}))
    watched.scan(key)
    return key


def test_lists_are_sorted_and_come_in_pages(watched, filtered):
    pages = watched.aa.get_paginator("list_findings_v2").paginate(
        analyzerArn=watched.arn,
        sort={"attributeName": "id", "orderBy": "DESC"},
        filter={"resource": {"eq": [filtered]}},
        PaginationConfig={"PageSize": 1},
    )
    ids = [one["id"] for page in pages for one in page["findings"]]
    assert len(ids) == 2
    assert ids == sorted(ids, reverse=True)
    for wrong in ({"filter": {"colour": {"eq": ["red"]}}}, {"sort": {"attributeName": "colour"}}):
        with pytest.raises(ClientError) as error:
            watched.aa.list_findings(analyzerArn=watched.arn, **wrong)
        assert error.value.response["Error"]["Code"] == "ValidationException"


TRUSTS = [
    ("an account", {"AWS": THERE}, "sts:AssumeRole", {}, {("AWS", THERE, False)}),
    ("the own account", {"AWS": "000000000000"}, "sts:AssumeRole", {}, set()),
    ("a service", {"Service": "ec2.amazonaws.com"}, "sts:AssumeRole", {}, set()),
    ("everyone", "*", "sts:AssumeRole", {}, {("AWS", "*", True)}),
    ("everyone with a word", "*", "sts:AssumeRole", {"StringEquals": {"sts:ExternalId": "x"}}, {("AWS", "*", True)}),
    ("an organization", "*", "sts:AssumeRole", {"StringEquals": {"aws:PrincipalOrgID": ORG}}, {("AWS", "*", False)}),
    ("who can only hand on tags", {"AWS": THERE}, "sts:TagSession", {}, set()),
]  # fmt: skip


@pytest.mark.parametrize("case", TRUSTS, ids=[row[0] for row in TRUSTS])
def test_roles_that_others_can_assume(watched, case):
    name, principal, action, condition, expected = case
    trust = {"Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition}
    role = watched.iam.create_role(
        RoleName=name.replace(" ", "-"), AssumeRolePolicyDocument=watched.policy(trust)
    )["Role"]["Arn"]
    found = watched.scan(role)
    assert {(*one["principal"].popitem(), one["isPublic"]) for one in found} == expected
    assert {action for one in found for action in one["action"]} == ({action} if expected else set())


def test_an_identity_provider_is_outside_whoever_keeps_it(watched):
    url = "token.actions.example.com"
    provider = watched.iam.create_open_id_connect_provider(Url=f"https://{url}", ClientIDList=["sts"])
    arn = provider["OpenIDConnectProviderArn"]
    trust = {
        "Effect": "Allow", "Principal": {"Federated": arn}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringLike": {f"{url}:sub": "repo:team/*"}},
    }  # fmt: skip
    role = watched.iam.create_role(RoleName="ci", AssumeRolePolicyDocument=watched.policy(trust))["Role"][
        "Arn"
    ]
    (found,) = watched.scan(role)
    assert found["principal"] == {"Federated": arn}
    assert found["condition"] == {f"{url}:sub": "repo:team/*"}
    assert (found["isPublic"], found["action"]) == (False, ["sts:AssumeRoleWithWebIdentity"])


def test_buckets_that_others_can_use(watched):
    bucket, arn = "shared-with-others", "arn:aws:s3:::shared-with-others"
    watched.s3.create_bucket(Bucket=bucket)
    assert watched.scan(arn) == []

    def put(principal, action, **more):
        statement = {
            "Effect": "Allow",
            "Principal": principal,
            "Action": action,
            "Resource": [arn, f"{arn}/*"],
        }
        watched.s3.put_bucket_policy(Bucket=bucket, Policy=watched.policy(statement | more))
        watched.scan(arn)
        return watched.active(arn)

    (found,) = put({"AWS": THERE}, ["s3:Get*Acl", "s3:ListBucket"])
    assert found["action"] == [
        "s3:GetBucketAcl",
        "s3:GetObjectAcl",
        "s3:GetObjectVersionAcl",
        "s3:ListBucket",
    ]
    assert (found["principal"], found["sources"]) == ({"AWS": THERE}, [{"type": "POLICY"}])
    assert put({"AWS": watched.account}, "s3:*") == []
    block = {
        "BlockPublicPolicy": False,
        "RestrictPublicBuckets": False,
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
    }
    watched.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    (found,) = put("*", "s3:GetObject")
    assert (found["principal"], found["isPublic"]) == ({"AWS": "*"}, True)
    block["RestrictPublicBuckets"] = True
    watched.s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    watched.scan(arn)
    assert watched.active(arn) == []
    shown = watched.aa.get_analyzed_resource(analyzerArn=watched.arn, resourceArn=arn)["resource"]
    assert (shown["isPublic"], shown["status"], shown["resourceType"]) == (
        False,
        "RESOLVED",
        "AWS::S3::Bucket",
    )


def test_what_cannot_be_decided_is_an_error_and_nothing_is_told_to_be_gone(watched):
    key = watched.key(OTHER)
    watched.scan(key)
    denies = [
        when(DENY, StringLike={"kms:ViaService": f"*{a}{b}*"}) for a in "abcdefg" for b in "hijklmn"
    ]  # fmt: skip
    watched.open_key(key, OTHER, *denies)
    found = {one.get("error", ""): one["status"] for one in watched.scan(key)}
    assert found == {"": "ACTIVE", "INTERNAL_ERROR": "ACTIVE"}
    shown = watched.aa.get_analyzed_resource(analyzerArn=watched.arn, resourceArn=key)["resource"]
    assert shown["error"] == "INTERNAL_ERROR"
    watched.open_key(key, OTHER)
    found = {one.get("error", ""): one["status"] for one in watched.scan(key)}
    assert found == {"": "ACTIVE", "INTERNAL_ERROR": "RESOLVED"}


def test_figures_count_what_lists_show(watched, filtered):
    found = watched.aa.list_findings(analyzerArn=watched.arn, maxResults=1000)["findings"]
    (told,) = watched.aa.get_findings_statistics(analyzerArn=watched.arn)["findingsStatistics"]
    told = told["externalAccessFindingsStatistics"]
    states = [one["status"] for one in found]
    assert (
        told["totalActiveFindings"],
        told["totalArchivedFindings"],
        told["totalResolvedFindings"],
    ) == tuple(states.count(status) for status in ("ACTIVE", "ARCHIVED", "RESOLVED"))
    keys = told["resourceTypeStatistics"]["AWS::KMS::Key"]
    active = [one for one in found if one["status"] == "ACTIVE" and one["resourceType"] == "AWS::KMS::Key"]
    assert keys["totalActivePublic"] == sum(one["isPublic"] for one in active) > 0


def test_what_is_not_there_is_not_found(watched):
    aa, absent = watched.aa, "arn:aws:kms:us-east-1:000000000000:key/00000000-0000-0000-0000-000000000000"
    for call, given in (
        (aa.get_finding, {"id": "none"}),
        (aa.get_finding_v2, {"id": "none"}),
        (aa.update_findings, {"ids": ["none"], "status": "ARCHIVED"}),
        (aa.start_resource_scan, {"resourceArn": absent}),
        (aa.get_analyzed_resource, {"resourceArn": absent}),
        (aa.apply_archive_rule, {"ruleName": "none"}),
    ):
        with pytest.raises(ClientError) as error:
            call(analyzerArn=watched.arn, **given)
        assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


def test_an_analyzers_findings_go_with_it_and_another_of_its_name_has_its_own():
    with RunningServer() as server:
        watched = Watched(server)
        key = watched.key(OTHER)
        (first,) = watched.scan(key)
        watched.aa.delete_analyzer(analyzerName="main")
        watched.aa.create_analyzer(analyzerName="main", type="ACCOUNT")
        (second,) = watched.scan(key)
        assert first["id"] != second["id"]


def test_the_zone_of_an_organization_is_its_accounts():
    with RunningServer() as server:
        watched = Watched(server)
        organizations = server.client("organizations")
        own = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        member = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"][
            "AccountId"
        ]
        arn = watched.aa.create_analyzer(analyzerName="all", type="ORGANIZATION")["arn"]
        inside = DECRYPT | {"Principal": {"AWS": f"arn:aws:iam::{member}:root"}}
        key = watched.key(inside, OTHER, when(EVERYONE, StringEquals={"aws:PrincipalOrgID": own}))
        assert {one["principal"]["AWS"] for one in watched.scan(key)} == {member, THERE, "*"}
        watched.aa.start_resource_scan(analyzerArn=arn, resourceArn=key)
        found = watched.aa.list_findings(analyzerArn=arn, filter={"resource": {"eq": [key]}})["findings"]
        assert {one["principal"]["AWS"] for one in found} == {THERE}
        theirs = server.client("kms", account=member)
        far = theirs.create_key(
            Policy=watched.policy(
                {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{member}:root"}, "Action": "kms:*", "Resource": "*"},
                OTHER,
            )
        )["KeyMetadata"]["Arn"]  # fmt: skip
        watched.aa.start_resource_scan(analyzerArn=arn, resourceArn=far, resourceOwnerAccount=member)
        found = watched.aa.list_findings(analyzerArn=arn, filter={"resource": {"eq": [far]}})["findings"]
        assert [(one["resourceOwnerAccount"], one["principal"]["AWS"]) for one in found] == [(member, THERE)]


def test_a_resource_control_policy_takes_access_away():
    with RunningServer() as server:
        watched = Watched(server)
        organizations = server.client("organizations")
        own = organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        root = organizations.list_roots()["Roots"][0]["Id"]
        organizations.enable_policy_type(RootId=root, PolicyType="RESOURCE_CONTROL_POLICY")
        member = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"][
            "AccountId"
        ]
        arn = watched.aa.create_analyzer(analyzerName="all", type="ORGANIZATION")["arn"]
        theirs = server.client("kms", account=member)
        policy = watched.policy(
            {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{member}:root"}, "Action": "kms:*", "Resource": "*"},
            OTHER,
        )  # fmt: skip
        key = theirs.create_key(Policy=policy)["KeyMetadata"]["Arn"]

        def states():
            watched.aa.start_resource_scan(analyzerArn=arn, resourceArn=key)
            found = watched.aa.list_findings(analyzerArn=arn, filter={"resource": {"eq": [key]}})["findings"]
            return [(one["status"], one["resourceControlPolicyRestriction"]) for one in found]

        assert states() == [("ACTIVE", "NOT_APPLICABLE")]
        perimeter = {
            "Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*",
            "Condition": {"StringNotEqualsIfExists": {"aws:PrincipalOrgID": own},
                          "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}},
        }  # fmt: skip
        made = organizations.create_policy(
            Content=watched.policy(perimeter),
            Description="",
            Name="perimeter",
            Type="RESOURCE_CONTROL_POLICY",
        )["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=made, TargetId=member)
        assert [status for status, _ in states()] == ["RESOLVED"]


def test_findings_outlive_the_server(tmp_path):
    with RunningServer(tmp_path / "data") as server:
        watched = Watched(server)
        key = watched.key(OTHER)
        (before,) = watched.scan(key)
    with RunningServer(tmp_path / "data") as server:
        (after,) = server.client("accessanalyzer").list_findings(analyzerArn=watched.arn)["findings"]
        assert after["id"] == before["id"]


def test_an_archived_finding_has_its_event(watched):
    key = watched.key(OTHER)
    (found,) = watched.scan(key)
    watched.aa.update_findings(analyzerArn=watched.arn, ids=[found["id"]], status="ARCHIVED")
    event = [one for one in watched.server.events() if one["eventName"] == "UpdateFindings"][-1]
    del event["requestParameters"]["clientToken"]
    assert event["requestParameters"] == {
        "analyzerArn": watched.arn, "ids": [found["id"]], "status": "ARCHIVED",
    }  # fmt: skip
    scans = [one for one in watched.server.events() if one["eventName"] == "StartResourceScan"]
    assert scans[-1]["requestParameters"]["resourceArn"] == key


@pytest.mark.client
def test_the_aws_cli_lists_findings(watched, tmp_path):
    key = watched.key(EVERYONE)
    watched.scan(key)
    environment = {
        k: v for k, v in os.environ.items() if not k.startswith("AWS_")
    } | watched.server.environment()
    aws = [str(Path(sys.executable).with_name("aws")), "accessanalyzer", "--output", "json"]
    asked = json.dumps({"resource": {"eq": [key]}})
    done = subprocess.run(
        [*aws, "list-findings", "--analyzer-arn", watched.arn, "--filter", asked],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    (found,) = json.loads(done.stdout)["findings"]
    assert (found["isPublic"], found["principal"]) == (True, {"AWS": "*"})


def test_a_scan_that_was_overtaken_changes_nothing(watched):
    key, store = watched.key(OTHER), watched.server.store
    (analyzer,) = analyzers(store)
    tx = store.transaction()
    before = find(ANALYZED, tx, watched.account, "us-east-1", key)
    outcome = outcome_of(before, zone_of(tx, analyzer), ())
    watched.open_key(key)
    watched.scan(key)
    note(store, ANALYZED, analyzer, before, outcome, watched.server.clock.now())
    assert watched.active(key) == []
    watched.open_key(key, OTHER)
    watched.scan(key)
    note(store, ANALYZED, analyzer, before, outcome, watched.server.clock.now())
    assert [one["principal"]["AWS"] for one in watched.active(key)] == [THERE]


def test_a_rule_that_comes_while_a_resource_is_scanned_archives_what_is_found(watched):
    key, store = watched.key(OTHER), watched.server.store
    (analyzer,) = analyzers(store)
    tx = store.transaction()
    resource = find(ANALYZED, tx, watched.account, "us-east-1", key)
    outcome = outcome_of(resource, zone_of(tx, analyzer), ())
    of_keys = {"resource": {"eq": [key]}}
    watched.aa.create_archive_rule(analyzerName="main", ruleName="during", filter=of_keys)
    note(store, ANALYZED, analyzer, resource, outcome, watched.server.clock.now())
    assert watched.active(key) == []
    watched.aa.delete_archive_rule(analyzerName="main", ruleName="during")
