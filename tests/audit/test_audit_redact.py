"""What events show: for every operation something was decided, and never a secret."""

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.redact import compile_rule, event_date, redaction
from keystead.audit.rules import HIDDEN, KMS, Rule, rule_of
from keystead.wire.models import kms, sts

SECRETS = {
    "ciphertextBlob",
    "ciphertextForRecipient",
    "digest",
    "encryptedKeyMaterial",
    "grantToken",
    "grantTokens",
    "importToken",
    "keyStorePassword",
    "mac",
    "message",
    "plaintext",
    "privateKeyCiphertextBlob",
    "privateKeyPlaintext",
    "rawSecretAccessKey",
    "recipient",
    "sharedSecret",
    "sharedSecretCiphertextBlob",
    "signature",
}
ARN = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OPERATIONS = sorted(kms.OPERATIONS)


def sensitive_labels():
    return {name[0].lower() + name[1:] for _, name in kms.SENSITIVE}


def test_every_operation_has_a_rule_and_every_rule_an_operation():
    assert set(KMS) == set(kms.OPERATIONS)
    with pytest.raises(KeyError):
        rule_of("kms", "Nothing")
    with pytest.raises(KeyError):
        rule_of("nobody", "GetNothing")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_rule_fits_the_operations_shapes(operation):
    shape = kms.OPERATIONS[operation]
    compile_rule(KMS[operation], shape.input, shape.output)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_no_rule_names_a_secret(operation):
    rule = KMS[operation]
    last = {path.rpartition(".")[2] for path in (*rule.request, *rule.response, *rule.echoed, *rule.defaults)}
    assert not last & SECRETS
    shape = kms.OPERATIONS[operation]
    for struct, paths in ((shape.input, rule.request), (shape.output, rule.response)):
        sensitive = {
            name[0].lower() + name[1:]
            for owner, name in kms.SENSITIVE
            if struct is not None and owner == struct.__name__
        }
        assert not {path.partition(".")[0] for path in paths} & sensitive


def test_only_changes_are_not_read_only():
    uses = ("Describe", "Get", "List", "Encrypt", "Decrypt", "ReEncrypt", "Generate", "Sign", "Verify")
    uses += ("DeriveSharedSecret", "Encapsulate", "Decapsulate")
    for name, rule in KMS.items():
        assert rule.read_only == name.startswith(uses), name


def filled(rule, mark):
    """A value of this type; its strings and blobs are `mark`."""
    simple = {"string": mark, "blob": mark.encode(), "boolean": True, "timestamp": 1.5}
    if rule.kind == "structure":
        return filled_shape(rule.shape, mark)
    if rule.kind == "list":
        return [filled(rule.item, mark)]
    if rule.kind == "map":
        return {"k": filled(rule.item, mark)}
    return simple.get(rule.kind, 7)


def filled_shape(shape, mark=""):
    return shape(
        **{
            member.attribute: filled(member.rule, f"{mark}<{shape.__name__}.{member.name}>")
            for member in shape.MEMBERS
        }
    )


def leaves(shown, path=""):
    if isinstance(shown, dict):
        for name, value in shown.items():
            yield from leaves(value, f"{path}.{name}" if path else name)
    elif isinstance(shown, list) and shown and isinstance(shown[0], dict):
        for value in shown:
            yield from leaves(value, path)
    else:
        yield path, shown


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_full_request_shows_what_the_rule_names_and_nothing_else(operation):
    shape, rule = kms.OPERATIONS[operation], KMS[operation]
    request = filled_shape(shape.input)
    response = None if shape.output is None else filled_shape(shape.output)
    show = redaction("kms", operation)
    maps = {"encryptionContext", "sourceEncryptionContext", "destinationEncryptionContext"}
    maps |= {"constraints.encryptionContextSubset", "constraints.encryptionContextEquals"}

    def named(shown):
        return {path.removesuffix(".k") if path.removesuffix(".k") in maps else path for path, _ in shown}

    found = list(leaves(show.request_parameters(request) or {}))
    assert named(found) == {*rule.request, *rule.hidden}
    assert {path for path, value in found if value == HIDDEN} == set(rule.hidden)
    answered = list(leaves(show.response_elements(request, response, ARN) or {}))
    expected = {*rule.response, *rule.echoed} | ({"keyId"} if rule.key_arn else set())
    assert named(answered) == expected
    text = msgspec.json.encode([found, answered]).decode()
    for name in sensitive_labels() - {"publicKey", "accessKeyId"}:
        assert f".{name[0].upper()}{name[1:]}>" not in text


