"""Internal access: that findings are exactly what users and roles of the zone of trust may do, all policies together."""

import json

import pytest
from botocore.exceptions import ClientError
from processes import wait_until
from watched import Watched

from keystead.app.server import ANALYZED
from keystead.services.accessanalyzer.scan import analyzers, scan
from keystead.testing import RunningServer

DECRYPT = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "kms:Decrypt", "Resource": "*"}


def policy(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    return error.value.response["Error"]["Code"]


class Inside(Watched):
    """An analyzer of internal access, and one of external access beside it."""

    def __init__(self, server, kind="ACCOUNT_INTERNAL_ACCESS", **configuration):
        super().__init__(server)
        self.inside = self.aa.create_analyzer(analyzerName="inside", type=kind, **configuration)["arn"]

    def listed(self, key, **criteria):
        asked = {"resource": {"eq": [key]}, **criteria}
        return self.aa.list_findings_v2(analyzerArn=self.inside, filter=asked, maxResults=1000)["findings"]

    def details(self, key):
        """What active findings of the key say, by principal and condition."""
        found = self.listed(key, status={"eq": ["ACTIVE"]})
        told = [
            self.aa.get_finding_v2(analyzerArn=self.inside, id=one["id"])["findingDetails"][0][
                "internalAccessDetails"
            ]
            for one in found
        ]
        return {(one["principal"]["AWS"], *sorted(one["condition"].items())): one for one in told}

    def access(self, key):
        return {who: one["action"] for who, one in self.details(key).items()}

    def look(self):
        """None; the analyzer has seen all that there is, as it does by itself after every change."""
        (analyzer,) = [one for one in analyzers(self.server.store) if one.name == "inside"]
        scan(self.server.store, ANALYZED, analyzer, self.server.clock.now(), lambda: False)

    def comes_to(self, key, expected):
        self.look()
        assert self.access(key) == expected


@pytest.fixture
def inside():
    with RunningServer() as server:
        yield Inside(server)


@pytest.fixture
def reader(inside):
    return inside.server.user("reader", {"use": policy(DECRYPT)}).arn


def test_an_identity_policy_counts_only_where_the_key_leaves_it_to_the_account(inside, reader):
    open_key = inside.key()
    inside.comes_to(open_key, {(reader,): ["kms:Decrypt"]})
    (found,) = inside.listed(open_key)
    assert (found["findingType"], found["resourceType"]) == ("InternalAccess", "AWS::KMS::Key")
    (told,) = inside.details(open_key).values()
    assert told == {
        "action": ["kms:Decrypt"], "condition": {}, "principal": {"AWS": reader},
        "principalOwnerAccount": inside.account, "accessType": "INTRA_ACCOUNT", "principalType": "IAM_USER",
        "resourceControlPolicyRestriction": "NOT_APPLICABLE",
        "serviceControlPolicyRestriction": "NOT_APPLICABLE",
    }  # fmt: skip
    role = inside.server.role("own", {})
    closed = inside.kms.create_key(
        Policy=json.dumps(policy(DECRYPT | {"Principal": {"AWS": role.arn}, "Action": "kms:*"})),
        BypassPolicyLockoutSafetyCheck=True,
    )["KeyMetadata"]["Arn"]
    inside.look()
    ((who, actions),) = inside.access(closed).items()
    assert who == (role.arn,)
    assert {"kms:Decrypt", "kms:PutKeyPolicy", "kms:CreateGrant"} <= set(actions)
    assert inside.details(closed)[(role.arn,)]["principalType"] == "IAM_ROLE"


def test_boundaries_denies_and_groups_have_their_say(inside, reader):
    server, key = inside.server, inside.key()
    server.group("decrypters", {"use": policy(DECRYPT)})
    member = server.user("member").arn
    inside.iam.add_user_to_group(GroupName="decrypters", UserName="member")
    server.user("denied", {"use": policy(DECRYPT), "not": policy(DENY)})
    bounded = server.user("bounded", {"use": policy(DECRYPT | {"Action": "kms:*"})})
    limit = inside.iam.create_policy(
        PolicyName="limit", PolicyDocument=json.dumps(policy(DECRYPT | {"Action": "kms:Encrypt"}))
    )["Policy"]["Arn"]
    inside.iam.put_user_permissions_boundary(UserName="bounded", PermissionsBoundary=limit)
    inside.comes_to(
        key, {(reader,): ["kms:Decrypt"], (member,): ["kms:Decrypt"], (bounded.arn,): ["kms:Encrypt"]}
    )
    for name in ("member", "bounded"):
        inside.iam.put_user_policy(UserName=name, PolicyName="not", PolicyDocument=json.dumps(policy(DENY | {"Action": "kms:*"})))  # fmt: skip
    inside.comes_to(key, {(reader,): ["kms:Decrypt"]})


def test_conditions_are_told_and_more_of_them_are_no_further_finding(inside, reader):
    context = {"StringEquals": {"kms:EncryptionContext:team": "a"}}
    with_context = {**DECRYPT, "Condition": context}
    limited = inside.server.user("limited", {"use": policy(with_context)}).arn
    inside.iam.put_user_policy(
        UserName="reader", PolicyName="more", PolicyDocument=json.dumps(policy(with_context))
    )
    key = inside.key()
    told = ("kms:EncryptionContext:team", "a")
    inside.comes_to(key, {(reader,): ["kms:Decrypt"], (limited, told): ["kms:Decrypt"]})


FALSE = [
    {"kms:KeySpec": "RSA_2048"},
    {"kms:KeyUsage": "SIGN_VERIFY"},
    {"aws:ResourceTag/team": "other"},
    {"aws:PrincipalTag/team": "any"},
    {"aws:PrincipalOrgID": "o-abcdefghij"},
    {"aws:ResourceOrgID": "o-abcdefghij"},
    {"kms:MultiRegion": "true"},
    {"kms:CallerAccount": "111122223333"},
]
"""What does not hold of a key and a user of the test, whatever is asked."""


@pytest.mark.parametrize("condition", FALSE, ids=lambda one: next(iter(one)))
def test_what_is_known_of_key_and_caller_cannot_be_otherwise(inside, reader, condition):
    name = next(iter(condition)).replace(":", "-").replace("/", "-")
    operator = "Bool" if condition == {"kms:MultiRegion": "true"} else "StringEquals"
    statement = DECRYPT | {"Action": "kms:Encrypt", "Condition": {operator: condition}}
    inside.server.user(name, {"use": policy(statement)})
    key = inside.key()
    inside.look()
    assert name not in str(inside.access(key))


def test_what_holds_of_the_key_is_no_obstacle(inside):
    names = {"kms:KeySpec": "SYMMETRIC_DEFAULT", "aws:ResourceTag/team": "keys"}
    aliases = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/known"}, "StringEquals": names}
    someone = inside.server.user("someone", {"use": policy(DECRYPT | {"Condition": aliases})}).arn
    key = inside.key()
    inside.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "team", "TagValue": "keys"}])
    inside.look()
    assert someone not in str(inside.access(key))
    inside.kms.create_alias(AliasName="alias/known", TargetKeyId=key)
    inside.look()
    assert someone in str(inside.access(key))
    inside.kms.delete_alias(AliasName="alias/known")
    inside.look()
    assert someone not in str(inside.access(key))


