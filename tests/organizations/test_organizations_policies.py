import json

import pytest

SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"
FULL, RCP_FULL = "p-FullAWSAccess", "p-RCPFullAWSAccess"
DENY = [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]


def attached(org, target, kind=SCP):
    policies = org.client.list_policies_for_target(TargetId=target, Filter=kind)["Policies"]
    return [policy["Id"] for policy in policies]


def test_a_policy_is_kept_byte_for_byte(org):
    content = '{ "Version": "2012-10-17",\n "Statement": [] }'.replace("[]", json.dumps(DENY))
    made = org.client.create_policy(
        Name="kept", Description="as it is", Type=SCP, Content=content, Tags=[{"Key": "a", "Value": "b"}]
    )["Policy"]
    summary = made["PolicySummary"]
    assert summary["Arn"].endswith(f":policy/{org.id}/service_control_policy/{summary['Id']}")
    assert (summary["Type"], summary["AwsManaged"]) == (SCP, False)
    described = org.client.describe_policy(PolicyId=summary["Id"])["Policy"]
    assert described == made
    assert described["Content"] == content
    tags = org.client.list_tags_for_resource(ResourceId=summary["Id"])["Tags"]
    assert tags == [{"Key": "a", "Value": "b"}]


def test_policies_are_listed_by_type_and_with_those_of_aws(org):
    own = org.policy("listed", DENY)
    by_type = {
        kind: {p["Id"]: p for p in org.client.list_policies(Filter=kind)["Policies"]} for kind in (SCP, RCP)
    }
    assert by_type[SCP][FULL]["AwsManaged"] is True
    assert by_type[SCP][FULL]["Arn"] == (
        "arn:aws:organizations::aws:policy/service_control_policy/p-FullAWSAccess"
    )
    assert own in by_type[SCP]
    assert own not in by_type[RCP]
    assert RCP_FULL in by_type[RCP]


def test_a_policy_is_updated_in_the_parts_that_are_given(org, refused):
    policy, other = org.policy("before", DENY), org.policy("taken", DENY)
    updated = org.client.update_policy(PolicyId=policy, Name="after")["Policy"]
    assert updated["PolicySummary"]["Name"] == "after"
    assert json.loads(updated["Content"])["Statement"] == DENY
    assert refused(org.client.update_policy, PolicyId=policy, Name="taken").code == "DuplicatePolicyException"
    refusal = refused(org.client.create_policy, Name="taken", Description="", Type=SCP, Content="{}")
    assert refusal.code in {"DuplicatePolicyException", "MalformedPolicyDocumentException"}
    for operation in (org.client.update_policy, org.client.delete_policy):
        refusal = refused(operation, PolicyId=FULL)
        assert (refusal.code, refusal.reason) == ("InvalidInputException", "IMMUTABLE_POLICY")
    org.client.delete_policy(PolicyId=other)
    assert refused(org.client.describe_policy, PolicyId=other).code == "PolicyNotFoundException"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (SCP, "not json"),
        (SCP, "{}"),
        (SCP, json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Maybe", "Action": "*"}]})),
        (SCP, json.dumps({"Version": "2012-10-17", "Statement": [{**DENY[0], "Principal": "*"}]})),
        (RCP, json.dumps({"Version": "2012-10-17", "Statement": DENY})),
        (RCP, json.dumps({"Version": "2012-10-17", "Statement": [{**DENY[0], "Principal": "*",
                          "Effect": "Allow"}]})),
        (RCP, json.dumps({"Version": "2012-10-17", "Statement": [{**DENY[0], "Principal": {"AWS":
                          "arn:aws:iam::111122223333:root"}}]})),
    ],
)  # fmt: skip
def test_what_is_no_policy_of_its_type_is_refused(org, refused, kind, content):
    refusal = refused(org.client.create_policy, Name="bad", Description="", Type=kind, Content=content)
    assert refusal.code == "MalformedPolicyDocumentException"
    good = DENY if kind == SCP else [{**DENY[0], "Principal": "*"}]
    policy = org.policy("good", good, kind)
    refusal = refused(org.client.update_policy, PolicyId=policy, Content=content)
    assert refusal.code == "MalformedPolicyDocumentException"
    org.client.delete_policy(PolicyId=policy)


