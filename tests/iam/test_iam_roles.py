"""Roles: made, shown, changed, deleted; whom their trust policies name."""

import json

import pytest

from keystead.testing import allow

ACCOUNT = "000000000000"


def trust(principal, action="sts:AssumeRole"):
    statement = {"Effect": "Allow", "Principal": principal, "Action": action}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


ROOT = trust({"AWS": f"arn:aws:iam::{ACCOUNT}:root"})


def test_a_role_is_shown_as_it_was_made(iam):
    tags = [{"Key": "Team", "Value": "blue"}]
    made = iam.create_role(
        RoleName="admin",
        Path="/eng/",
        AssumeRolePolicyDocument=ROOT,
        Description="Looks after keys",
        MaxSessionDuration=7200,
        Tags=tags,
    )["Role"]
    assert made["Arn"] == f"arn:aws:iam::{ACCOUNT}:role/eng/admin"
    assert made["RoleId"].startswith("AROA")
    shown = iam.get_role(RoleName="ADMIN")["Role"]
    assert shown.pop("RoleLastUsed") == {}
    assert shown == made
    assert made["AssumeRolePolicyDocument"] == json.loads(ROOT)
    assert (made["Description"], made["MaxSessionDuration"], made["Tags"]) == ("Looks after keys", 7200, tags)


def test_the_trust_policy_travels_url_encoded(server):
    """As IAM returns documents (RFC 3986); clients decode them."""
    client = server.client("iam")
    seen = []
    client.meta.events.register(
        "after-call.iam.GetRole", lambda http_response, **_: seen.append(http_response)
    )
    spaced = ROOT.replace('"Version"', ' "Version"')
    client.create_role(RoleName="r", AssumeRolePolicyDocument=spaced)
    client.get_role(RoleName="r")
    assert b"<AssumeRolePolicyDocument>%7B%20%22Version%22%3A" in seen[0].content


def test_a_name_is_taken_once(iam, refused):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=ROOT)
    with refused("EntityAlreadyExists", "Role with name R already exists.", 409):
        iam.create_role(RoleName="R", AssumeRolePolicyDocument=ROOT)


def test_a_role_that_is_not_there_is_not_found(iam, refused):
    with refused("NoSuchEntity", "The role with name nobody cannot be found.", 404):
        iam.get_role(RoleName="nobody")
    with refused("NoSuchEntity"):
        iam.delete_role(RoleName="nobody")


@pytest.mark.parametrize("kind", ["user", "role"])
def test_a_principal_that_does_not_exist_is_named(iam, refused, kind):
    who = f"arn:aws:iam::{ACCOUNT}:{kind}/ghost"
    with refused("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{who}"', 400):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": who}))
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=ROOT)
    with refused("MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{who}"'):
        iam.update_assume_role_policy(RoleName="r", PolicyDocument=trust({"AWS": who}))


def test_trust_is_in_the_principal_and_not_in_its_name(server, iam, refused):
    """Who is deleted and made anew under the same name is somebody else."""
    iam.create_user(UserName="alice")
    iam.create_role(
        RoleName="r", AssumeRolePolicyDocument=trust({"AWS": f"arn:aws:iam::{ACCOUNT}:user/alice"})
    )
    iam.delete_user(UserName="alice")
    namesake = server.user("alice").client("sts")
    with refused("AccessDenied"):
        namesake.assume_role(RoleArn=f"arn:aws:iam::{ACCOUNT}:role/r", RoleSessionName="session")


def test_a_trust_policy_shows_its_principals_as_they_are_now(iam):
    """One who moved under the new ARN, one who is gone by the unique id."""
    user = iam.create_user(UserName="alice")["User"]
    document = trust({"AWS": [user["Arn"], f"arn:aws:iam::{ACCOUNT}:root"]})
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)

    def shown():
        (statement,) = iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"]["Statement"]
        return statement["Principal"]["AWS"][0]

    assert shown() == user["Arn"]
    iam.update_user(UserName="alice", NewUserName="bob", NewPath="/eng/")
    assert shown() == f"arn:aws:iam::{ACCOUNT}:user/eng/bob"
    iam.delete_user(UserName="bob")
    assert shown() == user["UserId"]
    (detail,) = iam.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
    assert detail["AssumeRolePolicyDocument"]["Statement"][0]["Principal"]["AWS"][0] == user["UserId"]