def test_a_variable_that_nothing_else_speaks_of_has_a_value(inside):
    same = {"StringEquals": {"kms:EncryptionContext:session": "${aws:userid}"}}
    role = inside.server.role("own", {"use": policy(DECRYPT | {"Condition": same})}).arn
    inside.comes_to(
        inside.key(), {(role, ("kms:EncryptionContext:session", "${aws:userid}")): ["kms:Decrypt"]}
    )


def test_a_change_is_followed_without_being_asked(inside):
    key = inside.key()
    inside.server.user("reader", {"use": policy(DECRYPT)})
    wait_until(lambda: inside.access(key))


def test_a_grant_and_a_session_that_the_policy_names(inside, reader):
    role = inside.server.role("granted", {})
    session = role.arn.replace(":iam:", ":sts:").replace(":role/", ":assumed-role/") + "/nightly"
    key = inside.key(DECRYPT | {"Principal": {"AWS": session}, "Action": "kms:Sign"})
    inside.comes_to(key, {(reader,): ["kms:Decrypt"], (role.arn,): ["kms:Sign"]})
    grant = inside.kms.create_grant(KeyId=key, GranteePrincipal=role.arn, Operations=["Encrypt"])["GrantId"]
    inside.comes_to(key, {(reader,): ["kms:Decrypt"], (role.arn,): ["kms:Encrypt", "kms:Sign"]})
    inside.kms.revoke_grant(KeyId=key, GrantId=grant)
    inside.comes_to(key, {(reader,): ["kms:Decrypt"], (role.arn,): ["kms:Sign"]})