def test_a_rule_cannot_show_a_sensitive_member_or_a_whole_structure():
    shape = kms.OPERATIONS["Encrypt"].input
    with pytest.raises(ValueError, match="Plaintext cannot be shown"):
        compile_rule(Rule(read_only=True, request=("plaintext",)), shape, None)
    with pytest.raises(KeyError):
        compile_rule(Rule(read_only=True, request=("nothing",)), shape, None)
    with pytest.raises(KeyError):
        compile_rule(
            Rule(read_only=True, request=("constraints",)), kms.OPERATIONS["CreateGrant"].input, None
        )
    with pytest.raises(ValueError, match="no answer"):
        compile_rule(Rule(read_only=True, response=("x",)), shape, None)


def test_the_algorithm_is_told_even_if_it_was_not_sent():
    show = redaction("kms", "Decrypt").request_parameters
    assert show(kms.DecryptRequest(ciphertext_blob=b"x")) == {"encryptionAlgorithm": "SYMMETRIC_DEFAULT"}
    sent = kms.DecryptRequest(ciphertext_blob=b"x", key_id="k", encryption_algorithm="RSAES_OAEP_SHA_256")
    assert show(sent) == {"encryptionAlgorithm": "RSAES_OAEP_SHA_256", "keyId": "k"}


def test_changes_name_the_key_by_arn():
    show = redaction("kms", "EnableKey")
    assert show.response_elements(kms.EnableKeyRequest(key_id="k"), None, ARN) == {"keyId": ARN}


def test_a_grants_token_is_not_shown():
    show = redaction("kms", "CreateGrant")
    answer = kms.CreateGrantResponse(grant_id="id", grant_token="secret")
    assert show.response_elements(kms.CreateGrantRequest(), answer, ARN) == {"grantId": "id", "keyId": ARN}


def test_a_key_stores_secrets_are_hidden_where_they_were_sent():
    show = redaction("kms", "CreateCustomKeyStore").request_parameters
    credential = kms.XksProxyAuthenticationCredentialType(access_key_id="A", raw_secret_access_key="B")
    request = kms.CreateCustomKeyStoreRequest(
        custom_key_store_name="n", key_store_password="p", xks_proxy_authentication_credential=credential
    )
    assert show(request) == {
        "customKeyStoreName": "n",
        "keyStorePassword": HIDDEN,
        "xksProxyAuthenticationCredential": {"accessKeyId": HIDDEN, "rawSecretAccessKey": HIDDEN},
    }
    assert show(kms.CreateCustomKeyStoreRequest(custom_key_store_name="n")) == {"customKeyStoreName": "n"}


def test_nothing_shown_is_null():
    assert redaction("kms", "ListKeys").request_parameters(kms.ListKeysRequest()) is None
    assert redaction("sts", "GetCallerIdentity").request_parameters(sts.GetCallerIdentityRequest()) is None


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1660171107, "Aug 10, 2022, 10:38:27 PM"),
        (0, "Jan 1, 1970, 12:00:00 AM"),
        (12 * 3600 + 60, "Jan 1, 1970, 12:01:00 PM"),
    ],
)
def test_dates_are_written_as_aws_writes_them(seconds, text):
    assert event_date(seconds) == text


@given(
    context=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=4),
    key_id=st.none() | st.text(max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_an_encryption_context_is_shown_as_it_is(context, key_id):
    request = kms.EncryptRequest(key_id=key_id, plaintext=b"secret", encryption_context=context)
    shown = redaction("kms", "Encrypt").request_parameters(request)
    assert shown["encryptionContext"] == context
    assert shown.get("keyId") == key_id
    assert b"secret" not in msgspec.json.encode(shown["encryptionAlgorithm"])


@pytest.mark.parametrize("seconds", [9.3e18, -9.3e18, 1e300, -1.0e12])
def test_a_time_beyond_the_calendar_stays_a_number(seconds):
    assert float(event_date(seconds)) == pytest.approx(seconds, rel=1e-5)
