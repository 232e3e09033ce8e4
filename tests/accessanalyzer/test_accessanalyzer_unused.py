"""Unused access: what the evidence says nobody made use of, and what to do about it."""

import json

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st
from processes import wait_until

from keystead.api.permissions import PERMISSIONS
from keystead.services.accessanalyzer.recommendations import narrowed
from keystead.testing import RunningServer

DAY = 86_400.0
KMS = {"Effect": "Allow", "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*"], "Resource": "*"}
S3 = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


class Scene:
    """Users and roles some of whom did something, after which an analyzer is made."""

    def __init__(self, server):
        self.server = server
        self.aa, self.iam = server.client("accessanalyzer"), server.client("iam")
        self.busy = server.user("busy", {"use": policy(KMS, S3), "look": policy({"Effect": "Allow", "Action": "cloudtrail:LookupEvents", "Resource": "*"})})  # fmt: skip
        self.idle = server.user("idle", {"use": policy(KMS)})
        self.spared = server.user("spared", tags={"team": "break-glass"})
        self.worker = server.role("worker", {"use": policy(KMS)})
        self.sleeper = server.role("sleeper", {"use": policy(KMS)})
        self.early = server.client_of(self.idle, "sts").get_caller_identity()
        server.advance(100 * DAY)
        key = server.client("kms").create_key()["KeyMetadata"]["KeyId"]
        for person in (self.busy, server.assume(self.worker)):
            kms = server.client_of(person, "kms")
            kms.encrypt(KeyId=key, Plaintext=b"plain")
        with pytest.raises(ClientError):
            server.client_of(self.busy, "kms").decrypt(KeyId=key, CiphertextBlob=b"nonsense")
        self.young = server.user("young", {"use": policy(KMS)})
        exclusions = {"exclusions": [{"resourceTags": [{"team": "break-glass"}]}]}
        self.configuration = {"unusedAccess": {"unusedAccessAge": 90, "analysisRule": exclusions}}
        self.arn = self.aa.create_analyzer(
            analyzerName="unused", type="ACCOUNT_UNUSED_ACCESS", configuration=self.configuration
        )["arn"]
        wait_until(lambda: {self.idle.arn, self.sleeper.arn, self.worker.arn, self.busy.arn} <= {one["resource"] for one in self.list()})  # fmt: skip

    def list(self, **criteria):
        return self.aa.list_findings_v2(analyzerArn=self.arn, filter=criteria, maxResults=1000)["findings"]

    def of(self, arn, kind):
        (found,) = [one for one in self.list(resource={"eq": [arn]}) if one["findingType"] == kind]
        return self.aa.get_finding_v2(analyzerArn=self.arn, id=found["id"])


@pytest.fixture(scope="module")
def scene():
    with RunningServer() as server:
        yield Scene(server)


def test_a_role_that_nobody_assumed(scene):
    found = scene.of(scene.sleeper.arn, "UnusedIAMRole")
    assert (found["status"], found["resourceType"]) == ("ACTIVE", "AWS::IAM::Role")
    assert found["findingDetails"] == [{"unusedIamRoleDetails": {}}]
    kinds = {one["findingType"] for one in scene.list(resource={"eq": [scene.worker.arn]})}
    assert kinds == {"UnusedPermission"}


def test_an_access_key_that_nobody_used_for_long(scene):
    found = scene.of(scene.idle.arn, "UnusedIAMUserAccessKey")
    (details,) = (one["unusedIamUserAccessKeyDetails"] for one in found["findingDetails"])
    assert details["accessKeyId"] == scene.idle.access_key_id
    assert details["lastAccessed"].timestamp() < scene.server.clock.now() - 99 * DAY
    kinds = {one["findingType"] for one in scene.list(resource={"eq": [scene.busy.arn]})}
    assert kinds == {"UnusedPermission"}


def test_permissions_that_were_not_used(scene):
    found = scene.of(scene.busy.arn, "UnusedPermission")
    told = {one["unusedPermissionDetails"]["serviceNamespace"]: one["unusedPermissionDetails"] for one in found["findingDetails"]}  # fmt: skip
    assert set(told) == {"kms", "s3", "cloudtrail"}
    assert [one["action"] for one in told["kms"]["actions"]] == ["Decrypt", "ReEncryptFrom", "ReEncryptTo"]
    assert told["kms"]["lastAccessed"].timestamp() > scene.server.clock.now() - DAY
    assert told["s3"] == {"serviceNamespace": "s3"}


