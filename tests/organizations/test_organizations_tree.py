import re

import pytest

from keystead.testing import RunningServer

SCP = "SERVICE_CONTROL_POLICY"


def test_an_organization_is_made_described_and_deleted(fresh_server, refused):
    client = fresh_server.client("organizations")
    assert refused(client.describe_organization).code == "AWSOrganizationsNotInUseException"
    made = client.create_organization(FeatureSet="ALL")["Organization"]
    account = fresh_server.settings.account_id
    assert re.fullmatch(r"o-[a-z0-9]{10,32}", made["Id"])
    assert made["Arn"] == f"arn:aws:organizations::{account}:organization/{made['Id']}"
    assert made["MasterAccountArn"] == f"arn:aws:organizations::{account}:account/{made['Id']}/{account}"
    assert made["FeatureSet"] == "ALL"
    assert client.describe_organization()["Organization"] == made
    (root,) = client.list_roots()["Roots"]
    assert root["Name"] == "Root"
    assert root["PolicyTypes"] == []  # as AWS: a policy type is enabled by EnablePolicyType only
    assert refused(client.create_organization).code == "AlreadyInOrganizationException"
    client.create_organizational_unit(ParentId=root["Id"], Name="left behind")
    client.delete_organization()
    assert refused(client.list_accounts).message == "Your account is not a member of an organization."
    assert client.create_organization()["Organization"]["Id"] != made["Id"]


def test_consolidated_billing_only_is_refused(fresh_server, refused):
    client = fresh_server.client("organizations")
    refusal = refused(client.create_organization, FeatureSet="CONSOLIDATED_BILLING")
    assert refusal.code == "UnsupportedOperationException"


def test_units_nest_and_are_found_from_above_and_below(org):
    outer = org.unit("outer")
    inner = org.unit("inner", outer)
    described = org.client.describe_organizational_unit(OrganizationalUnitId=inner)["OrganizationalUnit"]
    assert described["Path"] == f"{org.id}/{org.root}/{outer}/{inner}/"
    assert described["Arn"].endswith(f":ou/{org.id}/{inner}")
    assert inner.startswith(f"ou-{org.root.removeprefix('r-')}-")
    assert org.client.list_parents(ChildId=inner)["Parents"] == [{"Id": outer, "Type": "ORGANIZATIONAL_UNIT"}]
    assert org.client.list_parents(ChildId=outer)["Parents"] == [{"Id": org.root, "Type": "ROOT"}]
    below = org.client.list_organizational_units_for_parent(ParentId=outer)["OrganizationalUnits"]
    assert [unit["Id"] for unit in below] == [inner]
    children = org.client.list_children(ParentId=outer, ChildType="ORGANIZATIONAL_UNIT")["Children"]
    assert children == [{"Id": inner, "Type": "ORGANIZATIONAL_UNIT"}]
    assert org.client.list_children(ParentId=outer, ChildType="ACCOUNT")["Children"] == []


def test_a_unit_is_renamed_unless_a_sibling_has_the_name(org, refused):
    first, second = org.unit("first"), org.unit("second")
    renamed = org.client.update_organizational_unit(OrganizationalUnitId=first, Name="third")
    assert renamed["OrganizationalUnit"]["Name"] == "third"
    refusal = refused(org.client.update_organizational_unit, OrganizationalUnitId=second, Name="third")
    assert refusal.code == "DuplicateOrganizationalUnitException"
    assert refusal.message == "An OU with the same name already exists."
    refusal = refused(org.client.create_organizational_unit, ParentId=org.root, Name="third")
    assert refusal.code == "DuplicateOrganizationalUnitException"
    assert org.unit("third", second)  # another parent


def test_a_unit_is_deleted_only_when_it_is_empty(org, refused):
    unit = org.unit("to be deleted")
    account = org.account("inside", unit)
    refusal = refused(org.client.delete_organizational_unit, OrganizationalUnitId=unit)
    assert refusal.code == "OrganizationalUnitNotEmptyException"
    org.client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=org.root)
    inner = org.unit("inner", unit)
    refusal = refused(org.client.delete_organizational_unit, OrganizationalUnitId=unit)
    assert refusal.code == "OrganizationalUnitNotEmptyException"
    org.client.delete_organizational_unit(OrganizationalUnitId=inner)
    org.client.delete_organizational_unit(OrganizationalUnitId=unit)
    refusal = refused(org.client.describe_organizational_unit, OrganizationalUnitId=unit)
    assert refusal.code == "OrganizationalUnitNotFoundException"


def test_units_nest_five_levels_deep(org, refused):
    parent = org.root
    for level in range(5):
        parent = org.unit(f"level {level}", parent)
    refusal = refused(org.client.create_organizational_unit, ParentId=parent, Name="too deep")
    assert (refusal.code, refusal.reason) == ("ConstraintViolationException", "OU_DEPTH_LIMIT_EXCEEDED")


def test_accounts_move_between_units(org, refused):
    here, there = org.unit("here"), org.unit("there")
    account = org.account("mover", here)
    move = {"AccountId": account, "SourceParentId": here, "DestinationParentId": there}
    org.client.move_account(**move)
    assert [a["Id"] for a in org.client.list_accounts_for_parent(ParentId=there)["Accounts"]] == [account]
    assert org.client.list_accounts_for_parent(ParentId=here)["Accounts"] == []
    described = org.client.describe_account(AccountId=account)["Account"]
    assert described["Paths"] == [f"{org.id}/{org.root}/{there}/{account}/"]
    assert refused(org.client.move_account, **move).code == "SourceParentNotFoundException"
    same = move | {"SourceParentId": there}
    assert refused(org.client.move_account, **same).code == "DuplicateAccountException"
    nowhere = same | {"DestinationParentId": "ou-aaaa-bbbbbbbb"}
    assert refused(org.client.move_account, **nowhere).code == "DestinationParentNotFoundException"
    nobody = same | {"AccountId": "999999999999"}
    assert refused(org.client.move_account, **nobody).code == "AccountNotFoundException"


