"""Constraint violations in AWS's words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import Validation
from keystead.wire.model import Member, Rule, Shape
from keystead.wire.models import kms
from keystead.wire.validate import MOST_TOLD, validate

KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


def said(value: Shape) -> str:
    with pytest.raises(Validation) as caught:
        validate(value)
    assert caught.value.message is not None
    return caught.value.message


def test_a_request_in_order_passes() -> None:
    validate(
        kms.EncryptRequest(
            key_id=KEY,
            plaintext=b"x" * 4096,
            encryption_context={"a": ""},
            grant_tokens=["t"] * 10,
            encryption_algorithm="SYMMETRIC_DEFAULT",
        )
    )
    validate(kms.CreateKeyRequest(tags=[kms.Tag(tag_key="k", tag_value="")], description=""))
    validate(kms.ListKeysRequest())


def test_a_missing_member() -> None:
    assert said(kms.DescribeKeyRequest()) == (
        "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null"
    )


def test_all_violations_come_at_once() -> None:
    assert said(kms.CreateAliasRequest(alias_name="", target_key_id=None)) == (
        "3 validation errors detected: "
        "Value '' at 'aliasName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$; "
        "Value '' at 'aliasName' failed to satisfy constraint: Member must have length greater than or equal to 1; "
        "Value null at 'targetKeyId' failed to satisfy constraint: Member must not be null"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            kms.GenerateDataKeyRequest(key_id=KEY, key_spec="AES_512"),
            "Value 'AES_512' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: [AES_256, AES_128]",
        ),
        (
            kms.GenerateRandomRequest(number_of_bytes=0),
            "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ),
        (
            kms.GenerateRandomRequest(number_of_bytes=1025),
            "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024",
        ),
        (
            kms.EncryptRequest(key_id=KEY, plaintext=b"x" * 4097),
            "Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096",
        ),
        (
            kms.TagResourceRequest(key_id=KEY, tags=[kms.Tag(tag_key="k", tag_value="v" * 257)]),
            (
                f"Value '{'v' * 257}' at 'tags.1.member.tagValue' failed to satisfy constraint: "
                "Member must have length less than or equal to 256"
            ),
        ),
        (
            kms.DecryptRequest(
                ciphertext_blob=b"x", recipient=kms.RecipientInfo(key_encryption_algorithm="RSA")
            ),
            (
                "Value 'RSA' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: "
                "Member must satisfy enum value set: [RSAES_OAEP_SHA_256]"
            ),
        ),
        (
            kms.DecryptRequest(ciphertext_blob=b"x", dry_run_modifiers=["IGNORE_CIPHERTEXT", "X"]),
            (
                "Value '[IGNORE_CIPHERTEXT, X]' at 'dryRunModifiers' failed to satisfy constraint: "
                "Member must satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]"
            ),
        ),
        (
            kms.DescribeKeyRequest(key_id=KEY, grant_tokens=["t"] * 11),
            (
                "Value '[t, t, t, t, t, t, t, t, t, t, t]' at 'grantTokens' failed to satisfy constraint: "
                "Member must have length less than or equal to 10"
            ),
        ),
        (
            kms.DescribeKeyRequest(key_id=KEY, grant_tokens=["t", ""]),
            (
                "Value '[t, ]' at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: "
                "[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]"
            ),
        ),
        (
            kms.ScheduleKeyDeletionRequest(key_id=KEY, pending_window_in_days=6),
            (
                "Value '6' at 'pendingWindowInDays' failed to satisfy constraint: "
                "Member must have value greater than or equal to 7"
            ),
        ),
        (
            kms.UpdateCustomKeyStoreRequest(custom_key_store_id="c", key_store_password="short"),
            "Value at 'keyStorePassword' failed to satisfy constraint: Member must have length greater than or equal to 7",
        ),
    ],
)
def test_wording(value: Shape, expected: str) -> None:
    assert said(value) == f"1 validation error detected: {expected}"


def test_patterns_must_match_the_whole_and_know_ascii_only() -> None:
    for name in ("alias/a\n", "alias/é", "alias/a b"):
        assert "regular expression pattern" in said(
            kms.CreateAliasRequest(alias_name=name, target_key_id=KEY)
        )
    assert "pattern" in said(kms.GetKeyPolicyRequest(key_id=KEY, policy_name="défaut"))


def test_what_the_service_words_itself_passes() -> None:
    validate(kms.CreateAliasRequest(alias_name="no-prefix", target_key_id="not a key id"))
    validate(kms.GenerateRandomRequest())
    validate(kms.TagResourceRequest(key_id=KEY, tags=[kms.Tag(tag_key="aws:x", tag_value="*")]))


def test_a_long_answer_is_cut() -> None:
    tags = [kms.Tag()] * 10_000
    assert said(kms.CreateKeyRequest(tags=tags)).startswith(f"{MOST_TOLD} validation errors detected: ")


_WORD = Rule("string", maximum=3)
_SECRET = Rule("string", maximum=3, sensitive=True)


class Inner(Shape, frozen=True, kw_only=True):
    MEMBERS = (Member("word", "Word", "word", _WORD, required=True),)
    word: str | None = None


_INNER = Rule("structure", shape=Inner)


class Outer(Shape, frozen=True, kw_only=True):
    MEMBERS = (
        Member("words", "Words", "words", Rule("map", key=_WORD, item=_WORD)),
        Member("secrets", "Secrets", "secrets", Rule("list", item=_SECRET)),
        Member("places", "Places", "places", Rule("map", key=_WORD, item=_INNER)),
        Member("rows", "Rows", "rows", Rule("list", item=Rule("list", item=_INNER))),
    )
    words: dict[str, str] | None = None
    secrets: list[str] | None = None
    places: dict[str, Inner] | None = None
    rows: list[list[Inner]] | None = None


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (
            Outer(words={"a": "long"}),
            (
                "Value '{a=long}' at 'words' failed to satisfy constraint: "
                "Map value must satisfy constraint: [Member must have length less than or equal to 3]"
            ),
        ),
        (
            Outer(words={"long": "a"}),
            (
                "Value '{long=a}' at 'words' failed to satisfy constraint: "
                "Map keys must satisfy constraint: [Member must have length less than or equal to 3]"
            ),
        ),
        (
            Outer(secrets=["s3cret"]),
            (
                "Value at 'secrets' failed to satisfy constraint: "
                "Member must satisfy constraint: [Member must have length less than or equal to 3]"
            ),
        ),
        (
            Outer(places={"a": Inner()}),
            "Value null at 'places.a.member.word' failed to satisfy constraint: Member must not be null",
        ),
        (
            Outer(rows=[[], [Inner(word="long")]]),
            (
                "Value 'long' at 'rows.2.member.1.member.word' failed to satisfy constraint: "
                "Member must have length less than or equal to 3"
            ),
        ),
    ],
)
def test_nesting(value: Outer, expected: str) -> None:
    assert said(value) == f"1 validation error detected: {expected}"


@given(st.text(max_size=4), st.lists(st.text(max_size=4), max_size=3), st.none() | st.text(max_size=4))
def test_the_quick_test_and_the_report_agree(word: str, secrets: list[str], inner: str | None) -> None:
    value = Outer(words={word: word}, secrets=secrets, rows=[[Inner(word=inner)]])
    wrong = 2 * (len(word) > 3) + any(len(text) > 3 for text in secrets) + (inner is None or len(inner) > 3)
    if wrong:
        assert said(value).startswith(f"{wrong} validation error")
    else:
        validate(value)
