"""Managed and embedded policies, boundaries: what is stored, attached, listed, limited, and what it comes to."""

import contextlib
import json
import threading

import pytest
from botocore.exceptions import ClientError

from keystead.testing import allow, deny

ACCOUNT = "000000000000"
POLICY = json.dumps(allow("kms:ListKeys"))
ARN = f"arn:aws:iam::{ACCOUNT}:policy/"
ADMIN = "arn:aws:iam::aws:policy/AdministratorAccess"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)


def long(size):
    """A policy of so many characters without white space, and white space beside them."""
    document = allow("kms:ListKeys", resource="arn:aws:kms:::")
    room = size - len(json.dumps(document, separators=(",", ":")))
    document["Statement"][0]["Resource"] += "x" * room
    return json.dumps(document, indent=4, separators=(",", ":"))


@pytest.fixture
def holders(iam):
    """A user, a group and a role."""
    iam.create_user(UserName="it")
    iam.create_group(GroupName="it")
    iam.create_role(RoleName="it", AssumeRolePolicyDocument=TRUST)
    return iam


@pytest.fixture(params=["User", "Group", "Role"])
def holder(request, holders):
    """Calls of one kind: `holder("attach_{}_policy", PolicyArn=…)` on the identity called `it`."""

    def call(operation, **members):
        method = getattr(holders, operation.format(request.param.lower()))
        return method(**{f"{request.param}Name": "it"}, **members)

    call.noun = request.param
    return call


# ------------------------------------------------------------------------------ managed policies


def test_a_policy_is_shown_as_it_was_made(iam):
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam.create_policy(
        PolicyName="p", Path="/eng/", PolicyDocument=POLICY, Description="Lists keys", Tags=tags
    )["Policy"]
    assert made["Arn"] == f"{ARN}eng/p"
    assert made["PolicyId"].startswith("ANPA")
    assert iam.get_policy(PolicyArn=made["Arn"])["Policy"] == made
    assert (made["DefaultVersionId"], made["AttachmentCount"], made["IsAttachable"]) == ("v1", 0, True)
    assert (made["Description"], made["Tags"]) == ("Lists keys", tags)
    version = iam.get_policy_version(PolicyArn=made["Arn"], VersionId="v1")["PolicyVersion"]
    assert version["Document"] == json.loads(POLICY)
    assert version["IsDefaultVersion"] is True


def test_names_are_taken_without_regard_to_case(iam, refused):
    iam.create_policy(PolicyName="p", PolicyDocument=POLICY)
    message = "A policy called P already exists. Duplicate names are not allowed."
    with refused("EntityAlreadyExists", message, 409):
        iam.create_policy(PolicyName="P", Path="/x/", PolicyDocument=POLICY)


def test_what_is_not_there_is_not_found(iam, refused):
    with refused("NoSuchEntity", f"Policy {ARN}ghost was not found.", 404):
        iam.get_policy(PolicyArn=f"{ARN}ghost")
    with refused("InvalidInput"):
        iam.get_policy(PolicyArn=f"arn:aws:iam::{ACCOUNT}:user/alice")
    iam.create_policy(PolicyName="p", Path="/eng/", PolicyDocument=POLICY)
    with refused("NoSuchEntity"):
        iam.get_policy(PolicyArn=f"{ARN}p")
    with refused("NoSuchEntity", f"Policy {ARN}eng/p version v2 does not exist."):
        iam.get_policy_version(PolicyArn=f"{ARN}eng/p", VersionId="v2")


@pytest.mark.parametrize("document", ["no policy", TRUST, '{"Version":"2012-10-17"}'])
def test_what_is_no_identity_policy_is_refused(holder, iam, refused, document):
    with refused("MalformedPolicyDocument", status=400):
        iam.create_policy(PolicyName="p", PolicyDocument=document)
    with refused("MalformedPolicyDocument", status=400):
        holder("put_{}_policy", PolicyName="p", PolicyDocument=document)


def test_white_space_does_not_count_for_the_size(iam, refused):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=long(6144))["Policy"]["Arn"]
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144", 409):
        iam.create_policy(PolicyName="q", PolicyDocument=long(6145))
    with refused("LimitExceeded", "Cannot exceed quota for PolicySize: 6144"):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=long(6145))


