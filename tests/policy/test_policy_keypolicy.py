"""The default key policy, and what may be stored as one."""

import json

import pytest

from keystead.errors import LimitExceeded, MalformedPolicyDocument
from keystead.policy import (
    AuthorizationRequest,
    Policies,
    Principal,
    ResourceDescription,
    compile_key_policy,
    decide,
    default_key_policy,
    named_principals,
    validate_key_policy,
)

ACCOUNT = "111122223333"
ALLOW = {"Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*"}


def text(*statements, **members):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)} | members)


def changed(**members):
    statement = ALLOW | members
    return text({name: value for name, value in statement.items() if value is not None})


def root_request(action="kms:Decrypt"):
    return AuthorizationRequest(
        principal=Principal(type="root", arn=f"arn:aws:iam::{ACCOUNT}:root", account=ACCOUNT),
        action=action,
        resource=f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234",
        account=ACCOUNT,
        context={},
        description=ResourceDescription(trust="keyPolicy"),
    )


def test_default_key_policy_is_what_get_key_policy_shows():
    shown = default_key_policy(ACCOUNT)
    assert "\n" in shown
    assert json.loads(shown) == {
        "Version": "2012-10-17",
        "Id": "key-default-1",
        "Statement": [
            {
                "Sid": "Enable IAM User Permissions",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "kms:*",
                "Resource": "*",
            }
        ],
    }
    validate_key_policy(shown)


def test_default_key_policy_lets_root_in():
    policies = Policies(resource=compile_key_policy(default_key_policy(ACCOUNT)))
    decision = decide(root_request(), policies)
    assert decision.allowed
    assert decision.decided_by.sid == "Enable IAM User Permissions"


