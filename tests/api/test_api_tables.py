"""One obvious place for each thing: what is forgotten in one table fails here."""

import re
from pathlib import Path

import botocore.loaders
import pytest

import keystead.services.kms
from keystead.keys.state import OPERATION_STATES
from keystead.policy.actions import ACTIONS
from keystead.policy.condition_keys import CONDITION_KEYS
from keystead.services.kms.due import HANDLERS
from keystead.services.kms.service import KMS

WITHOUT_KEY = {
    "ConnectCustomKeyStore",
    "CreateCustomKeyStore",
    "CreateKey",
    "DeleteCustomKeyStore",
    "DescribeCustomKeyStores",
    "DisconnectCustomKeyStore",
    "GenerateRandom",
    "ListAliases",
    "ListKeys",
    "ListRetirableGrants",
    "UpdateCustomKeyStore",
}


def test_every_operation_of_the_installed_model_is_offered():
    model = botocore.loaders.Loader().load_service_model("kms", "service-2")
    assert set(KMS.operations) == set(model["operations"])


def test_every_operation_on_a_key_has_a_row_of_states():
    halves = {"ReEncryptFrom", "ReEncryptTo"}
    assert set(OPERATION_STATES) == (set(KMS.operations) - WITHOUT_KEY - {"ReEncrypt"}) | halves


def test_every_permission_in_the_chapters_is_in_the_action_catalogue():
    folder = Path(keystead.services.kms.__file__).parent
    text = "\n".join(path.read_text() for path in folder.glob("*.py"))
    used = set(re.findall(r'"kms:([A-Z]\w+)"(?!\s*:)', text)) | set(
        re.findall(r'on_(?:key|account)\(\s*"(\w+)"', text)
    )
    known = {name.removeprefix("kms:") for name in ACTIONS}
    facts = {row.name.removeprefix("kms:") for row in CONDITION_KEYS.values()}
    assert used - facts <= known


def test_operations_that_change_are_those_whose_answers_are_not_read_only():
    from keystead.audit.redact import redaction

    for name, operation in KMS.operations.items():
        assert operation.changes is not redaction("kms", name).read_only, name


def test_every_fact_that_a_chapter_gives_is_a_condition_key():
    folder = Path(keystead.services.kms.__file__).parent
    text = "\n".join(path.read_text() for path in folder.glob("*.py"))
    given = set(re.findall(r'"((?:kms|aws):\w+)"\s*(?::|\])', text))
    assert given
    assert {name.lower() for name in given} <= set(CONDITION_KEYS)


def test_a_due_kind_has_one_handler():
    assert len(HANDLERS) == len(set(HANDLERS.values()))


@pytest.mark.parametrize("name", sorted(KMS.operations))
def test_an_operation_says_what_it_does(name):
    assert KMS.operations[name].perform.__doc__