def test_a_policy_has_at_most_five_versions(iam, refused):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    for number in range(2, 6):
        made = iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)["PolicyVersion"]
        assert (made["VersionId"], made["IsDefaultVersion"]) == (f"v{number}", False)
    with refused("LimitExceeded", status=409):
        iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)
    with refused("DeleteConflict", "Cannot delete the default version of a policy.", 409):
        iam.delete_policy_version(PolicyArn=arn, VersionId="v1")
    iam.delete_policy_version(PolicyArn=arn, VersionId="v3")
    six = iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY, SetAsDefault=True)["PolicyVersion"]
    assert (six["VersionId"], six["IsDefaultVersion"]) == ("v6", True)
    shown = iam.get_paginator("list_policy_versions").paginate(
        PolicyArn=arn, PaginationConfig={"PageSize": 2}
    )
    versions = [version for page in shown for version in page["Versions"]]
    assert [version["VersionId"] for version in versions] == ["v6", "v5", "v4", "v2", "v1"]
    assert [version["VersionId"] for version in versions if version["IsDefaultVersion"]] == ["v6"]


def test_the_default_version_counts_from_the_next_request_on(server, iam, refused):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    kms = server.user("alice").client("kms")
    with refused("AccessDeniedException"):
        kms.list_keys()
    iam.attach_user_policy(UserName="alice", PolicyArn=arn)
    kms.list_keys()
    iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(deny("kms:ListKeys")), SetAsDefault=True
    )
    with refused("AccessDeniedException"):
        kms.list_keys()
    iam.set_default_policy_version(PolicyArn=arn, VersionId="v1")
    kms.list_keys()
    iam.detach_user_policy(UserName="alice", PolicyArn=arn)
    with refused("AccessDeniedException"):
        kms.list_keys()


def test_a_policy_in_use_is_not_deleted(holder, iam, refused):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=POLICY)
    holder("attach_{}_policy", PolicyArn=arn)
    assert iam.get_policy(PolicyArn=arn)["Policy"]["AttachmentCount"] == 1
    with refused("DeleteConflict", "Cannot delete a policy attached to entities.", 409):
        iam.delete_policy(PolicyArn=arn)
    holder("detach_{}_policy", PolicyArn=arn)
    with refused("DeleteConflict", status=409):
        iam.delete_policy(PolicyArn=arn)
    iam.delete_policy_version(PolicyArn=arn, VersionId="v2")
    iam.delete_policy(PolicyArn=arn)
    with refused("NoSuchEntity"):
        iam.get_policy(PolicyArn=arn)


def test_a_policy_is_never_deleted_while_it_is_being_attached(server, iam):
    """Else who makes a policy of that name later would give its permissions to whoever still has it attached."""
    server.user("alice")
    for number in range(15):
        arn = iam.create_policy(PolicyName=f"p{number}", PolicyDocument=POLICY)["Policy"]["Arn"]
        client = server.client("iam")
        attempts = [
            threading.Thread(target=_quietly, args=(iam.delete_policy,), kwargs={"PolicyArn": arn}),
            threading.Thread(
                target=_quietly,
                args=(client.attach_user_policy,),
                kwargs={"UserName": "alice", "PolicyArn": arn},
            ),
        ]
        for thread in attempts:
            thread.start()
        for thread in attempts:
            thread.join()
        there = arn in {found["Arn"] for found in iam.list_policies(Scope="Local")["Policies"]}
        held = iam.list_attached_user_policies(UserName="alice")["AttachedPolicies"]
        assert there == (arn in {found["PolicyArn"] for found in held})
        if there:
            iam.detach_user_policy(UserName="alice", PolicyArn=arn)


def _quietly(method, **members):
    with contextlib.suppress(ClientError):  # which of the two comes first is chance
        method(**members)


# ----------------------------------------------------------------------------------- lists


def test_policies_are_listed_by_scope_path_and_use(server, iam):
    for name, path in [("b", "/eng/"), ("a", "/"), ("c", "/")]:
        iam.create_policy(PolicyName=name, Path=path, PolicyDocument=POLICY)
    iam.create_user(UserName="u", PermissionsBoundary=f"{ARN}c")
    iam.attach_user_policy(UserName="u", PolicyArn=f"{ARN}a")

    def names(**members):
        pages = iam.get_paginator("list_policies").paginate(**members, PaginationConfig={"PageSize": 2})
        return [policy["PolicyName"] for page in pages for policy in page["Policies"]]

    assert names(Scope="Local") == ["a", "b", "c"]
    assert names(Scope="Local", PathPrefix="/eng/") == ["b"]
    assert names(OnlyAttached=True) == ["a", "c"]
    assert names(Scope="Local", PolicyUsageFilter="PermissionsPolicy") == ["a"]
    assert names(PolicyUsageFilter="PermissionsBoundary") == ["c"]
    amazon = names(Scope="AWS")
    assert "AdministratorAccess" in amazon
    assert names() == ["a", "b", "c", *amazon]
    assert server.client("iam", account="111122223333").list_policies(Scope="Local")["Policies"] == []


