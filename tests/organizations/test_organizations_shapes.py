"""Every answer of AWS Organizations as botocore's model has it, down to what is required and listed."""

import json

import pytest
from botocore.exceptions import ClientError
from shapes import Watch

from keystead.services.organizations.service import ORGANIZATIONS

GUEST, SHY, RUDE = "444455556666", "555566667777", "666677778888"
CONTENT = json.dumps(
    {"Version": "2012-10-17", "Statement": {"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*"}}
)
SCP = "SERVICE_CONTROL_POLICY"
TAGS = [{"Key": "stage", "Value": "test"}]


def invitation(client, account):
    target = {"Id": account, "Type": "ACCOUNT"}
    return client.invite_account_to_organization(Target=target, Notes="come in")["Handshake"]["Id"]


def walk(client, guest, shy, root):
    """Each operation once, with what it needs made on the way."""
    unit = client.create_organizational_unit(ParentId=root, Name="one", Tags=TAGS)["OrganizationalUnit"]["Id"]
    client.update_organizational_unit(OrganizationalUnitId=unit, Name="two")
    client.describe_organizational_unit(OrganizationalUnitId=unit)
    status = client.create_account(Email="a@example.com", AccountName="a", Tags=TAGS)["CreateAccountStatus"]
    client.describe_create_account_status(CreateAccountRequestId=status["Id"])
    client.list_create_account_status()
    account = status["AccountId"]
    client.describe_account(AccountId=account)
    client.move_account(AccountId=account, SourceParentId=root, DestinationParentId=unit)
    client.list_accounts()
    client.list_accounts_for_parent(ParentId=unit)
    client.list_children(ParentId=root, ChildType="ORGANIZATIONAL_UNIT")
    client.list_organizational_units_for_parent(ParentId=root)
    client.list_parents(ChildId=account)
    policies(client, unit)
    handshakes(client, guest, shy)
    client.list_delegated_administrators()
    client.list_aws_service_access_for_organization()
    client.describe_organization()
    client.move_account(AccountId=account, SourceParentId=unit, DestinationParentId=root)
    client.delete_organizational_unit(OrganizationalUnitId=unit)
    client.remove_account_from_organization(AccountId=account)
    client.disable_policy_type(RootId=root, PolicyType=SCP)
    client.delete_organization()


def policies(client, unit):
    made = client.create_policy(Content=CONTENT, Description="d", Name="p", Type=SCP, Tags=TAGS)
    policy = made["Policy"]["PolicySummary"]["Id"]
    client.update_policy(PolicyId=policy, Name="q", Content=CONTENT)
    client.attach_policy(PolicyId=policy, TargetId=unit)
    client.describe_policy(PolicyId=policy)
    client.list_policies(Filter=SCP)
    client.list_policies_for_target(TargetId=unit, Filter=SCP)
    client.list_targets_for_policy(PolicyId=policy)
    client.tag_resource(ResourceId=policy, Tags=TAGS)
    client.list_tags_for_resource(ResourceId=policy)
    client.untag_resource(ResourceId=policy, TagKeys=["stage"])
    client.detach_policy(PolicyId=policy, TargetId=unit)
    client.delete_policy(PolicyId=policy)


def handshakes(client, guest, shy):
    sent = invitation(client, GUEST)
    guest.describe_handshake(HandshakeId=sent)
    guest.list_handshakes_for_account()
    client.list_handshakes_for_organization()
    guest.accept_handshake(HandshakeId=sent)
    guest.leave_organization()
    shy.decline_handshake(HandshakeId=invitation(client, SHY))
    client.cancel_handshake(HandshakeId=invitation(client, RUDE))


def test_every_answer_has_its_shape(fresh_org):
    client, server = fresh_org.client, fresh_org.server
    guest, shy = (server.client("organizations", account=account) for account in (GUEST, SHY))
    server.credential(RUDE)
    watch = Watch(client, guest, shy)
    client.list_roots()
    client.disable_policy_type(RootId=fresh_org.root, PolicyType=SCP)
    client.enable_policy_type(RootId=fresh_org.root, PolicyType=SCP)
    walk(client, guest, shy, fresh_org.root)
    client.create_organization(FeatureSet="ALL")
    assert watch.wrong == []
    assert watch.seen == set(ORGANIZATIONS.operations)


