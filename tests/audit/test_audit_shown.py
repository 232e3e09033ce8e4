"""What events of IAM, STS and Organizations show: all that was asked, and never a secret."""

import re

import msgspec
import pytest
from botocore.loaders import Loader

from keystead.audit.members import HIDDEN_BY_CHOICE, MEMBERS
from keystead.audit.redact import everything_of, redaction
from keystead.audit.rules import HIDDEN, SECRET, rule_of
from keystead.wire.models import accessanalyzer, cloudtrail, iam, organizations, s3, sts

MODELS = {
    "access-analyzer": accessanalyzer,
    "cloudtrail": cloudtrail,
    "iam": iam,
    "sts": sts,
    "organizations": organizations,
    "s3": s3,
}
RAW = {
    service: Loader().load_service_model(service.replace("-", ""), "service-2")["shapes"]
    for service in MODELS
}
OPERATIONS = [(service, name) for service, model in MODELS.items() for name in sorted(model.OPERATIONS)]

LABELS = {"Bucket": "bucketName"}
NO_SECRETS = {"SSEKMSKeyId"}
"""What a model calls sensitive and AWS's own events show: the ARN of a key (see tools/wire.toml)."""
SUSPICIOUS = re.compile(
    r"secret|passw|token|private|seed|png|assertion|credential|certificate|code|signature|keybody",
    re.IGNORECASE,
)
HARMLESS = {
    # S3: where listings go on, and what became of one of many objects
    "continuation-token",
    "Code",
    # Access Analyzer: what makes a repeated request one, and the policy of a resource that happens to be a secret
    "clientToken",
    "secretPolicy",
    # names, identifiers, settings, times and public halves
    "AllowUsersToChangePassword",
    "AssertionEncryptionMode",
    "CertificateBody",
    "CertificateChain",
    "CertificateId",
    "ConnectProviderArn",
    "CredentialAgeDays",
    "EncodedMessage",
    "ErrorCode",
    "GlobalEndpointTokenVersion",
    "MaxPasswordAge",
    "MinimumPasswordLength",
    "MinimumSessionTokenSize",
    "NextToken",
    "nextToken",
    "PasswordLastUsed",
    "PasswordResetRequired",
    "PasswordReusePrevention",
    "RemovePrivateKey",
    "SSHPublicKeyBody",
    "ServerCertificateId",
    "ServerCertificateName",
    "NewServerCertificateName",
    "ServiceCredentialAlias",
    "ServiceSpecificCredentialId",
    "SessionTokenSize",
    "SessionTokenUtilization",
    "SubjectFromWebIdentityToken",
}


def mark(shape, member):
    return f"<{shape.__name__}.{member.name}>"


def filled(shape):
    return shape(**{member.attribute: value(member.rule, mark(shape, member)) for member in shape.MEMBERS})


def value(rule, text):
    """A value of this type; its strings and blobs are `text`."""
    if rule.kind == "structure":
        return filled(rule.shape)
    if rule.kind == "list":
        return [value(rule.item, text)]
    if rule.kind == "map":
        return {text: value(rule.item, text)}
    return {"string": text, "blob": text.encode(), "boolean": True, "timestamp": 1.5}.get(rule.kind, 7)