def test_policies_of_aws_are_read_and_attached_and_not_changed(holder, iam, refused):
    shown = iam.get_policy(PolicyArn=ADMIN)["Policy"]
    assert shown["PolicyName"] == "AdministratorAccess"
    version = iam.get_policy_version(PolicyArn=ADMIN, VersionId=shown["DefaultVersionId"])["PolicyVersion"]
    assert version["Document"]["Statement"][0]["Action"] == ["*"]
    assert len(iam.list_policy_versions(PolicyArn=ADMIN)["Versions"]) == 1
    holder("attach_{}_policy", PolicyArn=ADMIN)
    assert iam.get_policy(PolicyArn=ADMIN)["Policy"]["AttachmentCount"] == 1
    changes = [
        lambda: iam.delete_policy(PolicyArn=ADMIN),
        lambda: iam.create_policy_version(PolicyArn=ADMIN, PolicyDocument=POLICY),
        lambda: iam.tag_policy(PolicyArn=ADMIN, Tags=[{"Key": "a", "Value": "b"}]),
    ]
    for change in changes:
        with refused("AccessDenied", status=403):
            change()


def test_another_accounts_policy_is_nobodys_business(server, iam, refused):
    other = server.client("iam", account="111122223333")
    arn = other.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    iam.create_user(UserName="u")
    with refused("AccessDenied"):
        iam.get_policy(PolicyArn=arn)
    with refused("NoSuchEntity", f"Policy {arn} does not exist or is not attachable."):
        iam.attach_user_policy(UserName="u", PolicyArn=arn)


def test_who_uses_a_policy_is_listed(holders, iam):
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    for kind in ("User", "Group", "Role"):
        getattr(iam, f"attach_{kind.lower()}_policy")(**{f"{kind}Name": "it"}, PolicyArn=arn)
    iam.create_user(UserName="bounded", Path="/eng/", PermissionsBoundary=arn)
    found = iam.list_entities_for_policy(PolicyArn=arn)
    assert [one["GroupName"] for one in found["PolicyGroups"]] == ["it"]
    assert [one["RoleName"] for one in found["PolicyRoles"]] == ["it"]
    assert sorted(one["UserName"] for one in found["PolicyUsers"]) == ["bounded", "it"]

    def users(**members):
        shown = iam.list_entities_for_policy(PolicyArn=arn, **members)
        assert shown["PolicyGroups"] == shown["PolicyRoles"] == []
        return [one["UserName"] for one in shown["PolicyUsers"]]

    assert users(PolicyUsageFilter="PermissionsBoundary") == ["bounded"]
    assert users(EntityFilter="User", PolicyUsageFilter="PermissionsPolicy") == ["it"]
    assert users(PathPrefix="/eng/") == ["bounded"]
    pages = iam.get_paginator("list_entities_for_policy").paginate(
        PolicyArn=arn, PaginationConfig={"PageSize": 1}
    )
    assert sum(len(page["PolicyUsers"] + page["PolicyGroups"] + page["PolicyRoles"]) for page in pages) == 4


# ------------------------------------------------------------------------------- attachments


def test_policies_are_attached_and_detached(holder, iam, refused):
    for name, path in [("a", "/"), ("b", "/eng/")]:
        iam.create_policy(PolicyName=name, Path=path, PolicyDocument=POLICY)
        holder("attach_{}_policy", PolicyArn=f"{ARN}{path[1:]}{name}")
    holder("attach_{}_policy", PolicyArn=f"{ARN}a")
    shown = holder("list_attached_{}_policies")["AttachedPolicies"]
    assert shown == [
        {"PolicyName": "a", "PolicyArn": f"{ARN}a"},
        {"PolicyName": "b", "PolicyArn": f"{ARN}eng/b"},
    ]
    below = holder("list_attached_{}_policies", PathPrefix="/eng/")["AttachedPolicies"]
    assert [one["PolicyName"] for one in below] == ["b"]
    first = holder("list_attached_{}_policies", MaxItems=1)
    assert first["IsTruncated"] is True
    rest = holder("list_attached_{}_policies", Marker=first["Marker"])
    assert [one["PolicyName"] for one in rest["AttachedPolicies"]] == ["b"]
    holder("detach_{}_policy", PolicyArn=f"{ARN}a")
    with refused("NoSuchEntity", f"Policy {ARN}a was not found.", 404):
        holder("detach_{}_policy", PolicyArn=f"{ARN}a")
    with refused("NoSuchEntity", f"Policy {ARN}ghost does not exist or is not attachable."):
        holder("attach_{}_policy", PolicyArn=f"{ARN}ghost")


