"""The account's alias and summary, the credential report, authorization details, and what is not here."""

import csv
import json
from urllib.parse import quote, unquote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.testing import allow

ACCOUNT = "000000000000"
HOUR = 3600


def test_an_alias_belongs_to_one_account(server, iam, refused):
    other = server.client("iam", account="111122223333")
    iam.create_account_alias(AccountAlias="acme")
    assert iam.list_account_aliases()["AccountAliases"] == ["acme"]
    with refused("EntityAlreadyExists", "The account alias acme already exists.", 409):
        other.create_account_alias(AccountAlias="acme")
    iam.create_account_alias(AccountAlias="acme-two")
    assert iam.list_account_aliases()["AccountAliases"] == ["acme-two"]
    other.create_account_alias(AccountAlias="acme")
    with refused("NoSuchEntity", status=404):
        iam.delete_account_alias(AccountAlias="acme")
    iam.delete_account_alias(AccountAlias="acme-two")
    assert iam.list_account_aliases()["AccountAliases"] == []
    with refused("ValidationError"):
        iam.create_account_alias(AccountAlias="No Good")


def test_the_summary_counts(server, iam):
    before = iam.get_account_summary()["SummaryMap"]
    assert (before["Users"], before["UsersQuota"], before["AccountAccessKeysPresent"]) == (0, 5000, 1)
    iam.create_user(UserName="alice")
    iam.create_group(GroupName="g")
    server.role("r")
    iam.create_virtual_mfa_device(VirtualMFADeviceName="d")
    server.client("iam", account="111122223333").create_user(UserName="bob")
    after = iam.get_account_summary()["SummaryMap"]
    counted = ("Users", "Groups", "Roles", "MFADevices", "MFADevicesInUse")
    assert [after[name] for name in counted] == [1, 1, 1, 1, 0]


def test_there_is_no_password_policy(iam, refused):
    with refused("NoSuchEntity", f"The Password Policy with domain name {ACCOUNT} cannot be found.", 404):
        iam.get_account_password_policy()


# --------------------------------------------------------------------------- credential report


def report(iam):
    assert iam.generate_credential_report()["State"] == "COMPLETE"
    shown = iam.get_credential_report()
    assert shown["ReportFormat"] == "text/csv"
    return list(csv.DictReader(shown["Content"].decode().splitlines()))


def test_the_report_has_a_line_for_the_root_and_each_user(server, iam):
    alice = server.user("alice", {"a": allow("iam:ListUsers")}, path="/eng/")
    alice.client("iam").list_users()
    iam.create_access_key(UserName="alice")
    root, line = report(iam)
    assert (root["user"], root["arn"]) == ("<root_account>", f"arn:aws:iam::{ACCOUNT}:root")
    assert (root["password_enabled"], root["access_key_1_active"], root["access_key_2_active"]) == (
        "not_supported",
        "true",
        "false",
    )
    assert (line["user"], line["arn"], line["password_enabled"]) == ("alice", alice.arn, "false")
    assert (line["mfa_active"], line["cert_1_active"]) == ("false", "false")
    assert line["user_creation_time"].endswith("+00:00")
    used = {line[f"access_key_{n}_last_used_service"] for n in (1, 2)}
    assert used == {"iam", "N/A"}


def test_a_report_is_kept_for_four_hours(server, iam, refused):
    with refused("ReportNotPresent", status=410):
        iam.get_credential_report()
    assert len(report(iam)) == 1
    server.user("alice")
    server.advance(HOUR)
    assert len(report(iam)) == 1
    server.advance(3 * HOUR)
    with refused("ReportExpired", status=410):
        iam.get_credential_report()
    assert len(report(iam)) == 2


# ----------------------------------------------------------------------- authorization details


def details(iam, **request):
    return iam.get_account_authorization_details(**request)


def everything(server):
    server.group("readers", {"read": allow("kms:List*")})
    alice = server.user("alice", {"own": allow("iam:GetUser")}, groups=["readers"], tags={"a": "b"})
    role = server.role("operator", {"do": allow("kms:Decrypt")})
    return alice, role


def test_details_show_every_document_as_it_was_put(server, iam):
    alice, role = everything(server)
    shown = details(iam)
    (user,) = shown["UserDetailList"]
    assert (user["Arn"], user["GroupList"], user["Tags"]) == (
        alice.arn,
        ["readers"],
        [{"Key": "a", "Value": "b"}],
    )
    assert user["UserPolicyList"] == [{"PolicyName": "own", "PolicyDocument": allow("iam:GetUser")}]
    (group,) = shown["GroupDetailList"]
    assert group["GroupPolicyList"][0]["PolicyDocument"] == allow("kms:List*")
    (found,) = shown["RoleDetailList"]
    assert found["AssumeRolePolicyDocument"] == json.loads(role.trust)
    assert found["RolePolicyList"][0]["PolicyDocument"] == allow("kms:Decrypt")
    assert found["RoleLastUsed"] == {}


