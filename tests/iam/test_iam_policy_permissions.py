"""Every operation on roles, policies, tags, providers and the simulator: denied without, allowed with its action."""

import json

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer, allow

ACCOUNT = "000000000000"
POLICY = json.dumps(allow("kms:ListKeys"))
ARN = f"arn:aws:iam::{ACCOUNT}:policy/p"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/issuer.example.org"
TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
    }
)

OF_HOLDERS = {
    f"{verb}{noun}{rest}": {f"{noun}Name": "it", **members}
    for noun in ("User", "Group", "Role")
    for verb, rest, members in [
        ("Put", "Policy", {"PolicyName": "n", "PolicyDocument": POLICY}),
        ("Get", "Policy", {"PolicyName": "i"}),
        ("Delete", "Policy", {"PolicyName": "i"}),
        ("List", "Policies", {}),
        ("Attach", "Policy", {"PolicyArn": ARN}),
        ("Detach", "Policy", {"PolicyArn": ARN}),
        ("ListAttached", "Policies", {}),
    ]
}
OF_TAGS = {
    f"{verb}{noun}{rest}": {**member, **members}
    for noun, member in [
        ("User", {"UserName": "it"}),
        ("Role", {"RoleName": "it"}),
        ("Policy", {"PolicyArn": ARN}),
        ("OpenIDConnectProvider", {"OpenIDConnectProviderArn": PROVIDER}),
        ("MFADevice", {"SerialNumber": f"arn:aws:iam::{ACCOUNT}:mfa/it"}),
    ]
    for verb, rest, members in [
        ("Tag", "", {"Tags": [{"Key": "a", "Value": "b"}]}),
        ("Untag", "", {"TagKeys": ["a"]}),
        ("List", "Tags", {}),
    ]
}
CALLS = {
    **OF_HOLDERS,
    **OF_TAGS,
    "CreateRole": {"RoleName": "new", "AssumeRolePolicyDocument": TRUST},
    "GetRole": {"RoleName": "it"},
    "ListRoles": {},
    "UpdateRole": {"RoleName": "it", "Description": "d"},
    "UpdateRoleDescription": {"RoleName": "it", "Description": "d"},
    "UpdateAssumeRolePolicy": {"RoleName": "it", "PolicyDocument": TRUST},
    "DeleteRole": {"RoleName": "it"},
    "ListInstanceProfiles": {},
    "ListInstanceProfilesForRole": {"RoleName": "it"},
    "CreatePolicy": {"PolicyName": "new", "PolicyDocument": POLICY},
    "GetPolicy": {"PolicyArn": ARN},
    "DeletePolicy": {"PolicyArn": ARN},
    "ListPolicies": {},
    "ListEntitiesForPolicy": {"PolicyArn": ARN},
    "CreatePolicyVersion": {"PolicyArn": ARN, "PolicyDocument": POLICY},
    "GetPolicyVersion": {"PolicyArn": ARN, "VersionId": "v1"},
    "ListPolicyVersions": {"PolicyArn": ARN},
    "DeletePolicyVersion": {"PolicyArn": ARN, "VersionId": "v1"},
    "SetDefaultPolicyVersion": {"PolicyArn": ARN, "VersionId": "v1"},
    "PutUserPermissionsBoundary": {"UserName": "it", "PermissionsBoundary": ARN},
    "PutRolePermissionsBoundary": {"RoleName": "it", "PermissionsBoundary": ARN},
    "DeleteUserPermissionsBoundary": {"UserName": "it"},
    "DeleteRolePermissionsBoundary": {"RoleName": "it"},
    "CreateOpenIDConnectProvider": {"Url": "https://new.example.org"},
    "GetOpenIDConnectProvider": {"OpenIDConnectProviderArn": PROVIDER},
    "ListOpenIDConnectProviders": {},
    "DeleteOpenIDConnectProvider": {"OpenIDConnectProviderArn": PROVIDER},
    "UpdateOpenIDConnectProviderThumbprint": {"OpenIDConnectProviderArn": PROVIDER, "ThumbprintList": []},
    "AddClientIDToOpenIDConnectProvider": {"OpenIDConnectProviderArn": PROVIDER, "ClientID": "c"},
    "RemoveClientIDFromOpenIDConnectProvider": {"OpenIDConnectProviderArn": PROVIDER, "ClientID": "c"},
    "CreateServiceLinkedRole": {"AWSServiceName": "support.amazonaws.com"},
    "DeleteServiceLinkedRole": {"RoleName": "it"},
    "GetServiceLinkedRoleDeletionStatus": {"DeletionTaskId": "task/x"},
    "SimulatePrincipalPolicy": {
        "PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/it",
        "ActionNames": ["kms:Encrypt"],
    },
    "SimulateCustomPolicy": {"PolicyInputList": [POLICY], "ActionNames": ["kms:Encrypt"]},
    "GetContextKeysForPrincipalPolicy": {"PolicySourceArn": f"arn:aws:iam::{ACCOUNT}:user/it"},
    "GetContextKeysForCustomPolicy": {"PolicyInputList": [POLICY]},
}
"""Every operation with a request that reaches it."""


