import json
import re

import pytest

INVITED = "444455556666"
DAY = 86_400.0


@pytest.fixture
def invited(org):
    """An account outside the organization, and its root's client."""
    account = INVITED
    client = org.server.client("organizations", account=account)
    yield account, client
    if org.client.list_accounts()["Accounts"]:
        for member in org.client.list_accounts()["Accounts"]:
            if member["Id"] == account:
                org.client.remove_account_from_organization(AccountId=account)


def invite(org, target=INVITED, kind="ACCOUNT", **request):
    made = org.client.invite_account_to_organization(Target={"Id": target, "Type": kind}, **request)
    return made["Handshake"]


# ------------------------------------------------------------------------------ creating


def test_a_created_account_is_there_with_a_role_for_its_managers(org):
    status = org.client.create_account(
        Email="dev@example.com", AccountName="dev", Tags=[{"Key": "stage", "Value": "dev"}]
    )["CreateAccountStatus"]
    assert status["State"] == "SUCCEEDED"
    assert re.fullmatch(r"car-[a-z0-9]{32}", status["Id"])
    described = org.client.describe_create_account_status(CreateAccountRequestId=status["Id"])
    assert described["CreateAccountStatus"] == status
    account = org.client.describe_account(AccountId=status["AccountId"])["Account"]
    assert (account["Email"], account["Name"]) == ("dev@example.com", "dev")
    assert (account["Status"], account["JoinedMethod"]) == ("ACTIVE", "CREATED")
    assert org.client.list_parents(ChildId=account["Id"])["Parents"] == [{"Id": org.root, "Type": "ROOT"}]
    tags = org.client.list_tags_for_resource(ResourceId=account["Id"])["Tags"]
    assert tags == [{"Key": "stage", "Value": "dev"}]
    iam = org.server.client("iam", account=account["Id"])
    role = iam.get_role(RoleName="OrganizationAccountAccessRole")["Role"]
    assert role["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "AWS": "arn:aws:iam::111122223333:root"
    }


def test_the_management_account_takes_on_the_role_of_an_account_that_it_created(org):
    account = org.account("taken on")
    assume = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": "*"},
    }
    admin = org.server.user("assumer", {"assume": json.dumps(assume)})
    session = admin.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{account}:role/OrganizationAccountAccessRole", RoleSessionName="me"
    )
    assert session["AssumedRoleUser"]["Arn"].startswith(f"arn:aws:sts::{account}:")


def test_an_address_has_one_account(org):
    first = org.client.create_account(Email="one@example.com", AccountName="first")["CreateAccountStatus"]
    second = org.client.create_account(Email="One@example.com", AccountName="second")["CreateAccountStatus"]
    assert (second["State"], second["FailureReason"]) == ("FAILED", "EMAIL_ALREADY_EXISTS")
    listed = org.client.list_create_account_status(States=["FAILED"])["CreateAccountStatuses"]
    assert second["Id"] in [status["Id"] for status in listed]
    assert first["Id"] not in [status["Id"] for status in listed]


def test_the_role_of_a_created_account_has_the_name_that_is_asked_for(org, refused):
    made = org.client.create_account(Email="role@example.com", AccountName="x", RoleName="Admin")
    account = made["CreateAccountStatus"]["AccountId"]
    assert org.server.client("iam", account=account).get_role(RoleName="Admin")
    bad = refused(
        org.client.create_account, Email="b@example.com", AccountName="x", RoleName="AWSServiceRoleForMe"
    )
    assert bad.reason == "INVALID_ROLE_NAME"


# ------------------------------------------------------------------------------- inviting


def test_an_invited_account_joins_and_leaves(org, invited, refused):
    account, member = invited
    sent = invite(org, Notes="please", Tags=[{"Key": "team", "Value": "blue"}])
    assert sent["State"] == "OPEN"
    assert sent["Action"] == "INVITE"
    assert sent["Parties"] == [
        {"Id": org.id, "Type": "ORGANIZATION"},
        {"Id": account, "Type": "ACCOUNT"},
    ]
    assert {"Type": "NOTES", "Value": "please"} in sent["Resources"]
    assert sent["Resources"][0]["Resources"][-1] == {"Type": "ORGANIZATION_FEATURE_SET", "Value": "FULL"}
    assert refused(invite, org).code == "DuplicateHandshakeException"
    assert [each["Id"] for each in member.list_handshakes_for_account()["Handshakes"]] == [sent["Id"]]
    assert refused(org.client.accept_handshake, HandshakeId=sent["Id"]).code == "AccessDeniedException"
    accepted = member.accept_handshake(HandshakeId=sent["Id"])["Handshake"]
    assert accepted["State"] == "ACCEPTED"
    assert member.describe_organization()["Organization"]["Id"] == org.id
    assert org.client.describe_account(AccountId=account)["Account"]["JoinedMethod"] == "INVITED"
    assert org.client.list_tags_for_resource(ResourceId=account)["Tags"] == [{"Key": "team", "Value": "blue"}]
    again = refused(member.accept_handshake, HandshakeId=sent["Id"])
    assert again.code == "HandshakeAlreadyInStateException"
    late = refused(org.client.cancel_handshake, HandshakeId=sent["Id"])
    assert late.code == "InvalidHandshakeTransitionException"
    refusal = refused(invite, org)
    assert (refusal.code, refusal.reason) == (
        "HandshakeConstraintViolationException",
        "ALREADY_IN_AN_ORGANIZATION",
    )
    member.leave_organization()
    assert refused(member.describe_organization).code == "AWSOrganizationsNotInUseException"


