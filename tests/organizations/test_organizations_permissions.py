"""Who may call: whoever has the permission, in the management account; a member may look at its organization."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.services.organizations.service import ORGANIZATIONS
from keystead.testing import allow

SCP = "SERVICE_CONTROL_POLICY"
NOWHERE = {
    "RootId": "r-zzzz",
    "PolicyType": SCP,
    "ParentId": "ou-zzzz-aaaaaaaa",
    "Name": "x",
    "OrganizationalUnitId": "ou-zzzz-aaaaaaaa",
    "ChildId": "ou-zzzz-aaaaaaaa",
    "ChildType": "ACCOUNT",
    "AccountName": "x",
    "Email": "never@example.com",
    "CreateAccountRequestId": "car-aaaaaaaa",
    "Target": {"Id": "999999999999", "Type": "ACCOUNT"},
    "HandshakeId": "h-aaaaaaaa",
    "AccountId": "999999999999",
    "SourceParentId": "r-zzzz",
    "DestinationParentId": "r-zzzz",
    "Content": json.dumps({"Version": "2012-10-17", "Statement": []}),
    "Description": "x",
    "Type": SCP,
    "PolicyId": "p-aaaaaaaa",
    "TargetId": "r-zzzz",
    "Filter": SCP,
    "ResourceId": "r-zzzz",
    "Tags": [{"Key": "a", "Value": "b"}],
    "TagKeys": ["a"],
}
"""A value for each required member, which names nothing that is there."""

OF_ANY_ACCOUNT = {
    "CreateOrganization",
    "DescribeOrganization",
    "LeaveOrganization",
    "AcceptHandshake",
    "DeclineHandshake",
    "CancelHandshake",
    "DescribeHandshake",
    "ListHandshakesForAccount",
}
OPERATIONS = sorted(ORGANIZATIONS.operations)


def request_of(operation):
    shape = ORGANIZATIONS.model.operations[operation].input
    return {member.name: NOWHERE[member.name] for member in shape.MEMBERS if member.required}


def ask(client, operation):
    method = client.meta.method_to_api_mapping
    name = next(python for python, api in method.items() if api == operation)
    return getattr(client, name), request_of(operation)


@pytest.fixture(scope="module")
def callers(org):
    """Clients of users: without permissions, and with all but one."""
    known = {}

    def user(name, policy=None):
        if name not in known:
            policies = {"policy": policy} if policy else {}
            known[name] = org.server.user(name, policies).client("organizations")
        return known[name]

    return user


@pytest.mark.parametrize("operation", OPERATIONS)
def test_without_its_permission_an_operation_is_denied(callers, refused, operation):
    for client in (
        callers("nobody"),
        callers(f"not-{operation}", {
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "NotAction": f"organizations:{operation}", "Resource": "*"},
        }),
    ):  # fmt: skip
        method, request = ask(client, operation)
        refusal = refused(method, **request)
        assert refusal.code == "AccessDeniedException"
        assert f"is not authorized to perform: organizations:{operation} on resource: " in refusal.message


@pytest.mark.parametrize("operation", OPERATIONS)
def test_with_its_permission_alone_an_operation_is_let_through(callers, operation):
    method, request = ask(callers(f"only-{operation}", allow(f"organizations:{operation}")), operation)
    assert outcome(method, request) not in {"AccessDeniedException", "UnsupportedOperationException"}


def outcome(method, request):
    try:
        method(**request)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return "ok"


@pytest.mark.parametrize("operation", [name for name in OPERATIONS if name not in OF_ANY_ACCOUNT])
def test_a_member_account_is_denied_what_is_the_management_accounts(org, refused, operation):
    member = _member(org)
    method, request = ask(member, operation)
    refusal = refused(method, **request)
    assert refusal.code == "AccessDeniedException"
    assert refusal.message == "You don't have permissions to access this resource."


def _member(org):
    account = "343434343434"
    client = org.server.client("organizations", account=account)
    if account not in {member["Id"] for member in _all_accounts(org)}:
        sent = org.client.invite_account_to_organization(Target={"Id": account, "Type": "ACCOUNT"})
        client.accept_handshake(HandshakeId=sent["Handshake"]["Id"])
    return client


def _all_accounts(org):
    pages = org.client.get_paginator("list_accounts").paginate()
    return [account for page in pages for account in page["Accounts"]]


@pytest.mark.parametrize(
    "operation", [name for name in OPERATIONS if name not in OF_ANY_ACCOUNT - {"LeaveOrganization"}]
)
def test_an_account_that_stands_alone_is_told_so(org, refused, operation):
    method, request = ask(org.server.client("organizations", account="898989898989"), operation)
    assert refused(method, **request).code == "AWSOrganizationsNotInUseException"


def test_permissions_can_be_for_one_unit_or_type_of_policy(org, refused):
    unit, other = org.unit("may be renamed"), org.unit("may not")
    arn = org.client.describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]["Arn"]
    renamer = org.server.user(
        "renamer", {"p": allow("organizations:UpdateOrganizationalUnit", resource=arn)}
    ).client("organizations")
    renamer.update_organizational_unit(OrganizationalUnitId=unit, Name="renamed")
    refused(renamer.update_organizational_unit, OrganizationalUnitId=other, Name="renamed too")
    scps_only = allow("organizations:*", StringEquals={"organizations:PolicyType": SCP})
    lister = org.server.user("lister", {"p": scps_only}).client("organizations")
    lister.list_policies(Filter=SCP)
    refused(lister.list_policies, Filter="RESOURCE_CONTROL_POLICY")
    lister.describe_policy(PolicyId="p-FullAWSAccess")
    refused(lister.describe_policy, PolicyId="p-RCPFullAWSAccess")


def test_tags_of_resources_and_requests_decide(org, refused):
    unit = org.unit("mine")
    org.client.tag_resource(ResourceId=unit, Tags=[{"Key": "owner", "Value": "me"}])
    own = allow("organizations:DescribeOrganizationalUnit", StringEquals={"aws:ResourceTag/owner": "me"})
    asked = allow("organizations:TagResource", StringEquals={"aws:RequestTag/stage": "dev"})
    user = org.server.user("tagger", {"own": own, "asked": asked}).client("organizations")
    user.describe_organizational_unit(OrganizationalUnitId=unit)
    refused(user.describe_organizational_unit, OrganizationalUnitId=org.unit("theirs"))
    user.tag_resource(ResourceId=unit, Tags=[{"Key": "stage", "Value": "dev"}])
    refused(user.tag_resource, ResourceId=unit, Tags=[{"Key": "stage", "Value": "prod"}])


def test_making_with_tags_takes_the_permission_to_tag(org, refused):
    maker = org.server.user("maker", {"p": allow("organizations:CreatePolicy")}).client("organizations")
    content = json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    )
    request = {"Name": "with tags", "Description": "", "Type": SCP, "Content": content}
    refusal = refused(maker.create_policy, Tags=[{"Key": "a", "Value": "b"}], **request)
    assert "organizations:TagResource" in refusal.message
    maker.create_policy(**request)


def test_each_call_is_an_event_without_addresses(fresh_org):
    fresh_org.account("private")
    events = fresh_org.server.events()
    made = next(event for event in events if event["eventName"] == "CreateAccount")
    assert made["eventSource"] == "organizations.amazonaws.com"
    assert made["readOnly"] is False
    assert "private@example.com" not in json.dumps(events)
