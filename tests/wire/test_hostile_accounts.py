"""What belongs to another account is refused unless its owner allows it, and is never shown."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

OTHER = "111122223333"
HIDDEN = (
    "on this resource because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)


def refusal(call, **members):
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def policy(*statements):
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def allow(principal, action="kms:*", **more):
    return {"Effect": "Allow", "Principal": principal, "Action": action, "Resource": "*", **more}


def account(number):
    return {"AWS": f"arn:aws:iam::{number}:root"}


@pytest.fixture(scope="module")
def mine(server):
    return server.client("kms")


@pytest.fixture(scope="module")
def stranger(server):
    return server.client("kms", account=OTHER)


@pytest.fixture(scope="module")
def key(mine):
    return mine.create_key()["KeyMetadata"]["Arn"]


def test_another_accounts_key_is_not_used_nor_shown(stranger, key):
    for call, members in (
        (stranger.describe_key, {"KeyId": key}),
        (stranger.encrypt, {"KeyId": key, "Plaintext": b"a"}),
        (stranger.generate_data_key, {"KeyId": key, "KeySpec": "AES_256"}),
        (stranger.get_key_rotation_status, {"KeyId": key}),
        (stranger.get_key_policy, {"KeyId": key}),
        (stranger.list_grants, {"KeyId": key}),
        (stranger.list_resource_tags, {"KeyId": key}),
        (stranger.put_key_policy, {"KeyId": key, "Policy": policy(allow(account(OTHER)))}),
        (stranger.disable_key, {"KeyId": key}),
        (stranger.schedule_key_deletion, {"KeyId": key}),
        (stranger.create_alias, {"AliasName": "alias/theirs", "TargetKeyId": key}),
        (
            stranger.create_grant,
            {"KeyId": key, "GranteePrincipal": account(OTHER)["AWS"], "Operations": ["Encrypt"]},
        ),
    ):
        code, message = refusal(call, **members)
        assert code in {
            "AccessDeniedException",
            "NotFoundException",
            "InvalidArnException",
            "ValidationException",
        }, members
        assert "key-default-1" not in message


def test_a_key_that_is_not_there_looks_the_same_as_one_that_is_not_allowed(stranger, key):
    absent = key[:-12] + "0" * 12
    answers = {refusal(stranger.encrypt, KeyId=arn, Plaintext=b"a") for arn in (key, absent)}
    assert len(answers) == 1
    (code, message) = answers.pop()
    assert code == "AccessDeniedException"
    assert message == f"User: arn:aws:iam::{OTHER}:root is not authorized to perform: kms:Encrypt {HIDDEN}"


def test_ids_and_aliases_mean_the_callers_own(stranger, mine, key):
    mine.create_alias(AliasName="alias/mine", TargetKeyId=key)
    assert refusal(stranger.describe_key, KeyId="alias/mine")[0] == "NotFoundException"
    assert refusal(stranger.describe_key, KeyId=key.rpartition("/")[2])[0] == "NotFoundException"
    arn = key.partition(":key/")[0] + ":alias/mine"
    assert refusal(stranger.describe_key, KeyId=arn)[0] in {"AccessDeniedException", "NotFoundException"}


def test_lists_hold_the_callers_own_only(stranger, mine, key):
    assert key in [entry["KeyArn"] for entry in mine.list_keys()["Keys"]]
    assert stranger.list_keys()["Keys"] == []
    assert [alias for alias in stranger.list_aliases()["Aliases"] if "TargetKeyId" in alias] == []


def test_another_accounts_ciphertext_does_not_decrypt(stranger, mine, key):
    blob = mine.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    code, message = refusal(stranger.decrypt, CiphertextBlob=blob)
    assert code == "AccessDeniedException"
    assert "on the resource associated with this ciphertext because" in message


def test_who_the_policy_names_may_use_the_key(stranger, mine):
    shared = mine.create_key(
        Policy=policy(allow(account("000000000000")), allow(account(OTHER), ["kms:Encrypt", "kms:Decrypt"]))
    )["KeyMetadata"]["Arn"]
    blob = stranger.encrypt(KeyId=shared, Plaintext=b"shared")["CiphertextBlob"]
    assert mine.decrypt(CiphertextBlob=blob)["Plaintext"] == b"shared"
    assert stranger.decrypt(CiphertextBlob=blob)["Plaintext"] == b"shared"
    assert refusal(stranger.describe_key, KeyId=shared)[0] == "AccessDeniedException"
    mine.put_key_policy(KeyId=shared, Policy=policy(allow(account("000000000000"))))
    assert refusal(stranger.decrypt, CiphertextBlob=blob)[0] == "AccessDeniedException"


def test_what_aws_never_allows_across_accounts_is_refused_whatever_the_policy_says(stranger, mine):
    key = mine.create_key(Policy=policy(allow(account("000000000000")), allow(account(OTHER))))[
        "KeyMetadata"
    ]["Arn"]
    assert stranger.describe_key(KeyId=key)
    for call, members in (
        (stranger.schedule_key_deletion, {}),
        (stranger.disable_key, {}),
        (stranger.put_key_policy, {"Policy": policy(allow(account(OTHER)))}),
        (stranger.get_key_policy, {}),
        (stranger.list_resource_tags, {}),
    ):
        code, _ = refusal(call, KeyId=key, **members)
        assert code in {"AccessDeniedException", "NotFoundException", "InvalidArnException"}


def test_a_policy_that_denies_denies_the_owner_too(mine):
    key = mine.create_key()["KeyMetadata"]["Arn"]
    blob = mine.encrypt(KeyId=key, Plaintext=b"a")["CiphertextBlob"]
    deny = {"Effect": "Deny", "Principal": "*", "Action": ["kms:Encrypt", "kms:Decrypt"], "Resource": "*"}
    mine.put_key_policy(KeyId=key, Policy=policy(allow(account("000000000000")), deny))
    for call, members in (
        (mine.encrypt, {"KeyId": key, "Plaintext": b"a"}),
        (mine.decrypt, {"CiphertextBlob": blob}),
    ):
        code, message = refusal(call, **members)
        assert code == "AccessDeniedException"
        assert message.startswith("User: arn:aws:iam::000000000000:root is not authorized to perform: kms:")
        assert "with an explicit deny in a resource-based policy" in message
    mine.put_key_policy(KeyId=key, Policy=policy(allow(account("000000000000"))))
    assert mine.decrypt(CiphertextBlob=blob)["Plaintext"] == b"a"


def test_a_policy_that_allows_nobody_locks_everybody_out(mine):
    key = mine.create_key(
        Policy=policy(allow(account(OTHER), "kms:DescribeKey")), BypassPolicyLockoutSafetyCheck=True
    )["KeyMetadata"]["Arn"]
    code, message = refusal(mine.encrypt, KeyId=key, Plaintext=b"a")
    assert code == "AccessDeniedException"
    assert message.endswith("because no resource-based policy allows the kms:Encrypt action")


def test_a_policy_that_would_lock_its_author_out_is_refused(mine, key):
    lockout = policy(allow(account("000000000000"), "kms:Encrypt"))
    assert refusal(mine.put_key_policy, KeyId=key, Policy=lockout)[0] == "MalformedPolicyDocumentException"
    assert refusal(mine.create_key, Policy=lockout)[0] == "MalformedPolicyDocumentException"


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "null",
        "{}",
        '{"Statement": []}',
        "a" * 1000,
        '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow"}]}',
        '{"Version": "1999-01-01", "Statement": [{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}]}',
        '{"Version": "2012-10-17", "Statement": ' + "[" * 15000 + "]" * 15000 + "}",
    ],
)
def test_what_is_no_policy_is_refused_and_the_old_one_stays(mine, key, text):
    before = mine.get_key_policy(KeyId=key)["Policy"]
    assert refusal(mine.put_key_policy, KeyId=key, Policy=text)[0] == "MalformedPolicyDocumentException"
    assert mine.get_key_policy(KeyId=key)["Policy"] == before


def test_a_grant_opens_the_key_to_another_account_until_it_is_revoked(stranger, mine):
    key = mine.create_key()["KeyMetadata"]["Arn"]
    grant = mine.create_grant(KeyId=key, GranteePrincipal=account(OTHER)["AWS"], Operations=["Encrypt"])[
        "GrantId"
    ]
    assert stranger.encrypt(KeyId=key, Plaintext=b"a")
    assert refusal(stranger.describe_key, KeyId=key)[0] == "AccessDeniedException"
    mine.revoke_grant(KeyId=key, GrantId=grant)
    assert refusal(stranger.encrypt, KeyId=key, Plaintext=b"a")[0] == "AccessDeniedException"
