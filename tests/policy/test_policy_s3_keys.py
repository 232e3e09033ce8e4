"""The condition keys of S3: what evaluates gives values to no others, and the linter knows them all."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from keystead.policy.condition_issues import on_conditions
from keystead.policy.s3_keys import ABSENT, PARAMETERS, S3_KEYS, is_s3_key, s3_key
from keystead.services import s3
from keystead.wire.models.s3 import OPERATIONS


def named_in_code() -> set[str]:
    """The condition keys that the service itself names."""
    texts = [path.read_text() for path in Path(s3.__file__).parent.glob("*.py")]
    nodes = [node for text in texts for node in ast.walk(ast.parse(text))]
    strings = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    return {text for text in strings if text.startswith("s3:") and text.isascii() and len(text) > 3}


def test_what_gives_values_and_the_table_have_the_same_keys() -> None:
    given = named_in_code()
    told = {row.name.rstrip("/") for row in S3_KEYS.values() if not row.parameter}
    assert {text for text in given if not text.startswith("s3:Create")} == told


def test_parameters_are_attributes_of_requests() -> None:
    attributes = {m.attribute for shape in OPERATIONS.values() for m in shape.input.MEMBERS}
    assert set(PARAMETERS) <= attributes


def issues(key: str, operator: str = "StringEquals") -> list[str]:
    value = KEY if key.endswith("kms-key-id") else "1"
    return [code for code, *_ in on_conditions({"Condition": {operator: {key: value}}}, ())]


KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"


@pytest.mark.parametrize("name", [*S3_KEYS, *sorted(ABSENT)])
def test_the_linter_knows_every_key(name: str) -> None:
    key = f"{name}x" if name.endswith("/") else name
    row = s3_key(key)
    multi = row is not None and row.multi
    assert issues(key, "ForAnyValue:StringEquals" if multi else "StringEquals") == []


@pytest.mark.parametrize(
    "name", ["s3:prefixes", "s3:x-amz-server-side-encryption-key", "s3:existingobjecttag", "s3:a/b"]
)
def test_others_are_no_keys_of_s3(name: str) -> None:
    assert issues(name) == ["INVALID_SERVICE_CONDITION_KEY"]
    assert not is_s3_key(name)


def test_types_and_numbers_of_values_are_looked_at() -> None:
    assert issues("s3:max-keys", "NumericLessThan") == []
    assert issues("s3:max-keys", "Bool") == ["TYPE_MISMATCH", "TYPE_MISMATCH_BOOLEAN"]
    assert issues("s3:RequestObjectTagKeys") == ["MISSING_QUALIFIER"]