def is_sensitive(service, name):
    """By the model as botocore has it, not as it was generated."""
    if name in NO_SECRETS:
        return False
    shape = RAW[service][name]
    parts = [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return shape.get("sensitive", False) or any(is_sensitive(service, part) for part in parts)


def reference(service, shape, member):
    """The model's name for a member's shape: where the member is a header, it goes by that name here."""
    members = RAW[service][shape.__name__]["members"].items()
    return next(m["shape"] for name, m in members if m.get("locationName", name) == member.name)


def by_choice(service, member):
    """Whether no event shows the member, though the model does not call it sensitive."""
    name = member.name
    return name[0].lower() + name[1:] in HIDDEN_BY_CHOICE.get(service, ())


def marks(service, shape, *, secret):
    """The marks of strings at any depth of a shape that are secret, or those that are not."""
    for member in shape.MEMBERS:
        if by_choice(service, member):
            continue
        hidden = is_sensitive(service, reference(service, shape, member)) or member.name in SECRET
        inner = member.rule.item.shape if member.rule.item is not None else member.rule.shape
        if inner is not None and not hidden:
            yield from marks(service, inner, secret=secret)
        elif hidden == secret and (member.rule.item or member.rule).kind == "string":
            yield mark(shape, member)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_a_full_event_shows_everything_but_secrets(service, operation):
    shape, show = MODELS[service].OPERATIONS[operation], redaction(service, operation)
    request, answer = filled(shape.input), None if shape.output is None else filled(shape.output)
    asked = msgspec.json.encode(show.request_parameters(request)).decode()
    told = msgspec.json.encode(show.response_elements(request, answer, None)).decode()
    for text in marks(service, shape.input, secret=True):
        assert text not in asked + told
    for text in marks(service, shape.input, secret=False):
        assert text in asked
    if shape.output is not None:
        for text in marks(service, shape.output, secret=True):
            assert text not in asked + told
        for text in marks(service, shape.output, secret=False):
            assert (text in told) == bool(rule_of(service, operation).response)


@pytest.mark.parametrize(("service", "operation"), OPERATIONS)
def test_what_sounds_secret_is_hidden_or_known_to_be_harmless(service, operation):
    shape, rule = MODELS[service].OPERATIONS[operation], rule_of(service, operation)
    shown = list(marks(service, shape.input, secret=False))
    if rule.response and shape.output is not None:
        shown += marks(service, shape.output, secret=False)
    names = {text.strip("<>").rpartition(".")[2] for text in shown}
    assert {name for name in names if SUSPICIOUS.search(name)} <= HARMLESS


@pytest.mark.parametrize("service", ["iam", "organizations"])
def test_only_what_reads_is_read_only(service):
    reads = ("Get", "List", "Describe", "Simulate", "Generate")
    for name in MODELS[service].OPERATIONS:
        assert rule_of(service, name).read_only == name.startswith(reads), name
    assert all(rule_of("sts", name).read_only for name in sts.OPERATIONS)


def test_a_new_access_key_is_told_without_its_secret():
    answer = iam.CreateAccessKeyResponse(
        access_key=iam.AccessKey(
            user_name="alice", access_key_id="AKIA", status="Active", secret_access_key="s", create_date=0.0
        )
    )
    told = redaction("iam", "CreateAccessKey").response_elements(iam.CreateAccessKeyRequest(), answer, None)
    assert told == {
        "accessKey": {
            "userName": "alice",
            "accessKeyId": "AKIA",
            "status": "Active",
            "createDate": "Jan 1, 1970, 12:00:00 AM",
        }
    }


def test_an_assumed_role_is_told_without_its_token():
    answer = sts.AssumeRoleResponse(
        credentials=sts.Credentials(
            access_key_id="ASIA", secret_access_key="s", session_token="t", expiration=0.0
        ),
        assumed_role_user=sts.AssumedRoleUser(assumed_role_id="AROA:s", arn="arn"),
    )
    show = redaction("sts", "AssumeRole")
    assert show.response_elements(sts.AssumeRoleRequest(), answer, None) == {
        "credentials": {"accessKeyId": "ASIA", "expiration": "Jan 1, 1970, 12:00:00 AM"},
        "assumedRoleUser": {"assumedRoleId": "AROA:s", "arn": "arn"},
    }
    request = sts.AssumeRoleRequest(role_arn="r", external_id="e", token_code="123456")
    assert show.request_parameters(request) == {"roleArn": "r", "externalId": "e", "tokenCode": HIDDEN}


def test_a_members_first_letter_is_lower_case():
    role = iam.CreateServiceLinkedRoleRequest(aws_service_name="x.amazonaws.com")
    show = redaction("iam", "CreateServiceLinkedRole")
    assert show.request_parameters(role) == {"aWSServiceName": "x.amazonaws.com"}


def labels(service, shape):
    """The label of every member at any depth that the model does not mark as sensitive."""
    for member in shape.MEMBERS:
        if is_sensitive(service, reference(service, shape, member)) or member.name in SECRET:
            continue
        if not by_choice(service, member):
            yield LABELS.get(member.name) or member.name[0].lower() + member.name[1:]
        inner = member.rule.item.shape if member.rule.item is not None else member.rule.shape
        if inner is not None:
            yield from labels(service, inner)


@pytest.mark.parametrize("service", MODELS)
def test_each_member_was_decided_on_and_no_name_is_left_over(service):
    """What AWS adds to a model fails here until it is listed, or told to be secret."""
    there = set()
    for name, shape in MODELS[service].OPERATIONS.items():
        there.update(labels(service, shape.input))
        if shape.output is not None and rule_of(service, name).response:
            there.update(labels(service, shape.output))
    assert there == MEMBERS[service]


def test_a_member_that_is_not_listed_is_not_shown():
    shape = sts.OPERATIONS["AssumeRole"].input
    shown, secret = everything_of(shape, frozenset({"roleArn", "tags", "key"}))
    assert set(shown) == {"roleArn", "tags.key"}
    assert secret == ("tokenCode",)
    assert everything_of(shape, frozenset()) == ((), ("tokenCode",))
