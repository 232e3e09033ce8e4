"""AWS's managed policies can be attached, and say what their names say."""

import pytest

from keystead.policy import AuthorizationRequest, Policies, Principal, compile_policy, decide, parse
from keystead.policy.aws_managed import AWS_MANAGED
from keystead.policy.lint import validate_policy

USER = Principal(type="user", arn="arn:aws:iam::111122223333:user/a", account="111122223333")


def allowed(name, action):
    document = parse(AWS_MANAGED[f"arn:aws:iam::aws:policy/{name}"].document)
    request = AuthorizationRequest(
        principal=USER, action=action, resource="*", account="111122223333", context={"aws:username": "a"}
    )
    return decide(request, Policies(identity=(compile_policy(document),))).allowed


@pytest.mark.parametrize("arn", AWS_MANAGED)
def test_each_is_a_policy(arn):
    policy = AWS_MANAGED[arn]
    validate_policy(policy.document, "identity")
    assert arn == f"arn:aws:iam::aws:policy{policy.path}{policy.name}"
    assert len(policy.id) == len("ANPA") + 17


def test_ids_are_unique():
    assert len({policy.id for policy in AWS_MANAGED.values()}) == len(AWS_MANAGED)


@pytest.mark.parametrize(
    ("name", "action", "outcome"),
    [
        ("AdministratorAccess", "kms:ScheduleKeyDeletion", True),
        ("PowerUserAccess", "kms:CreateKey", True),
        ("PowerUserAccess", "iam:CreateUser", False),
        ("ReadOnlyAccess", "kms:ListKeys", True),
        ("ReadOnlyAccess", "kms:CreateKey", False),
        ("SecurityAudit", "iam:ListUsers", True),
        ("SecurityAudit", "iam:CreateUser", False),
        ("AWSKeyManagementServicePowerUser", "kms:CreateKey", True),
        ("AWSKeyManagementServicePowerUser", "kms:ScheduleKeyDeletion", False),
        ("AWSDenyAll", "kms:ListKeys", False),
    ],
)
def test_they_allow_what_their_names_say(name, action, outcome):
    assert allowed(name, action) is outcome