def test_at_most_ten_policies_are_attached(holder, iam, refused):
    for number in range(11):
        iam.create_policy(PolicyName=f"p{number}", PolicyDocument=POLICY)
    for number in range(10):
        holder("attach_{}_policy", PolicyArn=f"{ARN}p{number}")
    with refused("LimitExceeded", f"Cannot exceed quota for PoliciesPer{holder.noun}: 10", 409):
        holder("attach_{}_policy", PolicyArn=f"{ARN}p10")


# --------------------------------------------------------------------------- embedded policies


def test_policies_are_embedded(holder, refused):
    holder("put_{}_policy", PolicyName="b", PolicyDocument=POLICY)
    holder("put_{}_policy", PolicyName="a", PolicyDocument=POLICY)
    other = json.dumps(allow("kms:Decrypt"))
    holder("put_{}_policy", PolicyName="a", PolicyDocument=other)
    shown = holder("get_{}_policy", PolicyName="a")
    assert (shown["PolicyName"], shown[f"{holder.noun}Name"]) == ("a", "it")
    assert shown["PolicyDocument"] == json.loads(other)
    assert holder("list_{}_policies")["PolicyNames"] == ["a", "b"]
    first = holder("list_{}_policies", MaxItems=1)
    assert holder("list_{}_policies", Marker=first["Marker"])["PolicyNames"] == ["b"]
    holder("delete_{}_policy", PolicyName="a")
    gone = f"The {holder.noun.lower()} policy with name a cannot be found."
    with refused("NoSuchEntity", gone, 404):
        holder("get_{}_policy", PolicyName="a")
    with refused("NoSuchEntity", gone, 404):
        holder("delete_{}_policy", PolicyName="a")


def test_embedded_policies_are_limited_together(holder, refused):
    most = {"User": 2048, "Group": 5120, "Role": 10240}[holder.noun]
    holder("put_{}_policy", PolicyName="a", PolicyDocument=long(1000))
    holder("put_{}_policy", PolicyName="b", PolicyDocument=long(most - 1000))
    word = holder.noun.lower()
    with refused("LimitExceeded", f"Maximum policy size of {most} bytes exceeded for {word} it", 409):
        holder("put_{}_policy", PolicyName="a", PolicyDocument=long(1001))
    holder("put_{}_policy", PolicyName="b", PolicyDocument=long(most - 1001))
    holder("put_{}_policy", PolicyName="a", PolicyDocument=long(1001))


def test_policies_of_a_group_count_for_its_members(server, iam, refused):
    kms = server.user("alice").client("kms")
    iam.create_group(GroupName="g")
    iam.put_group_policy(GroupName="g", PolicyName="p", PolicyDocument=POLICY)
    with refused("AccessDeniedException"):
        kms.list_keys()
    iam.add_user_to_group(GroupName="g", UserName="alice")
    kms.list_keys()
    iam.delete_group_policy(GroupName="g", PolicyName="p")
    with refused("AccessDeniedException"):
        kms.list_keys()


# ---------------------------------------------------------------------------------- boundaries


@pytest.mark.parametrize("noun", ["User", "Role"])
def test_a_boundary_is_put_and_taken_off(holders, iam, refused, noun):
    def call(operation, **members):
        return getattr(iam, operation.format(noun.lower()))(**{f"{noun}Name": "it"}, **members)

    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    call("put_{}_permissions_boundary", PermissionsBoundary=arn)
    shown = call("get_{}")[noun]["PermissionsBoundary"]
    assert shown["PermissionsBoundaryArn"] == arn
    assert iam.get_policy(PolicyArn=arn)["Policy"]["PermissionsBoundaryUsageCount"] == 1
    with refused("DeleteConflict", "Cannot delete a policy attached to entities."):
        iam.delete_policy(PolicyArn=arn)
    call("delete_{}_permissions_boundary")
    assert "PermissionsBoundary" not in call("get_{}")[noun]
    with refused("NoSuchEntity"):
        call("delete_{}_permissions_boundary")
    with refused("NoSuchEntity"):
        call("put_{}_permissions_boundary", PermissionsBoundary=f"{ARN}ghost")


def test_a_boundary_limits_from_the_next_request_on(server, iam, refused):
    kms = server.user("alice", {"p": allow("kms:*")}).client("kms")
    arn = iam.create_policy(PolicyName="p", PolicyDocument=POLICY)["Policy"]["Arn"]
    kms.list_aliases()
    iam.put_user_permissions_boundary(UserName="alice", PermissionsBoundary=arn)
    kms.list_keys()
    with refused("AccessDeniedException"):
        kms.list_aliases()
    iam.delete_user_permissions_boundary(UserName="alice")
    kms.list_aliases()
