"""The tables: actions against AWS's model, condition keys against actions, operators against each other."""

import botocore.session
import pytest

from keystead.policy.actions import (
    ACTIONS,
    CONTEXT_OPERATIONS,
    GRANT_OPERATIONS,
    KEY_CHECK_KEYS,
    find,
    is_kms,
)
from keystead.policy.condition import OPERATORS, split
from keystead.policy.condition_keys import CONDITION_KEYS, FAMILIES, actions_of

MODEL = botocore.session.get_session().get_service_model("kms")


def test_every_operation_of_the_model_has_its_permission():
    permissions = {name.removeprefix("kms:") for name in ACTIONS}
    split_up = {"ReEncrypt"}  # authorized as ReEncryptFrom and ReEncryptTo
    assert set(MODEL.operation_names) - permissions == split_up
    without_api = {"ReEncryptFrom", "ReEncryptTo", "SynchronizeMultiRegionKey"}
    assert permissions - set(MODEL.operation_names) == without_api


def test_grant_operations_are_those_of_the_model():
    assert set(MODEL.shape_for("GrantOperation").enum) == GRANT_OPERATIONS
    assert CONTEXT_OPERATIONS < GRANT_OPERATIONS


def test_only_these_work_across_accounts():
    management = {
        "CreateGrant", "DescribeKey", "GetKeyRotationStatus", "GetPublicKey", "ListGrants", "RetireGrant",
        "RevokeGrant",
    }  # fmt: skip
    cryptographic = {
        "Decapsulate", "Decrypt", "DeriveSharedSecret", "Encapsulate", "Encrypt", "GenerateDataKey",
        "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateDataKeyWithoutPlaintext",
        "GenerateMac", "GenerateRandom", "ReEncryptFrom", "ReEncryptTo", "Sign", "Verify", "VerifyMac",
    }  # fmt: skip
    across = {action.name.removeprefix("kms:") for action in ACTIONS.values() if action.cross_account}
    assert across == management | cryptographic


def test_every_key_of_an_action_is_a_condition_key():
    families = {family.prefix + "*" for family in FAMILIES}
    names = {row.name for row in CONDITION_KEYS.values()}
    used = {key for action in ACTIONS.values() for key in action.keys} | set(KEY_CHECK_KEYS)
    assert used <= families | names


def test_every_condition_key_is_of_use_somewhere():
    synonyms = {"kms:customermasterkeyspec", "kms:customermasterkeyusage"}
    idle = {name for name, row in CONDITION_KEYS.items() if not actions_of(row)}
    assert idle <= synonyms
    assert actions_of(CONDITION_KEYS["kms:signingalgorithm"]) == {"kms:Sign", "kms:Verify"}


def test_actions_are_found_in_any_case():
    assert find("KMS:decrypt") is ACTIONS["kms:Decrypt"]
    assert find("kms:Melt") is None
    assert is_kms("KMS:melt")
    assert not is_kms("s3:GetObject")


@pytest.mark.parametrize("name", [*OPERATORS])
def test_operators_take_prefix_and_suffix(name):
    assert split(name) == ("", name, False)
    assert split(f"{name}IfExists") == ("", name, True)
    assert split(f"ForAnyValue:{name}") == ("ForAnyValue", name, False)
    assert split(f"ForAllValues:{name}IfExists") == ("ForAllValues", name, True)
    assert split(f"ForSomeValues:{name}") is None
    assert split(f":{name}") is None
    assert OPERATORS[name].negated == ("Not" in name)