def test_access_that_is_gone_is_resolved_and_rules_archive(inside, reader):
    passing = inside.server.user("passing", {"use": policy(DECRYPT)}).arn
    criteria = {"principal.AWS": {"eq": [passing]}, "accessType": {"eq": ["INTRA_ACCOUNT"]}}
    inside.aa.create_archive_rule(analyzerName="inside", ruleName="known", filter=criteria)
    key = inside.key()
    mine = {"principal.AWS": {"eq": [passing]}}
    inside.look()
    assert [one["status"] for one in inside.listed(key, **mine)] == ["ARCHIVED"]
    before = inside.aa.get_findings_statistics(analyzerArn=inside.inside)["findingsStatistics"][0]
    inside.iam.delete_user_policy(UserName="passing", PolicyName="use")
    inside.look()
    assert [one["status"] for one in inside.listed(key, **mine)] == ["RESOLVED"]
    counted = inside.aa.get_findings_statistics(analyzerArn=inside.inside)["findingsStatistics"][0]
    ((kind, told),) = counted["internalAccessFindingsStatistics"].pop("resourceTypeStatistics").items()
    assert (kind, told) == ("AWS::KMS::Key", counted["internalAccessFindingsStatistics"])
    assert told["totalResolvedFindings"] > before["internalAccessFindingsStatistics"]["totalResolvedFindings"]
    inside.kms.schedule_key_deletion(KeyId=key)
    inside.aa.delete_archive_rule(analyzerName="inside", ruleName="known")


def test_what_is_for_external_access_only_is_refused(inside):
    key = inside.key()
    for call, more in (
        (inside.aa.list_findings, {}),
        (inside.aa.get_finding, {"id": "a"}),
        (inside.aa.start_resource_scan, {"resourceArn": key}),
        (inside.aa.get_analyzed_resource, {"resourceArn": key}),
    ):
        assert refused(call, analyzerArn=inside.inside, **more) == "ValidationException"


CONFIGURATIONS = [
    {"unusedAccess": {"unusedAccessAge": 90}},
    {"internalAccess": {"analysisRule": {"inclusions": [{"accountIds": ["111122223333"]}]}}},
    {"internalAccess": {"analysisRule": {"inclusions": [{"resourceTypes": ["AWS::IAM::Role"]}]}}},
    {"internalAccess": {"analysisRule": {"inclusions": [{"resourceArns": ["key"]}]}}},
    {"internalAccess": {"analysisRule": {"inclusions": [{}]}}},
]


@pytest.mark.parametrize("configuration", CONFIGURATIONS, ids=str)
def test_configurations_that_cannot_be_are_refused(configuration):
    with RunningServer() as server:
        client = server.client("accessanalyzer")
        asked = {"analyzerName": "a", "type": "ACCOUNT_INTERNAL_ACCESS", "configuration": configuration}
        assert refused(client.create_analyzer, **asked) == "ValidationException"


def inclusions(*some):
    return {"internalAccess": {"analysisRule": {"inclusions": list(some)}}}


def test_only_what_is_included_is_looked_at():
    with RunningServer() as server:
        one = {"resourceTypes": ["AWS::KMS::Key"], "resourceArns": ["arn:aws:kms:us-east-1:0:key/none"]}
        watched = Inside(server, configuration=inclusions(one))
        shown = watched.aa.get_analyzer(analyzerName="inside")["analyzer"]
        assert shown["configuration"] == inclusions(one)
        reader = server.user("reader", {"use": policy(DECRYPT)}).arn
        first, second = watched.key(), watched.key()
        wider = inclusions(one, {"resourceArns": [first]})
        changed = watched.aa.update_analyzer(analyzerName="inside", configuration=wider)
        assert changed["configuration"] == wider
        watched.comes_to(first, {(reader,): ["kms:Decrypt"]})
        assert watched.listed(second) == []
        watched.aa.update_analyzer(
            analyzerName="inside", configuration=inclusions({"resourceArns": [second]})
        )
        watched.comes_to(second, {(reader,): ["kms:Decrypt"]})
        watched.look()
        assert [one["status"] for one in watched.listed(first)] == ["RESOLVED"]
        looked = watched.aa.list_analyzed_resources(analyzerArn=watched.inside)["analyzedResources"]
        assert [one["resourceArn"] for one in looked] == [second]