def test_who_is_young_or_spared_is_left_out(scene):
    listed = {one["resource"] for one in scene.list()}
    assert listed.isdisjoint({scene.young.arn, scene.spared.arn})


def test_the_configuration_is_shown_and_whom_it_leaves_out_can_change(scene):
    shown = scene.aa.get_analyzer(analyzerName="unused")["analyzer"]
    assert (shown["type"], shown["configuration"]) == ("ACCOUNT_UNUSED_ACCESS", scene.configuration)
    with pytest.raises(ClientError) as error:
        scene.aa.update_analyzer(
            analyzerName="unused", configuration={"unusedAccess": {"unusedAccessAge": 30}}
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"
    answer = scene.aa.update_analyzer(
        analyzerName="unused", configuration={"unusedAccess": {"analysisRule": {}}}
    )
    assert answer["configuration"] == {"unusedAccess": {"unusedAccessAge": 90}}
    wait_until(lambda: [one for one in scene.list() if one["resource"] == scene.spared.arn])
    scene.aa.update_analyzer(analyzerName="unused", configuration=scene.configuration)
    wait_until(
        lambda: all(one["status"] == "RESOLVED" for one in scene.list(resource={"eq": [scene.spared.arn]}))
    )


def test_what_is_used_after_all_is_resolved_within_the_hour():
    with RunningServer() as server:
        scene = Scene(server)
        scene.aa.update_findings(analyzerArn=scene.arn, resourceArn=scene.idle.arn, status="ARCHIVED")
        server.client_of(server.assume(scene.sleeper), "sts").get_caller_identity()
        server.advance(3601)
        wait_until(lambda: {one["findingType"]: one["status"] for one in scene.list(resource={"eq": [scene.sleeper.arn]})}.get("UnusedIAMRole") == "RESOLVED")  # fmt: skip
        assert {one["status"] for one in scene.list(resource={"eq": [scene.idle.arn]})} == {"ARCHIVED"}


def test_figures_by_type(scene):
    (told,) = scene.aa.get_findings_statistics(analyzerArn=scene.arn)["findingsStatistics"]
    told = told["unusedAccessFindingsStatistics"]
    by_type = {one["unusedAccessType"]: one["total"] for one in told["unusedAccessTypeStatistics"]}
    active = [one["findingType"] for one in scene.list(status={"eq": ["ACTIVE"]})]
    assert by_type == {
        kind: active.count(kind)
        for kind in ("UnusedIAMRole", "UnusedIAMUserAccessKey", "UnusedIAMUserPassword", "UnusedPermission")
    }
    assert told["totalActiveFindings"] == len(active)


def test_what_is_for_external_access_only_is_refused(scene):
    for call, given_ in (
        (scene.aa.list_findings, {}),
        (scene.aa.get_finding, {"id": "a"}),
        (scene.aa.start_resource_scan, {"resourceArn": scene.busy.arn}),
        (scene.aa.create_access_preview, {"configurations": {"a": {"kmsKey": {}}}}),
    ):
        with pytest.raises(ClientError) as error:
            call(analyzerArn=scene.arn, **given_)
        assert error.value.response["Error"]["Code"] == "ValidationException"


@pytest.mark.parametrize(
    "configuration",
    [
        {"unusedAccess": {"unusedAccessAge": 0}},
        {"unusedAccess": {"unusedAccessAge": 366}},
        {"internalAccess": {}},
        {"unusedAccess": {"analysisRule": {"exclusions": [{"accountIds": ["111122223333"]}]}}},
    ],
)
def test_configurations_that_cannot_be(scene, configuration):
    with pytest.raises(ClientError) as error:
        scene.server.client("accessanalyzer", region="eu-west-1").create_analyzer(
            analyzerName="a", type="ACCOUNT_UNUSED_ACCESS", configuration=configuration
        )
    assert error.value.response["Error"]["Code"] == "ValidationException"


def test_a_recommendation_takes_away_what_is_not_used_and_nothing_else(scene):
    finding = scene.of(scene.busy.arn, "UnusedPermission")["id"]
    with pytest.raises(ClientError) as error:
        scene.aa.get_finding_recommendation(analyzerArn=scene.arn, id=finding)
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"
    scene.aa.generate_finding_recommendation(analyzerArn=scene.arn, id=finding)
    made = scene.aa.get_finding_recommendation(analyzerArn=scene.arn, id=finding)
    assert (made["status"], made["resourceArn"]) == ("SUCCEEDED", scene.busy.arn)
    assert made["recommendationType"] == "UnusedPermissionRecommendation"
    steps = [one["unusedPermissionsRecommendedStep"] for one in made["recommendedSteps"]]
    assert [(one["recommendedAction"], one["existingPolicyId"]) for one in steps] == [
        ("DETACH_POLICY", "look"), ("CREATE_POLICY", "use"), ("DETACH_POLICY", "use"),
    ]  # fmt: skip
    assert json.loads(steps[1]["recommendedPolicy"]) == policy(KMS | {"Action": ["kms:Encrypt"]})


def test_recommendations_are_for_unused_permissions(scene):
    finding = scene.of(scene.sleeper.arn, "UnusedIAMRole")["id"]
    for one in (finding, "none"):
        with pytest.raises(ClientError) as error:
            scene.aa.generate_finding_recommendation(analyzerArn=scene.arn, id=one)
        assert error.value.response["Error"]["Code"] == "ValidationException"


ENTRIES = st.sampled_from(
    ["*", "kms:*", "kms:En*", "KMS:Decrypt", "ec2:RunInstances", "s3:Get*", "iam:PassRole"]
)
NAMES = st.frozensets(
    st.sampled_from(sorted(name for name in PERMISSIONS if name.startswith(("kms:", "s3:"))))
)


@given(st.lists(ENTRIES, min_size=1), NAMES)
def test_a_narrower_policy_has_all_that_is_used_and_nothing_that_is_not(entries, used):
    told = PERMISSIONS - {"iam:PassRole"}  # of its use no event tells
    unused = frozenset(name.lower() for name in told - used)
    narrow = narrowed(policy({"Effect": "Allow", "Action": entries, "Resource": "*"}), unused)
    left = [] if narrow is None else narrow["Statement"][0]["Action"]
    allowed = {name for name in told if any(matches(one, name) for one in left)}
    assert allowed == {name for name in used if any(matches(one, name) for one in entries)}
    assert {"ec2:RunInstances", "iam:PassRole"} & set(entries) <= set(left)


def matches(entry, name):
    start, star, _ = entry.lower().partition("*")
    return name.lower().startswith(start) if star else name.lower() == start


def test_an_organization_is_looked_at_by_who_manages_it():
    with RunningServer() as server:
        organizations = server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        made = [
            organizations.create_account(Email=f"{name}@example.com", AccountName=name)[
                "CreateAccountStatus"
            ]["AccountId"]
            for name in ("one", "two", "three")
        ]
        for account in made:
            iam = server.root(account).client("iam")
            for name, tags in (("idle", []), ("spared", [{"Key": "team", "Value": "break-glass"}])):
                iam.create_user(UserName=name, Tags=tags)
                iam.put_user_policy(UserName=name, PolicyName="use", PolicyDocument=json.dumps(policy(KMS)))
        server.advance(100 * DAY)
        criteria = [
            {"accountIds": [made[1]]},
            {"accountIds": [made[2]], "resourceTags": [{"team": "break-glass"}]},
        ]
        configuration = {"unusedAccess": {"unusedAccessAge": 90, "analysisRule": {"exclusions": criteria}}}
        aa = server.client("accessanalyzer")
        arn = aa.create_analyzer(
            analyzerName="all", type="ORGANIZATION_UNUSED_ACCESS", configuration=configuration
        )["arn"]
        assert aa.get_analyzer(analyzerName="all")["analyzer"]["configuration"] == configuration
        expected = {
            f"arn:aws:iam::{made[0]}:user/idle",
            f"arn:aws:iam::{made[0]}:user/spared",
            f"arn:aws:iam::{made[2]}:user/idle",
            *(f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole" for account in (made[0], made[2])),
        }

        def found():
            return {one["resource"]: one for one in aa.list_findings_v2(analyzerArn=arn)["findings"]}

        wait_until(lambda: expected <= found().keys())
        assert found().keys() == expected
        assert {one["resourceOwnerAccount"] for one in found().values()} == {made[0], made[2]}
        one = found()[f"arn:aws:iam::{made[2]}:user/idle"]
        aa.generate_finding_recommendation(analyzerArn=arn, id=one["id"])
        told = aa.get_finding_recommendation(analyzerArn=arn, id=one["id"])
        assert [
            step["unusedPermissionsRecommendedStep"]["recommendedAction"] for step in told["recommendedSteps"]
        ] == ["DETACH_POLICY"]
        member = server.root(made[0]).client("accessanalyzer")
        with pytest.raises(ClientError, match="management account"):
            member.create_analyzer(analyzerName="a", type="ORGANIZATION_UNUSED_ACCESS")