def test_documents_travel_url_encoded(server, iam):
    from keystead.services.iam.shown import shown_document

    text = json.dumps(allow("s3:*", resource="arn:aws:s3:::a b/ü+%"))
    assert shown_document(text) == quote(text, safe="-_.~")
    assert unquote(shown_document(text)) == text


def test_a_roles_last_use_is_told(server, iam):
    role = server.role("operator", {"do": allow("kms:ListKeys")})
    server.assume(role).client(region="eu-west-1").list_keys()
    (shown,) = details(iam, Filter=["Role"])["RoleDetailList"]
    assert shown["RoleLastUsed"]["Region"] == "eu-west-1"


@pytest.mark.parametrize(
    ("kind", "member"), [("User", "UserDetailList"), ("Group", "GroupDetailList"), ("Role", "RoleDetailList")]
)
def test_a_filter_picks_kinds(server, iam, kind, member):
    everything(server)
    shown = details(iam, Filter=[kind])
    lists = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
    assert [name for name in lists if shown[name]] == [member]


@settings(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(size=st.integers(1, 5))
def test_pages_of_details_show_each_thing_once(server, iam, size):
    for number in range(2):
        server.user(f"u{number}")
        server.group(f"g{number}")
        server.role(f"r{number}")
    pages = iam.get_paginator("get_account_authorization_details").paginate(
        PaginationConfig={"PageSize": size}
    )
    whole = pages.build_full_result()
    assert [user["UserName"] for user in whole["UserDetailList"]] == ["u0", "u1"]
    assert [group["GroupName"] for group in whole["GroupDetailList"]] == ["g0", "g1"]
    assert [role["RoleName"] for role in whole["RoleDetailList"]] == ["r0", "r1"]


# --------------------------------------------------------------------------- what is not here

CALLS = (
    "create_account_alias",
    "delete_account_alias",
    "list_account_aliases",
    "get_account_summary",
    "get_account_password_policy",
    "generate_credential_report",
    "get_credential_report",
    "get_account_authorization_details",
)


@pytest.mark.parametrize("method", CALLS)
def test_each_operation_is_denied_without_its_permission(server, refused, method):
    arguments = {"AccountAlias": "acme"} if method.endswith("account_alias") else {}
    with refused("AccessDenied", status=403):
        getattr(server.user("nobody").client("iam"), method)(**arguments)


@pytest.mark.parametrize(
    ("method", "arguments"),
    [
        ("create_login_profile", {"UserName": "alice", "Password": "correct horse"}),
        ("update_account_password_policy", {"MinimumPasswordLength": 14}),
        ("upload_ssh_public_key", {"UserName": "alice", "SSHPublicKeyBody": "ssh-rsa AAAA"}),
        ("upload_signing_certificate", {"UserName": "alice", "CertificateBody": "x"}),
        (
            "upload_server_certificate",
            {"ServerCertificateName": "a", "CertificateBody": "x", "PrivateKey": "y"},
        ),
        (
            "create_service_specific_credential",
            {"UserName": "alice", "ServiceName": "codecommit.amazonaws.com"},
        ),
    ],
)
def test_passwords_certificates_and_other_services_credentials_are_refused_by_name(
    iam, refused, method, arguments
):
    iam.create_user(UserName="alice")
    name = "".join(part.capitalize() for part in method.split("_")).replace("Ssh", "SSH")
    with refused("UnsupportedOperation", f"Operation {name} is not supported by this server.", 400):
        getattr(iam, method)(**arguments)


def test_there_are_none_to_read(iam, refused):
    iam.create_user(UserName="alice")
    for call in (iam.get_login_profile, iam.delete_login_profile):
        with refused("NoSuchEntity", "Login Profile for User alice cannot be found.", 404):
            call(UserName="alice")
    with refused("NoSuchEntity", "Login Profile for User root cannot be found.", 404):
        iam.get_login_profile()
    assert iam.list_ssh_public_keys(UserName="alice")["SSHPublicKeys"] == []
    assert iam.list_signing_certificates(UserName="alice")["Certificates"] == []
    assert iam.list_service_specific_credentials(UserName="alice")["ServiceSpecificCredentials"] == []
    assert iam.list_server_certificates()["ServerCertificateMetadataList"] == []
    with refused("NoSuchEntity", "The user with name nobody cannot be found."):
        iam.list_ssh_public_keys(UserName="nobody")