def test_pages_go_by_tokens_that_only_the_server_makes(org, refused):
    parent = org.unit("of many")
    made = {org.unit(f"unit {number}", parent) for number in range(5)}
    pages = org.client.get_paginator("list_organizational_units_for_parent").paginate(
        ParentId=parent, PaginationConfig={"PageSize": 2}
    )
    found = [[unit["Id"] for unit in page["OrganizationalUnits"]] for page in pages]
    assert [len(page) for page in found] == [2, 2, 1]
    assert {unit for page in found for unit in page} == made
    request = {"ParentId": parent, "MaxResults": 2}
    token = org.client.list_organizational_units_for_parent(**request)["NextToken"]
    other = request | {"ParentId": org.root, "NextToken": token}
    for bad in (other, request | {"NextToken": "made up"}, request | {"NextToken": "ä"}):
        refusal = refused(org.client.list_organizational_units_for_parent, **bad)
        assert (refusal.code, refusal.reason) == ("InvalidInputException", "INVALID_NEXT_TOKEN")


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("list_children", {"ParentId": "ou-aaaa-bbbbbbbb", "ChildType": "ACCOUNT"}, "ParentNotFoundException"),
        ("list_accounts_for_parent", {"ParentId": "r-zzzz"}, "ParentNotFoundException"),
        ("create_organizational_unit", {"ParentId": "ou-aaaa-bbbbbbbb", "Name": "x"}, "ParentNotFoundException"),
        ("list_parents", {"ChildId": "999999999999"}, "ChildNotFoundException"),
        ("describe_account", {"AccountId": "999999999999"}, "AccountNotFoundException"),
        ("enable_policy_type", {"RootId": "r-zzzz", "PolicyType": SCP}, "RootNotFoundException"),
        ("tag_resource", {"ResourceId": "ou-aaaa-bbbbbbbb", "Tags": []}, "TargetNotFoundException"),
        ("list_tags_for_resource", {"ResourceId": "p-aaaabbbb"}, "TargetNotFoundException"),
        ("list_policies_for_target", {"TargetId": "999999999999", "Filter": SCP}, "TargetNotFoundException"),
        ("describe_policy", {"PolicyId": "p-aaaabbbb"}, "PolicyNotFoundException"),
        ("attach_policy", {"PolicyId": "p-FullAWSAccess", "TargetId": "999999999999"}, "TargetNotFoundException"),
        ("describe_handshake", {"HandshakeId": "h-aaaabbbb"}, "HandshakeNotFoundException"),
        ("describe_create_account_status", {"CreateAccountRequestId": "car-aaaabbbb"},
         "CreateAccountStatusNotFoundException"),
    ],
)  # fmt: skip
def test_what_is_not_there_is_named_in_the_error(org, refused, operation, request_, code):
    assert refused(getattr(org.client, operation), **request_).code == code


def test_another_organizations_nodes_are_not_there(org, refused):
    other = org.server.client("organizations", account="777788889999")
    other.create_organization()
    root = other.list_roots()["Roots"][0]["Id"]
    refusal = refused(org.client.create_organizational_unit, ParentId=root, Name="x")
    assert refusal.code == "ParentNotFoundException"
    refusal = refused(org.client.describe_account, AccountId="777788889999")
    assert refusal.code == "AccountNotFoundException"


def test_tags_of_every_kind_of_resource(org, refused):
    unit = org.unit("tagged")
    account = org.account("tagged", unit)
    policy = org.policy("tagged", [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}])
    for resource in (org.root, unit, account, policy):
        org.client.tag_resource(
            ResourceId=resource, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
        )
        org.client.tag_resource(ResourceId=resource, Tags=[{"Key": "a", "Value": "2"}])
        org.client.untag_resource(ResourceId=resource, TagKeys=["b", "c"])
        tags = org.client.list_tags_for_resource(ResourceId=resource)["Tags"]
        assert tags == [{"Key": "a", "Value": "2"}]
    reserved = refused(org.client.tag_resource, ResourceId=unit, Tags=[{"Key": "aws:x", "Value": "1"}])
    assert (reserved.code, reserved.reason) == ("InvalidInputException", "INVALID_SYSTEM_TAGS_PARAMETER")
    twice = refused(org.client.tag_resource, ResourceId=unit, Tags=[{"Key": "x", "Value": "1"}] * 2)
    assert twice.reason == "DUPLICATE_TAG_KEY"
    many = [{"Key": str(number), "Value": ""} for number in range(50)]
    too_many = refused(org.client.tag_resource, ResourceId=unit, Tags=many)
    assert (too_many.code, too_many.reason) == ("ConstraintViolationException", "MAX_TAG_LIMIT_EXCEEDED")
    immutable = refused(
        org.client.tag_resource, ResourceId="p-FullAWSAccess", Tags=[{"Key": "a", "Value": "1"}]
    )
    assert immutable.reason == "IMMUTABLE_POLICY"


def test_an_organization_outlives_the_server(tmp_path):
    with RunningServer(tmp_path) as server:
        made = server.client("organizations").create_organization()["Organization"]
        credential = server.credential()
    with RunningServer(
        tmp_path, access_key_id=credential.access_key_id, secret_access_key=credential.secret
    ) as server:
        assert server.client("organizations").describe_organization()["Organization"] == made