def test_an_organization_s_accounts_with_what_binds_them():
    with RunningServer() as server:
        organizations = server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        root = organizations.list_roots()["Roots"][0]["Id"]
        member = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"][
            "AccountId"
        ]
        watched = Inside(server, "ORGANIZATION_INTERNAL_ACCESS")
        iam = server.client("iam", account=member)
        admin = iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]["Arn"]
        far = iam.create_user(UserName="far")["User"]["Arn"]
        both = DECRYPT | {"Action": ["kms:Decrypt", "kms:Encrypt"]}
        iam.put_user_policy(UserName="far", PolicyName="use", PolicyDocument=json.dumps(policy(both)))
        opened = both | {"Principal": {"AWS": f"arn:aws:iam::{member}:root"}}
        key = watched.key(opened)
        watched.comes_to(key, {(who,): ["kms:Decrypt", "kms:Encrypt"] for who in (far, admin)})
        told = watched.details(key)[(far,)]
        assert (told["accessType"], told["principalOwnerAccount"]) == ("INTRA_ORG", member)
        assert told["serviceControlPolicyRestriction"] == "NOT_APPLICABLE"
        organizations.enable_policy_type(RootId=root, PolicyType="SERVICE_CONTROL_POLICY")
        made = organizations.create_policy(
            Content=json.dumps(policy(DENY)), Description="", Name="no", Type="SERVICE_CONTROL_POLICY"
        )["Policy"]["PolicySummary"]["Id"]
        organizations.attach_policy(PolicyId=made, TargetId=member)
        watched.comes_to(key, {(who,): ["kms:Encrypt"] for who in (far, admin)})
        told = watched.details(key)[(far,)]
        assert told["serviceControlPolicyRestriction"] == "APPLIED"
        own = inclusions({"accountIds": [member]})
        watched.aa.update_analyzer(analyzerName="inside", configuration=own)
        watched.look()
        assert {one["status"] for one in watched.listed(key)} == {"RESOLVED"}


def test_what_binds_the_accounts_principals_decides():
    with RunningServer() as server:
        organizations = server.client("organizations")
        organizations.create_organization(FeatureSet="ALL")
        root = organizations.list_roots()["Roots"][0]["Id"]
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"):
            organizations.enable_policy_type(RootId=root, PolicyType=kind)
        member = organizations.create_account(Email="a@example.com", AccountName="a")["CreateAccountStatus"][
            "AccountId"
        ]
        kms, iam, aa = (server.client(name, account=member) for name in ("kms", "iam", "accessanalyzer"))
        reader = iam.create_user(UserName="reader")["User"]["Arn"]
        every = policy(DECRYPT | {"Action": ["kms:Decrypt", "kms:Encrypt", "kms:ReEncryptFrom"]})
        iam.put_user_policy(UserName="reader", PolicyName="use", PolicyDocument=json.dumps(every))
        key = kms.create_key()["KeyMetadata"]["Arn"]
        for kind, statement in (
            ("SERVICE_CONTROL_POLICY", DENY),
            ("RESOURCE_CONTROL_POLICY", DENY | {"Principal": "*", "Action": "kms:Encrypt"}),
        ):
            made = organizations.create_policy(
                Content=json.dumps(policy(statement)), Description="", Name=kind, Type=kind
            )["Policy"]["PolicySummary"]["Id"]
            organizations.attach_policy(PolicyId=made, TargetId=member)
        arn = aa.create_analyzer(analyzerName="inside", type="ACCOUNT_INTERNAL_ACCESS")["arn"]
        (analyzer,) = analyzers(server.store)
        scan(server.store, ANALYZED, analyzer, server.clock.now(), lambda: False)
        asked = {"resource": {"eq": [key]}, "principal.AWS": {"eq": [reader]}}
        (found,) = aa.list_findings_v2(analyzerArn=arn, filter=asked)["findings"]
        (told,) = aa.get_finding_v2(analyzerArn=arn, id=found["id"])["findingDetails"]
        details = told["internalAccessDetails"]
        assert details["action"] == ["kms:ReEncryptFrom"]
        assert details["resourceControlPolicyRestriction"] == "APPLIED"
        assert details["serviceControlPolicyRestriction"] == "APPLIED"