ERRORS = [
    ("create_organization", {"FeatureSet": "ALL"}, "AlreadyInOrganizationException"),
    ("delete_organization", {}, "OrganizationNotEmptyException"),
    ("describe_account", {"AccountId": "999999999999"}, "AccountNotFoundException"),
    ("describe_organizational_unit", {"OrganizationalUnitId": "ou-abcd-12345678"}, "OrganizationalUnitNotFoundException"),
    ("describe_policy", {"PolicyId": "p-abcdefgh"}, "PolicyNotFoundException"),
    ("describe_handshake", {"HandshakeId": "h-12345678"}, "HandshakeNotFoundException"),
    ("describe_create_account_status", {"CreateAccountRequestId": "car-12345678"}, "CreateAccountStatusNotFoundException"),
    ("list_children", {"ParentId": "r-none", "ChildType": "ACCOUNT"}, "ParentNotFoundException"),
    ("list_parents", {"ChildId": "999999999999"}, "ChildNotFoundException"),
    ("list_policies_for_target", {"TargetId": "999999999999", "Filter": SCP}, "TargetNotFoundException"),
    ("list_policies", {"Filter": "NONSENSE"}, "InvalidInputException"),
    ("list_accounts", {"NextToken": "nonsense"}, "InvalidInputException"),
    ("tag_resource", {"ResourceId": "p-abcdefgh", "Tags": TAGS}, "TargetNotFoundException"),
    ("enable_policy_type", {"RootId": "r-none", "PolicyType": SCP}, "RootNotFoundException"),
    ("create_policy", {"Content": "{}", "Description": "", "Name": "p", "Type": SCP}, "MalformedPolicyDocumentException"),
("invite_account_to_organization", {"Target": {"Id": "111122223333", "Type": "ACCOUNT"}}, "HandshakeConstraintViolationException"),
]  # fmt: skip


@pytest.fixture(scope="module")
def peopled(org):
    """The organization with an account besides its own."""
    org.account("there")
    return org


@pytest.mark.parametrize(("operation", "request_", "code"), ERRORS, ids=[f"{r[0]}-{r[2]}" for r in ERRORS])
def test_every_error_is_one_of_its_operation(peopled, operation, request_, code):
    watch = Watch(peopled.client)
    try:
        with pytest.raises(ClientError) as caught:
            getattr(peopled.client, operation)(**request_)
    finally:
        peopled.client.meta.events.unregister("before-parse", watch._answered)
    assert caught.value.response["Error"]["Code"] == code
    assert watch.wrong == []


BROKEN = [
    ("list_policies", {"Filter": "NONSENSE"}, "INVALID_ENUM", "You specified an invalid value."),
    ("list_policies", {}, "INPUT_REQUIRED", "You must include a value for all required parameters."),
    (
        "describe_policy",
        {"PolicyId": "nonsense"},
        "INVALID_PATTERN",
        "You provided a value that does not match the required pattern.",
    ),
    (
        "list_accounts",
        {"MaxResults": 0},
        "MIN_VALUE_EXCEEDED",
        "You provided a numeric parameter that has a smaller value than allowed.",
    ),
    (
        "create_organizational_unit",
        {"ParentId": "r-root", "Name": ""},
        "MIN_LENGTH_EXCEEDED",
        "You provided a string parameter that is shorter than allowed.",
    ),
]
"""What breaks the model: InvalidInputException with a reason, not ValidationException as elsewhere."""


@pytest.mark.parametrize(("operation", "request_", "reason", "message"), BROKEN)
def test_what_breaks_the_model_is_invalid_input(org, refused, operation, request_, reason, message):
    refusal = refused(getattr(org.client, operation), **request_)
    assert (refusal.code, refusal.reason, refusal.message) == ("InvalidInputException", reason, message)