@pytest.mark.parametrize(
    "policy",
    [
        changed(),
        changed(Resource=None),
        changed(Action=None),
        changed(Sid="Allow use of the key, please (§ 2)"),
        changed(Principal={"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", "*"]}),
        changed(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:role/path/Keys"}),
        changed(Principal={"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/Keys/me@example.com"}),
        changed(Principal={"Service": ["logs.us-east-1.amazonaws.com"]}),
        changed(Principal=None, NotPrincipal={"AWS": ACCOUNT}, Effect="Deny"),
        changed(Action=["kms:Encrypt", "kms:Gen*", "*"]),
        changed(Condition={"StringEquals": {"kms:ViaService": ["s3.us-east-1.amazonaws.com"]}}),
        changed(Condition={"Bool": {"kms:GrantIsForAWSResource": True}, "Null": {"aws:x": "true"}}),
        changed(Condition={"ForAllValues:StringEquals": {"kms:GrantOperations": ["Decrypt"]}}),
        changed(Condition={"NumericLessThanIfExists": {"kms:RotationPeriodInDays": 365}}),
        json.dumps({"Statement": ALLOW}),
        text(ALLOW, Id="my policy", Version="2008-10-17"),
    ],
)
def test_accepts(policy):
    validate_key_policy(policy)
    compile_key_policy(policy)


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ("", "JSON"),
        ("{", "JSON"),
        ('{"Statement": [], "Statement": []}', "JSON"),
        (text(ALLOW)[:-1] + ', "Version": "2012-10-17"}', "JSON"),
        (text(ALLOW).replace('"Effect"', '"Effect": "Deny", "Effect"'), "JSON"),
        ('{"Statement": NaN}', "JSON"),
        ("[" * 20000, "JSON"),
        ("[]", "object"),
        ('"*"', "object"),
        ("{}", "no statement"),
        (text(), "no statement"),
        ('{"Statement": "x"}', "object"),
        (text(ALLOW, Version="2012-10-18"), "Version"),
        (text(ALLOW, Version=["2012-10-17"]), "Version"),
        (text(ALLOW, Id=5), "Id"),
        (text(ALLOW, Extra=1), "Extra"),
        (changed(effect="Allow"), "unknown element effect"),
        (changed(Effect="allow"), "Effect"),
        (changed(Effect=["Allow"]), "Effect"),
        (changed(Effect=None), "Effect"),
        (changed(Sid="a\tb"), "Sid"),
        (changed(Sid=7), "Sid"),
        (changed(Principal=None), "no Principal"),
        (changed(NotPrincipal="*"), "both"),
        (changed(NotAction="kms:*"), "both"),
        (changed(NotResource="*"), "both"),
        (changed(Principal=f"arn:aws:iam::{ACCOUNT}:root"), "invalid principals"),
        (changed(Principal={}), "invalid principals"),
        (changed(Principal={"AWS": []}), "invalid principals"),
        (changed(Principal={"AWS": "12345"}), "invalid principals"),
        (changed(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:user/*"}), "invalid principals"),
        (changed(Principal={"AWS": f"arn:aws:iam::{ACCOUNT}:group/g"}), "invalid principals"),
        (changed(Principal={"AWS": "AIDAEXAMPLEEXAMPLE"}), "invalid principals"),
        (changed(Principal={"User": ACCOUNT}), "invalid principals"),
        (changed(Principal={"Service": "*"}), "invalid principals"),
        (changed(Action="Decrypt"), "actions"),
        (changed(Action="kms:De crypt"), "actions"),
        (changed(Action=["kms:Encrypt,kms:Decrypt"]), "actions"),
        (changed(Action=7), "string"),
        (changed(Resource="this key"), "resources"),
        (changed(Condition="x"), "Condition"),
        (changed(Condition={"StringIs": {"aws:x": "a"}}), "Invalid Condition type : StringIs"),
        (changed(Condition={"NullIfExists": {"aws:x": "true"}}), "Invalid Condition type"),
        (changed(Condition={"Bool": "true"}), "not an object"),
        (changed(Condition={"Bool": {"x": "true"}}), "condition key"),
        (changed(Condition={"Bool": {"aws:x": {}}}), "value"),
        (changed(Condition={"Bool": {"aws:x": [None]}}), "value"),
        (
            changed(Condition={"ForAllValues:StringEquals": {"kms:EncryptionContext:a": "1"}}),
            "^OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key",
        ),
        (
            changed(Condition={"ForAllValues:StringLike": {"AWS:requestTag/a": "1"}}),
            "^OverlyPermissiveCondition",
        ),
        (json.dumps({"Statement": ALLOW | {"Sid": "\u20ac"}}, ensure_ascii=False), "characters"),
        (changed(Sid="\u20ac"), "Sid"),
    ],
)
def test_refuses(policy, message):
    with pytest.raises(MalformedPolicyDocument, match=message):
        validate_key_policy(policy)


def test_limit_is_in_bytes():
    policy = changed()
    validate_key_policy(policy + " " * (32768 - len(policy)))
    with pytest.raises(LimitExceeded):
        validate_key_policy(policy + " " * (32769 - len(policy)))
    wide = changed(Sid="")
    padding = "é" * (32768 - len(wide))
    with pytest.raises(LimitExceeded):
        validate_key_policy(wide.replace('"Sid": ""', f'"Sid": "{padding}"'))


@pytest.mark.parametrize("policy", [changed(Resource=None), changed(Action=None), changed(Condition="x")])
def test_stored_statement_without_sense_has_no_effect(policy):
    decision = decide(root_request(), Policies(resource=compile_key_policy(policy)))
    assert decision.effect == "implicitDeny"
    denying = policy.replace("Allow", "Deny")
    decision = decide(root_request(), Policies(resource=compile_key_policy(denying)))
    assert decision.effect == "implicitDeny"


def test_unreadable_policy_cannot_be_compiled():
    with pytest.raises(MalformedPolicyDocument):
        compile_key_policy("{}")


def test_named_principals_are_those_that_must_exist():
    alice, keys = f"arn:aws:iam::{ACCOUNT}:user/Alice", f"arn:aws:iam::{ACCOUNT}:role/Keys"
    policy = text(
        ALLOW,
        ALLOW | {"Principal": {"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root", alice], "Service": "a.b"}},
        {"Effect": "Deny", "NotPrincipal": {"AWS": keys}, "Action": "kms:*", "Resource": "*"},
    )
    assert named_principals(policy) == {alice, keys}