@pytest.fixture(scope="module")
def world():
    """A server with one of each thing; what a call does to it does not matter to the others' permissions."""
    with RunningServer() as server:
        iam = server.client("iam")
        iam.create_user(UserName="it")
        iam.create_group(GroupName="it")
        iam.create_role(RoleName="it", AssumeRolePolicyDocument=TRUST)
        iam.create_policy(PolicyName="p", PolicyDocument=POLICY)
        iam.create_open_id_connect_provider(Url="https://issuer.example.org")
        yield server


def outcome(client, operation, members):
    """The error code of a call, empty if it succeeded; and the message."""
    method = {name.replace("_", ""): name for name in dir(client)}[operation.lower()]
    try:
        getattr(client, method)(**members)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    return "", ""


@pytest.mark.parametrize("operation", sorted(CALLS))
def test_an_operation_takes_its_own_permission(world, operation):
    without = world.user(f"without-{operation}"[:64], {"p": allow("iam:ListAccountAliases")}).client("iam")
    code, message = outcome(without, operation, CALLS[operation])
    assert code == "AccessDenied"
    assert f"is not authorized to perform: iam:{operation} " in message
    allowed = world.user(f"with-{operation}"[:64], {"p": allow(f"iam:{operation}")}).client("iam")
    assert outcome(allowed, operation, CALLS[operation])[0] != "AccessDenied"


def test_no_operation_is_left_out():
    from keystead.services.iam import (
        attachments,
        boundaries,
        context_keys,
        inline_policies,
        instance_profiles,
        oidc,
        policies,
        policy_versions,
        roles,
        service_linked_roles,
        simulate,
        tags,
    )

    chapters = (
        attachments,
        boundaries,
        context_keys,
        inline_policies,
        instance_profiles,
        oidc,
        policies,
        policy_versions,
        roles,
        service_linked_roles,
        simulate,
        tags,
    )
    assert {operation.name for chapter in chapters for operation in chapter.OPERATIONS} == set(CALLS)


def test_permission_comes_before_existence(world, refused):
    nobody = world.user("nobody").client("iam")
    for call in (
        lambda: nobody.get_role(RoleName="ghost"),
        lambda: nobody.get_policy(PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/ghost"),
        lambda: nobody.simulate_principal_policy(
            PolicySourceArn=f"arn:aws:iam::{ACCOUNT}:user/ghost", ActionNames=["kms:Encrypt"]
        ),
    ):
        with refused("AccessDenied"):
            call()


@pytest.fixture
def prescribed(world):
    """The ARN of a policy that no other test removes."""
    iam = world.client("iam")
    arn = iam.create_policy(PolicyName="prescribed", PolicyDocument=POLICY)["Policy"]["Arn"]
    yield arn
    iam.delete_policy(PolicyArn=arn)


def test_the_policy_that_is_attached_can_be_prescribed(world, prescribed, refused):
    condition = {"iam:PolicyARN": prescribed}
    delegate = world.user("delegate", {"p": allow("iam:AttachRolePolicy", ArnEquals=condition)}).client("iam")
    world.client("iam").create_role(RoleName="delegated", AssumeRolePolicyDocument=TRUST)
    delegate.attach_role_policy(RoleName="delegated", PolicyArn=prescribed)
    with refused("AccessDenied"):
        delegate.attach_role_policy(
            RoleName="delegated", PolicyArn="arn:aws:iam::aws:policy/AdministratorAccess"
        )
    world.client("iam").detach_role_policy(RoleName="delegated", PolicyArn=prescribed)


def test_a_boundary_can_be_prescribed_for_new_roles(world, prescribed, refused):
    """IAM User Guide, "Delegating responsibility to others using permissions boundaries"."""
    condition = {"iam:PermissionsBoundary": prescribed}
    delegate = world.user("builder", {"p": allow("iam:CreateRole", StringEquals=condition)}).client("iam")
    delegate.create_role(RoleName="bounded", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=prescribed)
    with refused("AccessDenied"):
        delegate.create_role(RoleName="unbounded", AssumeRolePolicyDocument=TRUST)
    world.client("iam").delete_role(RoleName="bounded")


@pytest.mark.parametrize(
    ("operation", "members"),
    [
        ("CreateInstanceProfile", {"InstanceProfileName": "p"}),
        ("CreateSAMLProvider", {"Name": "p", "SAMLMetadataDocument": "x" * 1000}),
        ("ListSAMLProviders", {}),
        (
            "ListPoliciesGrantingServiceAccess",
            {"Arn": f"arn:aws:iam::{ACCOUNT}:user/it", "ServiceNamespaces": ["kms"]},
        ),
        ("GenerateServiceLastAccessedDetails", {"Arn": f"arn:aws:iam::{ACCOUNT}:user/it"}),
    ],
)
def test_what_is_not_offered_says_so(world, operation, members):
    code, message = outcome(world.client("iam"), operation, members)
    assert code == "UnsupportedOperation"
    assert message == f"Operation {operation} is not supported by this server."