def test_an_account_that_is_trusted_need_not_be_there(iam):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=trust({"AWS": "arn:aws:iam::999988887777:root"}))


@pytest.mark.parametrize(
    "document",
    [
        "no policy",
        "[]",
        json.dumps(allow("sts:AssumeRole")),
        json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}),
    ],
)
def test_what_is_no_trust_policy_is_refused(iam, refused, document):
    with refused("MalformedPolicyDocument", status=400):
        iam.create_role(RoleName="r", AssumeRolePolicyDocument=document)


def test_a_trust_policy_has_at_most_2048_characters_without_white_space(iam, refused):
    def long(size):
        statement = {
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": ""}},
        }
        document = {"Version": "2012-10-17", "Statement": [statement]}
        room = size - len(json.dumps(document, separators=(",", ":")))
        statement["Condition"]["StringEquals"]["sts:ExternalId"] = "x" * room
        return json.dumps(document, indent=8, separators=(",", ":"))

    iam.create_role(RoleName="r", AssumeRolePolicyDocument=long(2048))
    with refused("LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048", 409):
        iam.update_assume_role_policy(RoleName="r", PolicyDocument=long(2049))


def test_a_role_is_changed_in_part(iam):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=ROOT, Description="old")
    iam.update_role(RoleName="r", MaxSessionDuration=43200)
    assert iam.get_role(RoleName="r")["Role"]["Description"] == "old"
    iam.update_role(RoleName="r", Description="new")
    role = iam.update_role_description(RoleName="r", Description="newer")["Role"]
    assert (role["Description"], role["MaxSessionDuration"]) == ("newer", 43200)
    other = trust({"Service": "ec2.amazonaws.com"})
    iam.update_assume_role_policy(RoleName="r", PolicyDocument=other)
    assert iam.get_role(RoleName="r")["Role"]["AssumeRolePolicyDocument"] == json.loads(other)


def test_roles_are_listed_by_name_and_path(iam):
    for name, path in [("b", "/eng/"), ("a", "/"), ("c", "/eng/keys/")]:
        iam.create_role(
            RoleName=name, Path=path, AssumeRolePolicyDocument=ROOT, Tags=[{"Key": "k", "Value": "v"}]
        )
    pages = iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 1})
    assert [role["RoleName"] for page in pages for role in page["Roles"]] == ["a", "b", "c"]
    below = iam.list_roles(PathPrefix="/eng/")
    assert [role["RoleName"] for role in below["Roles"]] == ["b", "c"]
    assert below["IsTruncated"] is False
    assert "Tags" not in below["Roles"][0]


def test_a_role_with_policies_is_not_deleted(iam, refused):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=ROOT)
    policy = iam.create_policy(PolicyName="p", PolicyDocument=json.dumps(allow("kms:Encrypt")))["Policy"]
    iam.attach_role_policy(RoleName="r", PolicyArn=policy["Arn"])
    iam.put_role_policy(RoleName="r", PolicyName="i", PolicyDocument=json.dumps(allow("kms:Decrypt")))
    with refused("DeleteConflict", "Cannot delete entity, must detach all policies first.", 409):
        iam.delete_role(RoleName="r")
    iam.detach_role_policy(RoleName="r", PolicyArn=policy["Arn"])
    with refused("DeleteConflict", "Cannot delete entity, must delete policies first."):
        iam.delete_role(RoleName="r")
    iam.delete_role_policy(RoleName="r", PolicyName="i")
    iam.delete_role(RoleName="r")
    assert iam.list_roles()["Roles"] == []


def test_a_deleted_role_ends_its_sessions(server, iam, refused):
    session = server.assume(server.role("r", {"p": allow("kms:*")})).client("kms")
    session.list_keys()
    iam.delete_role_policy(RoleName="r", PolicyName="p")
    with refused("AccessDeniedException"):
        session.list_keys()
    iam.delete_role(RoleName="r")
    with refused("UnrecognizedClientException"):
        session.list_keys()


def test_the_last_use_of_a_role_is_known(server, iam):
    session = server.assume(server.role("r", {"p": allow("kms:*")}))
    assert iam.get_role(RoleName="r")["Role"]["RoleLastUsed"] == {}
    before = int(server.clock.now())
    session.client("kms", region="eu-west-1").list_keys()
    used = iam.get_role(RoleName="r")["Role"]["RoleLastUsed"]
    assert used["Region"] == "eu-west-1"
    assert before <= used["LastUsedDate"].timestamp() <= server.clock.now()