def test_other_types_of_policies_and_too_long_ones_are_refused(org, refused):
    refusal = refused(org.client.create_policy, Name="x", Description="", Type="TAG_POLICY", Content="{}")
    assert refusal.code == "PolicyTypeNotAvailableForOrganizationException"
    refusal = refused(org.client.enable_policy_type, RootId=org.root, PolicyType="BACKUP_POLICY")
    assert refusal.code == "PolicyTypeNotAvailableForOrganizationException"
    long = json.dumps({"Version": "2012-10-17", "Statement": [{**DENY[0], "Sid": "x" * 5200}]})
    refusal = refused(org.client.create_policy, Name="x", Description="", Type=SCP, Content=long)
    assert (refusal.code, refusal.reason) == ("ConstraintViolationException", "POLICY_CONTENT_LIMIT_EXCEEDED")


def test_new_nodes_have_the_policies_that_allow_everything(org):
    unit = org.unit("new")
    account = org.account("new", unit)
    for node in (org.root, unit, account):
        assert FULL in attached(org, node)
        assert attached(org, node, RCP) == [RCP_FULL]


def test_a_policy_is_attached_and_detached(org, refused):
    unit, policy = org.unit("holder"), org.policy("held", DENY)
    org.attach(policy, unit)
    assert sorted(attached(org, unit)) == sorted([FULL, policy])
    refusal = refused(org.client.attach_policy, PolicyId=policy, TargetId=unit)
    assert refusal.code == "DuplicatePolicyAttachmentException"
    targets = org.client.list_targets_for_policy(PolicyId=policy)["Targets"]
    assert [(t["TargetId"], t["Type"], t["Name"]) for t in targets] == [
        (unit, "ORGANIZATIONAL_UNIT", "holder")
    ]
    assert refused(org.client.delete_policy, PolicyId=policy).code == "PolicyInUseException"
    org.detach(FULL, unit)
    last = refused(org.client.detach_policy, PolicyId=policy, TargetId=unit)
    assert (last.code, last.reason) == (
        "ConstraintViolationException",
        "MIN_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
    )
    org.attach(FULL, unit)
    org.detach(policy, unit)
    gone = refused(org.client.detach_policy, PolicyId=policy, TargetId=unit)
    assert gone.code == "PolicyNotAttachedException"
    org.client.delete_policy(PolicyId=policy)


def test_five_policies_of_a_type_are_attached_to_a_node_at_most(org, refused):
    unit = org.unit("full")
    for number in range(4):
        org.attach(org.policy(f"number {number}", DENY), unit)
    refusal = refused(org.client.attach_policy, PolicyId=org.policy("one too many", DENY), TargetId=unit)
    assert (refusal.code, refusal.reason) == (
        "ConstraintViolationException",
        "MAX_POLICY_TYPE_ATTACHMENT_LIMIT_EXCEEDED",
    )
    other = org.policy("of another type", [{**DENY[0], "Principal": "*"}], RCP)
    org.attach(other, unit)


def test_the_resource_control_policy_that_allows_everything_stays(org, refused):
    refusal = refused(org.client.detach_policy, PolicyId=RCP_FULL, TargetId=org.root)
    assert (refusal.code, refusal.reason) == ("InvalidInputException", "NON_DETACHABLE_POLICY")


def test_disabling_a_type_detaches_its_policies(fresh_org, refused):
    org, client = fresh_org, fresh_org.client
    unit, policy = org.unit("unit"), org.policy("policy", DENY)
    account = org.account("account", unit)
    org.attach(policy, account)
    root = client.disable_policy_type(RootId=org.root, PolicyType=SCP)["Root"]
    assert root["PolicyTypes"] == [{"Type": RCP, "Status": "ENABLED"}]
    for node in (org.root, unit, account):
        assert attached(org, node) == []
        assert attached(org, node, RCP) == [RCP_FULL]
    refusal = refused(client.attach_policy, PolicyId=policy, TargetId=unit)
    assert refusal.code == "PolicyTypeNotEnabledException"
    refusal = refused(client.disable_policy_type, RootId=org.root, PolicyType=SCP)
    assert refusal.code == "PolicyTypeNotEnabledException"
    client.enable_policy_type(RootId=org.root, PolicyType=SCP)
    assert attached(org, account) == [FULL]
    refusal = refused(client.enable_policy_type, RootId=org.root, PolicyType=SCP)
    assert refusal.code == "PolicyTypeAlreadyEnabledException"