def test_an_invitation_is_declined_cancelled_or_expires(org, invited, refused):
    _, member = invited
    first = invite(org)["Id"]
    assert refused(member.cancel_handshake, HandshakeId=first).code == "AccessDeniedException"
    assert member.decline_handshake(HandshakeId=first)["Handshake"]["State"] == "DECLINED"
    second = invite(org)["Id"]
    assert org.client.cancel_handshake(HandshakeId=second)["Handshake"]["State"] == "CANCELED"
    refusal = refused(member.accept_handshake, HandshakeId=second)
    assert refusal.code == "InvalidHandshakeTransitionException"
    third = invite(org)["Id"]
    org.server.advance(15 * DAY)
    assert org.client.describe_handshake(HandshakeId=third)["Handshake"]["State"] == "EXPIRED"
    refusal = refused(member.accept_handshake, HandshakeId=third)
    assert refusal.code == "InvalidHandshakeTransitionException"
    listed = {each["Id"] for each in org.client.list_handshakes_for_organization()["Handshakes"]}
    assert {first, second, third} <= listed
    org.server.advance(30 * DAY)
    assert refused(org.client.describe_handshake, HandshakeId=third).code == "HandshakeNotFoundException"


def test_an_invitation_is_nobody_elses_affair(org, invited, refused):
    sent = invite(org)["Id"]
    stranger = org.server.client("organizations", account="121212121212")
    for operation in (stranger.describe_handshake, stranger.accept_handshake, stranger.decline_handshake):
        assert refused(operation, HandshakeId=sent).code == "HandshakeNotFoundException"
    org.client.cancel_handshake(HandshakeId=sent)


def test_only_accounts_that_exist_are_invited(org, refused):
    for target, kind in (("999999999999", "ACCOUNT"), ("nobody@example.com", "EMAIL")):
        refusal = refused(invite, org, target, kind)
        assert refusal.code == "HandshakeConstraintViolationException"
        assert refusal.reason == "TARGET_ACCOUNT_VALIDATION_FAILURE"
    assert refused(invite, org, org.id, "ORGANIZATION").reason == "INVALID_PARTY_TYPE_TARGET"


def test_an_account_is_invited_by_its_address(org, invited, refused):
    account = org.account("comes-back")
    org.client.remove_account_from_organization(AccountId=account)
    sent = invite(org, "comes-back@example.com", "EMAIL")
    org.server.client("organizations", account=account).accept_handshake(HandshakeId=sent["Id"])
    assert org.client.describe_account(AccountId=account)


# -------------------------------------------------------------------------------- leaving


def test_the_management_account_stays_and_goes_last(fresh_org, refused):
    client = fresh_org.client
    account = fresh_org.account("member")
    assert refused(client.leave_organization).code == "MasterCannotLeaveOrganizationException"
    refusal = refused(client.remove_account_from_organization, AccountId="111122223333")
    assert refusal.code == "MasterCannotLeaveOrganizationException"
    assert refused(client.delete_organization).code == "OrganizationNotEmptyException"
    client.remove_account_from_organization(AccountId=account)
    client.delete_organization()


def test_what_is_not_supported_says_so(org, refused):
    for operation, request in (
        (org.client.close_account, {"AccountId": "111122223333"}),
        (org.client.enable_aws_service_access, {"ServicePrincipal": "config.amazonaws.com"}),
        (org.client.describe_effective_policy, {"PolicyType": "TAG_POLICY"}),
        (org.client.enable_all_features, {}),
    ):
        assert refused(operation, **request).code == "UnsupportedOperationException"
    assert org.client.list_delegated_administrators()["DelegatedAdministrators"] == []
    assert org.client.list_aws_service_access_for_organization()["EnabledServicePrincipals"] == []