def test_a_role_has_no_instance_profiles_and_gets_none(iam, refused):
    iam.create_role(RoleName="r", AssumeRolePolicyDocument=ROOT)
    assert iam.list_instance_profiles_for_role(RoleName="r")["InstanceProfiles"] == []
    assert iam.list_instance_profiles()["InstanceProfiles"] == []
    with refused("NoSuchEntity"):
        iam.list_instance_profiles_for_role(RoleName="nobody")
    with refused("UnsupportedOperation"):
        iam.create_instance_profile(InstanceProfileName="p")


# ------------------------------------------------------------------------- service-linked roles

PROTECTED = (
    "Cannot perform the operation on the protected role 'AWSServiceRoleForSupport' - "
    "this role is only modifiable by AWS"
)


def test_a_service_linked_role_is_its_services_alone(iam, refused):
    role = iam.create_service_linked_role(AWSServiceName="support.amazonaws.com", Description="d")["Role"]
    assert role["Arn"] == (
        f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport"
    )
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Principal"] == {"Service": "support.amazonaws.com"}
    name = role["RoleName"]
    changes = [
        lambda: iam.delete_role(RoleName=name),
        lambda: iam.update_role(RoleName=name, MaxSessionDuration=7200),
        lambda: iam.update_assume_role_policy(RoleName=name, PolicyDocument=ROOT),
        lambda: iam.put_role_policy(
            RoleName=name, PolicyName="p", PolicyDocument=json.dumps(allow("kms:Encrypt"))
        ),
        lambda: iam.attach_role_policy(
            RoleName=name, PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
        lambda: iam.put_role_permissions_boundary(
            RoleName=name, PermissionsBoundary="arn:aws:iam::aws:policy/AdministratorAccess"
        ),
    ]
    for change in changes:
        with refused("UnmodifiableEntity", PROTECTED, 400):
            change()
    iam.update_role(RoleName=name, Description="may be changed")
    assert iam.get_role(RoleName=name)["Role"]["Description"] == "may be changed"


def test_a_service_has_one_role_unless_it_takes_suffixes(iam, refused):
    iam.create_service_linked_role(AWSServiceName="support.amazonaws.com")
    taken = "has been taken in this account, please try a different suffix."
    with refused("InvalidInput", f"Service role name AWSServiceRoleForSupport {taken}"):
        iam.create_service_linked_role(AWSServiceName="support.amazonaws.com")
    with refused("InvalidInput", "Custom suffix is not allowed for support.amazonaws.com"):
        iam.create_service_linked_role(AWSServiceName="support.amazonaws.com", CustomSuffix="x")
    with refused("InvalidInput"):
        iam.create_service_linked_role(AWSServiceName="unknown.amazonaws.com")
    made = iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com", CustomSuffix="x")
    assert made["Role"]["RoleName"] == "AWSServiceRoleForAutoScaling_x"


def test_a_service_linked_role_is_deleted_by_a_task(server, iam, refused):
    iam.create_role(RoleName="mine", AssumeRolePolicyDocument=ROOT)
    with refused("InvalidInput"):
        iam.delete_service_linked_role(RoleName="mine")
    with refused("InvalidInput"):
        iam.create_role(
            RoleName="r", Path="/aws-service-role/support.amazonaws.com/", AssumeRolePolicyDocument=ROOT
        )
    iam.create_service_linked_role(AWSServiceName="support.amazonaws.com")
    task = iam.delete_service_linked_role(RoleName="AWSServiceRoleForSupport")["DeletionTaskId"]
    assert task.startswith("task/aws-service-role/support.amazonaws.com/AWSServiceRoleForSupport/")
    assert iam.get_service_linked_role_deletion_status(DeletionTaskId=task)["Status"] == "SUCCEEDED"
    with refused("NoSuchEntity"):
        iam.get_role(RoleName="AWSServiceRoleForSupport")
    for forged in (task[:-2], "task/x", task.replace("Support/", "Other/")):
        with refused("NoSuchEntity"):
            iam.get_service_linked_role_deletion_status(DeletionTaskId=forged)
    with refused("NoSuchEntity"):
        server.client("iam", account="111122223333").get_service_linked_role_deletion_status(
            DeletionTaskId=task
        )
