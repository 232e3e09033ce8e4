"""Grants, by boto3 against a running server."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from principals import put_principals

from keystead.testing import RunningServer, allow

THEIRS = "444455556666"
THEIR_ROOT = f"arn:aws:iam::{THEIRS}:root"
OTHERS = "777788889999"
ROLE = "arn:aws:iam::444455556666:role/path/app"
SERVICE = "logs.us-east-1.amazonaws.com"
SOURCE = "arn:aws:logs:us-east-1:444455556666:log-group:app"


@pytest.fixture
def theirs(server):
    return server.client("kms", account=THEIRS)


USERS = ("arn:aws:iam::444455556666:user/alice", "arn:aws:iam::444455556666:user/team/alice@example.com")


@pytest.fixture
def key(server, kms, new_key):
    put_principals(server.store, ROLE, *USERS)
    return new_key()


def root_of(key):
    return f"arn:aws:iam::{key['AWSAccountId']}:root"


def grant(kms, key, **members):
    given = {"KeyId": key["Arn"], "GranteePrincipal": THEIR_ROOT, "Operations": ["Encrypt", "Decrypt"]}
    given.update(members)
    return kms.create_grant(**{name: value for name, value in given.items() if value is not None})


def grants(kms, key, **members):
    return kms.list_grants(KeyId=key["KeyId"], **members)["Grants"]


# ---------------------------------------------------------------------------- CreateGrant


@pytest.mark.parametrize("form", ["KeyId", "Arn"])
def test_a_grant_is_listed_as_it_was_made(kms, key, form):
    made = kms.create_grant(
        KeyId=key[form],
        GranteePrincipal=ROLE,
        RetiringPrincipal=THEIR_ROOT,
        Operations=["Decrypt", "DescribeKey", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"Department": "IT"}},
        Name="app/one",
    )
    assert len(made["GrantId"]) == 64
    assert set(made["GrantId"]) <= set("0123456789abcdef")
    answer = kms.list_grants(KeyId=key[form])
    assert answer["Truncated"] is False
    assert "NextMarker" not in answer
    (entry,) = answer["Grants"]
    assert entry.pop("CreationDate") is not None
    assert entry == {
        "KeyId": key["Arn"],
        "GrantId": made["GrantId"],
        "Name": "app/one",
        "GranteePrincipal": ROLE,
        "RetiringPrincipal": THEIR_ROOT,
        "IssuingAccount": root_of(key),
        "Operations": ["Decrypt", "DescribeKey"],
        "Constraints": {"EncryptionContextSubset": {"Department": "IT"}},
    }


def test_a_plain_grant_has_no_members_to_spare(kms, key):
    grant(kms, key)
    (entry,) = grants(kms, key)
    assert entry["Name"] == ""
    assert set(entry) == {
        "KeyId",
        "GrantId",
        "Name",
        "CreationDate",
        "GranteePrincipal",
        "IssuingAccount",
        "Operations",
    }


def test_the_same_name_and_terms_give_the_same_grant_and_a_new_token(kms, key):
    context = {"EncryptionContextEquals": {"a": "1", "b": "2"}}
    first = grant(kms, key, Name="one", Constraints=context)
    turned = {"EncryptionContextEquals": {"b": "2", "a": "1"}}
    again = grant(kms, key, Name="one", Constraints=turned, Operations=["Decrypt", "Encrypt"])
    assert again["GrantId"] == first["GrantId"]
    assert again["GrantToken"] != first["GrantToken"]
    assert len(grants(kms, key)) == 1
    for other in (
        {"Name": "two"},
        {"GranteePrincipal": ROLE},
        {"Operations": ["Encrypt"]},
        {"Constraints": None},
    ):
        assert (
            grant(kms, key, **{"Name": "one", "Constraints": context} | other)["GrantId"] != first["GrantId"]
        )
    assert len(grants(kms, key)) == 5
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=first["GrantId"])
    assert grant(kms, key, Name="one", Constraints=context)["GrantId"] != first["GrantId"]


def test_equal_named_requests_at_once_make_one_grant(server, kms, key):
    with ThreadPoolExecutor(8) as pool:
        made = [pool.submit(grant, server.client("kms"), key, Name="one") for _ in range(8)]
    assert len({answer.result()["GrantId"] for answer in made}) == 1
    assert len(grants(kms, key)) == 1


def test_without_a_name_each_request_makes_a_grant(kms, key):
    assert grant(kms, key)["GrantId"] != grant(kms, key)["GrantId"]
    assert len(grants(kms, key)) == 2


@pytest.mark.parametrize(
    "principal",
    [
        THEIR_ROOT,
        *USERS,
        ROLE,
        "arn:aws:sts::444455556666:assumed-role/app/session-1",
        "arn:aws:sts::444455556666:federated-user/bob",
        "sns.amazonaws.com",
    ],
)
def test_principals_of_every_kind_can_be_named(kms, key, principal):
    grant(kms, key, GranteePrincipal=principal, RetiringPrincipal=principal)
    (entry,) = grants(kms, key, GranteePrincipal=principal)
    assert entry["GranteePrincipal"] == entry["RetiringPrincipal"] == principal


def test_a_bare_account_becomes_its_root(kms, key):
    grant(kms, key, GranteePrincipal=THEIRS, RetiringPrincipal=THEIRS)
    (entry,) = grants(kms, key, GranteePrincipal=THEIRS)
    assert entry["GranteePrincipal"] == entry["RetiringPrincipal"] == THEIR_ROOT


@pytest.mark.parametrize(
    "principal",
    [
        "alice",
        "arn:aws:iam::444455556666:group/admins",
        "arn:aws:iam::44445555666:root",
        "arn:aws:iam::444455556666:role/",
        "arn:aws:s3:::bucket",
        "arn:aws:sts::444455556666:assumed-role/app",
        "arn:aws-cn:iam::444455556666:root",
    ],
)
def test_other_principals_are_refused(kms, key, principal, refused):
    message = f"ARN does not refer to a valid principal: {principal}"
    with refused("InvalidArnException", message):
        grant(kms, key, GranteePrincipal=principal)
    with refused("InvalidArnException", message):
        grant(kms, key, RetiringPrincipal=principal)
    with refused("InvalidArnException", message):
        grants(kms, key, GranteePrincipal=principal)
    with refused("InvalidArnException", message):
        kms.list_retirable_grants(RetiringPrincipal=principal)


@pytest.mark.parametrize(
    "principal",
    [
        "arn:aws:iam::444455556666:user/nobody",
        "arn:aws:iam::444455556666:role/app",  # the role has a path
        "arn:aws:sts::444455556666:assumed-role/other/session",
    ],
)
def test_principals_that_do_not_exist_are_refused(kms, key, principal, refused):
    with refused("InvalidArnException", f"ARN does not refer to a valid principal: {principal}"):
        grant(kms, key, GranteePrincipal=principal)
    with refused("InvalidArnException", f"ARN does not refer to a valid principal: {principal}"):
        grant(kms, key, RetiringPrincipal=principal)
    assert grants(kms, key) == []


def test_members_that_exclude_or_need_each_other(kms, key, refused):
    service = {
        "GranteePrincipal": None,
        "GranteeServicePrincipal": SERVICE,
        "RetiringServicePrincipal": SERVICE,
        "Constraints": {"SourceArn": SOURCE},
    }
    for wrong in (
        {"GranteePrincipal": None},
        {"GranteeServicePrincipal": SERVICE},
        {"RetiringPrincipal": ROLE, "RetiringServicePrincipal": SERVICE},
        service | {"Constraints": None},
        service | {"Constraints": {"EncryptionContextEquals": {"a": "b"}}},
        service | {"RetiringServicePrincipal": None},
        {"Operations": []},
        {"Constraints": {"EncryptionContextEquals": {"a": "b"}, "EncryptionContextSubset": {"a": "b"}}},
        {"Constraints": {"EncryptionContextEquals": {}}},
        {"Constraints": {"EncryptionContextSubset": {}}},
        {"Constraints": {"EncryptionContextEquals": {}, "EncryptionContextSubset": {}}},
    ):
        with refused("ValidationException"):
            grant(kms, key, **wrong)
    assert grants(kms, key) == []
    grant(kms, key, **service)
    (entry,) = grants(kms, key)
    assert entry["GranteeServicePrincipal"] == entry["RetiringServicePrincipal"] == SERVICE
    assert entry["Constraints"] == {"SourceArn": SOURCE}
    assert "GranteePrincipal" not in entry
    grant(kms, key, **service | {"RetiringServicePrincipal": None, "RetiringPrincipal": ROLE})
    with refused("AccessDeniedException"):
        grants(kms, key, GranteeServicePrincipal=SERVICE)
    with refused("AccessDeniedException"):
        kms.list_retirable_grants(RetiringServicePrincipal=SERVICE)


@pytest.mark.parametrize(
    ("given", "other"),
    [
        ("EncryptionContextEquals", "EncryptionContextSubset"),
        ("EncryptionContextSubset", "EncryptionContextEquals"),
    ],
)
def test_an_empty_constraint_beside_another_is_none(kms, key, given, other):
    grant(kms, key, Constraints={given: {"a": "b"}, other: {}})
    (entry,) = grants(kms, key)
    assert entry["Constraints"] == {given: {"a": "b"}}


def test_operations_and_constraints_fit_the_key(kms, key, refused, new_key):
    signer = new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    agreeing = new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    mac = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    rsa = new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    administrative = ["CreateGrant", "RetireGrant", "DescribeKey"]
    cryptographic = ["Encrypt", "Decrypt", "ReEncryptFrom", "ReEncryptTo"]
    data_keys = [
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateDataKeyPair",
        "GenerateDataKeyPairWithoutPlaintext",
    ]
    fitting = (
        (key, cryptographic + data_keys),
        (rsa, [*cryptographic, "GetPublicKey"]),
        (signer, ["Sign", "Verify", "GetPublicKey"]),
        (agreeing, ["DeriveSharedSecret", "GetPublicKey"]),
        (mac, ["GenerateMac", "VerifyMac"]),
    )
    every = {name for _, names in fitting for name in names} | {"Encapsulate", "Decapsulate"}
    for one, names in fitting:
        grant(kms, one, Operations=names + administrative)
        for unfit in sorted(every - set(names)):
            with refused("ValidationException"):
                grant(kms, one, Operations=["DescribeKey", unfit])
    for one in (signer, agreeing, mac, rsa):
        with refused("ValidationException"):
            grant(kms, one, Operations=["DescribeKey"], Constraints={"EncryptionContextEquals": {"a": "b"}})
        grant(kms, one, Operations=["DescribeKey"], Constraints={"SourceArn": SOURCE})


def test_operations_are_named_exactly(kms, key, refused):
    with refused("ValidationException"):
        grant(kms, key, Operations=["DECRYPT"])
    with refused("ValidationException"):
        grant(kms, key, Operations=["ListGrants"])


def test_constraints_are_limited(kms, key, refused):
    pairs = {f"k{number}": "v" * 384 for number in range(8)}
    grant(kms, key, Constraints={"EncryptionContextSubset": pairs})
    for wrong in (pairs | {"k8": "v"}, {"k": "v" * 385}):
        with refused("ValidationException"):
            grant(kms, key, Constraints={"EncryptionContextEquals": wrong})


def test_grant_names_have_a_pattern(kms, key, refused):
    with refused(
        "ValidationException",
        "1 validation error detected: Value 'a b' at 'name' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ):
        grant(kms, key, Name="a b")


def test_a_grant_follows_the_keys_state(kms, key, refused, new_key):
    made = grant(kms, key)
    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled."):
        grant(kms, key)
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending deletion."):
        grant(kms, key)
    assert len(grants(kms, key)) == 1
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=made["GrantId"])
    assert grants(kms, key) == []
    imported = new_key(Origin="EXTERNAL")
    with refused("KMSInvalidStateException", f"{imported['Arn']} is pending import."):
        grant(kms, imported)


def test_grants_name_keys_by_id_or_arn_only(kms, key, refused):
    kms.create_alias(AliasName="alias/granted", TargetKeyId=key["KeyId"])
    with refused("NotFoundException", "Invalid keyId 'alias/granted'"):
        kms.create_grant(KeyId="alias/granted", GranteePrincipal=ROLE, Operations=["Encrypt"])
    with refused("NotFoundException", "Invalid keyId 'alias/granted'"):
        kms.list_grants(KeyId="alias/granted")
    missing = str(uuid.uuid4())
    with refused("NotFoundException", f"Key '{key['Arn'].replace(key['KeyId'], missing)}' does not exist"):
        kms.create_grant(KeyId=missing, GranteePrincipal=ROLE, Operations=["Encrypt"])


def test_dry_runs_change_nothing(kms, key, refused):
    message = "The request would have succeeded, but the DryRun option is set."
    with refused("DryRunOperationException", message):
        grant(kms, key, DryRun=True)
    assert grants(kms, key) == []
    made = grant(kms, key)
    with refused("DryRunOperationException", message):
        kms.revoke_grant(KeyId=key["KeyId"], GrantId=made["GrantId"], DryRun=True)
    with refused("DryRunOperationException", message):
        kms.retire_grant(GrantToken=made["GrantToken"], DryRun=True)
    assert len(grants(kms, key)) == 1


# ------------------------------------------------------------------------ what they permit


def test_a_grant_permits_another_account_at_once(kms, theirs, key, refused):
    with refused("AccessDeniedException"):
        theirs.encrypt(KeyId=key["Arn"], Plaintext=b"x")
    made = grant(kms, key)
    blob = theirs.encrypt(KeyId=key["Arn"], Plaintext=b"x", GrantTokens=[made["GrantToken"]])[
        "CiphertextBlob"
    ]
    assert theirs.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"x"
    with refused("AccessDeniedException"):
        theirs.describe_key(KeyId=key["Arn"])
    kms.revoke_grant(KeyId=key["KeyId"], GrantId=made["GrantId"])
    with refused("AccessDeniedException"):
        theirs.decrypt(CiphertextBlob=blob)


def test_the_id_alone_names_another_accounts_key_to_what_decrypts(kms, theirs, key, refused, new_key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    other = kms.encrypt(KeyId=new_key()["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    own = new_key(theirs)["KeyId"]
    with refused("AccessDeniedException"):
        theirs.decrypt(CiphertextBlob=blob, KeyId=key["KeyId"])
    grant(kms, key, Operations=["Decrypt", "Encrypt", "ReEncryptFrom", "ReEncryptTo"])
    answer = theirs.decrypt(CiphertextBlob=blob, KeyId=key["KeyId"])
    assert (answer["Plaintext"], answer["KeyId"]) == (b"x", key["Arn"])
    answer = theirs.re_encrypt(CiphertextBlob=blob, SourceKeyId=key["KeyId"], DestinationKeyId=own)
    assert answer["SourceKeyId"] == key["Arn"]
    with refused("DryRunOperationException"):
        theirs.decrypt(CiphertextBlob=blob, KeyId=key["KeyId"], DryRun=True)
    # Nothing but the ciphertext says whose key it is.
    ask = {"DryRun": True, "DryRunModifiers": ["IGNORE_CIPHERTEXT"]}
    for use in (
        lambda: theirs.encrypt(KeyId=key["KeyId"], Plaintext=b"x"),
        lambda: theirs.decrypt(CiphertextBlob=other, KeyId=key["KeyId"]),
        lambda: theirs.decrypt(CiphertextBlob=b"made up", KeyId=key["KeyId"]),
        lambda: theirs.decrypt(KeyId=key["KeyId"], **ask),
        lambda: theirs.re_encrypt(CiphertextBlob=blob, DestinationKeyId=key["KeyId"]),
    ):
        with refused(
            "NotFoundException", f"Key 'arn:aws:kms:us-east-1:{THEIRS}:key/{key['KeyId']}' does not exist"
        ):
            use()


def test_a_made_up_grant_token_is_refused(kms, key, refused):
    for token in ("nonsense", "bm9uc2Vuc2U="):
        with refused("InvalidGrantTokenException"):
            kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x", GrantTokens=[token])
        with refused("InvalidGrantTokenException"):
            grant(kms, key, GrantTokens=[token])
        with refused("InvalidGrantTokenException"):
            kms.retire_grant(GrantToken=token)


def test_constraints_bind_the_encryption_context(kms, theirs, key, refused):
    grant(kms, key, Operations=["Encrypt"], Constraints={"EncryptionContextEquals": {"a": "1", "b": "2"}})
    grant(kms, key, Operations=["Decrypt"], Constraints={"EncryptionContextSubset": {"a": "1"}})
    whole = {"b": "2", "a": "1"}
    blob = theirs.encrypt(KeyId=key["Arn"], Plaintext=b"x", EncryptionContext=whole)["CiphertextBlob"]
    assert theirs.decrypt(CiphertextBlob=blob, EncryptionContext=whole)["Plaintext"] == b"x"
    for context in ({}, {"a": "1"}, {"a": "1", "b": "3"}, {"a": "1", "b": "2", "c": "3"}):
        with refused("AccessDeniedException"):
            theirs.encrypt(KeyId=key["Arn"], Plaintext=b"x", EncryptionContext=context)
    for context in ({}, {"b": "2"}, {"a": "2"}):
        with refused("AccessDeniedException"):
            theirs.decrypt(CiphertextBlob=blob, EncryptionContext=context)


def test_a_child_grant_exceeds_its_parent_in_nothing(kms, theirs, key, refused):
    grant(
        kms,
        key,
        Operations=["CreateGrant", "Decrypt"],
        Constraints={"EncryptionContextSubset": {"a": "1"}},
    )
    for wrong in (
        {"Operations": ["Decrypt"]},
        {"Operations": ["Encrypt"], "Constraints": {"EncryptionContextSubset": {"a": "1"}}},
        {"Operations": ["Decrypt"], "Constraints": {"EncryptionContextSubset": {"b": "1"}}},
    ):
        with refused("AccessDeniedException"):
            grant(theirs, key, GranteePrincipal=OTHERS, **wrong)
    for right in (
        {"EncryptionContextSubset": {"a": "1"}},
        {"EncryptionContextSubset": {"a": "1", "b": "2"}},
        {"EncryptionContextEquals": {"a": "1"}},
    ):
        grant(theirs, key, GranteePrincipal=OTHERS, Operations=["Decrypt"], Constraints=right)
    children = grants(kms, key, GranteePrincipal=OTHERS)
    assert [child["IssuingAccount"] for child in children] == [THEIR_ROOT] * 3


@pytest.mark.parametrize(
    "case",
    [
        (
            {"ForAnyValue:StringEquals": {"kms:GrantOperations": "Decrypt"}},
            {"Operations": ["Encrypt", "Decrypt"]},
            {"Operations": ["Encrypt"]},
        ),
        ({"StringNotEquals": {"kms:GranteePrincipal": ROLE}}, {}, {"GranteePrincipal": ROLE}),
        ({"Null": {"kms:RetiringPrincipal": "true"}}, {}, {"RetiringPrincipal": ROLE}),
        (
            {"StringNotEquals": {"kms:GrantConstraintType": "EncryptionContextEquals"}},
            {"Constraints": {"EncryptionContextSubset": {"a": "b"}}},
            {"Constraints": {"EncryptionContextEquals": {"a": "b"}}},
        ),
        (
            {"StringNotEquals": {"kms:EncryptionContext:a": "b"}},
            {"Constraints": {"EncryptionContextEquals": {"a": "c"}}},
            {"Constraints": {"EncryptionContextEquals": {"a": "b"}}},
        ),
        (
            {"ForAnyValue:StringEquals": {"kms:EncryptionContextKeys": "a"}},
            {"Constraints": {"EncryptionContextSubset": {"a": "b"}}},
            {"Constraints": {"EncryptionContextSubset": {"b": "a"}}},
        ),
        ({"Null": {"kms:GrantConstraintSourceArn": "true"}}, {}, {"Constraints": {"SourceArn": SOURCE}}),
        ({"Bool": {"kms:GrantIsForAWSResource": "false"}}, {}, None),
    ],
)
def test_a_policy_can_rule_over_grants(kms, key, case, refused):
    condition, wrong, right = case
    document = json.loads(kms.get_key_policy(KeyId=key["KeyId"])["Policy"])
    deny = {"Effect": "Deny", "Principal": "*", "Action": "kms:CreateGrant", "Resource": "*"}
    document["Statement"].append(deny | {"Condition": condition})
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(document))
    with refused("AccessDeniedException"):
        grant(kms, key, **wrong)
    if right is not None:
        grant(kms, key, **right)


# ---------------------------------------------------------------------------------- lists


def pages(list_page, **members):
    found, page = [], list_page(**members)
    while page["Truncated"]:
        assert len(page["Grants"]) == members["Limit"]
        found += page["Grants"]
        page = list_page(Marker=page["NextMarker"], **members)
    assert "NextMarker" not in page
    return [entry["GrantId"] for entry in found + page["Grants"]]


def test_lists_come_in_pages(kms, key, refused, new_key):
    made = [grant(kms, key, RetiringPrincipal=root_of(key))["GrantId"] for _ in range(7)]
    made += [
        grant(kms, key, GranteePrincipal=ROLE, RetiringPrincipal=root_of(key))["GrantId"] for _ in range(4)
    ]
    assert pages(kms.list_grants, KeyId=key["KeyId"], Limit=4) == sorted(made)
    assert pages(kms.list_grants, KeyId=key["KeyId"], Limit=3, GranteePrincipal=ROLE) == sorted(made[7:])
    assert pages(kms.list_retirable_grants, RetiringPrincipal=root_of(key), Limit=4) == sorted(made)
    assert pages(kms.list_retirable_grants, RetiringPrincipal=key["AWSAccountId"], Limit=11) == sorted(made)
    other = new_key()
    marker = kms.list_grants(KeyId=key["KeyId"], Limit=1)["NextMarker"]
    with refused("InvalidMarkerException"):
        kms.list_grants(KeyId=other["KeyId"], Marker=marker)
    with refused("InvalidMarkerException"):
        kms.list_grants(KeyId=key["KeyId"], Marker="nonsense")
    with refused("InvalidMarkerException"):
        kms.list_retirable_grants(RetiringPrincipal=root_of(key), Marker=marker)


def test_lists_have_fifty_grants_by_default_and_a_hundred_at_most(kms, key):
    for _ in range(101):
        grant(kms, key)
    assert len(grants(kms, key)) == 50
    assert len(grants(kms, key, Limit=100)) == 100
    assert len(grants(kms, key, Limit=1000)) == 100


def test_a_filtered_list_looks_at_some_grants_in_a_call(kms, key, monkeypatch):
    monkeypatch.setattr("keystead.services.kms.grants._MOST_SCANNED", 3)
    for _ in range(7):
        grant(kms, key)
    wanted = [grant(kms, key, GranteePrincipal=ROLE)["GrantId"] for _ in range(3)]
    found, page = [], kms.list_grants(KeyId=key["KeyId"], GranteePrincipal=ROLE, Limit=2)
    while page["Truncated"]:
        found += page["Grants"]
        page = kms.list_grants(KeyId=key["KeyId"], GranteePrincipal=ROLE, Limit=2, Marker=page["NextMarker"])
    assert [entry["GrantId"] for entry in found + page["Grants"]] == sorted(wanted)


def test_one_grant_can_be_asked_for(kms, key, refused):
    made = [grant(kms, key)["GrantId"] for _ in range(3)]
    (entry,) = grants(kms, key, GrantId=made[1])
    assert entry["GrantId"] == made[1]
    assert grants(kms, key, GrantId=made[1], GranteePrincipal=ROLE) == []
    assert grants(kms, key, GrantId="0" * 64) == []
    with refused("InvalidGrantIdException"):
        grants(kms, key, GrantId="nonsense")


def test_a_marker_counts_where_one_grant_is_asked_for_too(kms, key, refused):
    first, second = sorted(grant(kms, key)["GrantId"] for _ in range(2))
    marker = kms.list_grants(KeyId=key["KeyId"], Limit=1)["NextMarker"]
    assert grants(kms, key, GrantId=first, Marker=marker) == []
    assert [entry["GrantId"] for entry in grants(kms, key, GrantId=second, Marker=marker)] == [second]
    with refused("InvalidMarkerException"):
        grants(kms, key, GrantId=first, Marker="made-up")


def test_retirable_grants_are_found_across_accounts(kms, server, key, refused, new_key):
    theirs = server.client("kms", account=THEIRS)
    made = grant(kms, key, RetiringPrincipal=THEIR_ROOT)
    own = new_key(theirs)
    also = grant(theirs, own, GranteePrincipal=ROLE, RetiringPrincipal=THEIR_ROOT)
    grant(kms, key, RetiringPrincipal=root_of(key))
    found = theirs.list_retirable_grants(RetiringPrincipal=THEIR_ROOT)["Grants"]
    assert {entry["GrantId"]: entry["KeyId"] for entry in found} == {
        made["GrantId"]: key["Arn"],
        also["GrantId"]: own["Arn"],
    }
    with refused("AccessDeniedException"):
        kms.list_retirable_grants(RetiringPrincipal=THEIR_ROOT)
    elsewhere = server.client("kms", account=THEIRS, region="eu-central-1")
    assert elsewhere.list_retirable_grants(RetiringPrincipal=THEIR_ROOT)["Grants"] == []
    with refused("ValidationException"):
        kms.list_retirable_grants()


def test_listing_what_is_retirable_is_asked_on_the_retiring_principal(server, kms, key, refused):
    retirers = [server.user(name).arn for name in ("retirer-one", "retirer-two")]
    for retirer in retirers:
        kms.create_grant(
            KeyId=key["KeyId"], GranteePrincipal=retirer, RetiringPrincipal=retirer, Operations=["Encrypt"]
        )
    policy = allow("kms:ListRetirableGrants", resource=retirers[0])
    lister = server.user("lister", {"list": policy}).client()
    assert len(lister.list_retirable_grants(RetiringPrincipal=retirers[0])["Grants"]) == 1
    with refused(
        "AccessDeniedException",
        f"User: {server.user('lister').arn} is not authorized to perform: kms:ListRetirableGrants on resource: "
        f"{retirers[1]} because no identity-based policy allows the kms:ListRetirableGrants action",
    ):
        lister.list_retirable_grants(RetiringPrincipal=retirers[1])


# -------------------------------------------------------------- RevokeGrant, RetireGrant


def test_revoking_ends_a_grant(kms, theirs, key, refused, new_key):
    made = grant(kms, key)
    with refused("AccessDeniedException"):
        theirs.revoke_grant(KeyId=key["Arn"], GrantId=made["GrantId"])
    with refused("InvalidGrantIdException"):
        kms.revoke_grant(KeyId=key["KeyId"], GrantId="nonsense")
    kms.revoke_grant(KeyId=key["Arn"], GrantId=made["GrantId"])
    assert grants(kms, key) == []
    with refused("NotFoundException"):
        kms.revoke_grant(KeyId=key["KeyId"], GrantId=made["GrantId"])
    other = new_key()
    made = grant(kms, key)
    with refused("NotFoundException"):
        kms.revoke_grant(KeyId=other["KeyId"], GrantId=made["GrantId"])


def test_the_retiring_principal_retires_by_token_or_by_id(kms, theirs, key, refused):
    by_token, by_id = (grant(kms, key, GranteePrincipal=ROLE, RetiringPrincipal=THEIR_ROOT) for _ in range(2))
    theirs.retire_grant(GrantToken=by_token["GrantToken"])
    theirs.retire_grant(KeyId=key["Arn"], GrantId=by_id["GrantId"])
    assert grants(kms, key) == []
    with refused("NotFoundException"):
        theirs.retire_grant(GrantToken=by_token["GrantToken"])
    with refused("AccessDeniedException"):
        theirs.retire_grant(KeyId=key["Arn"], GrantId=by_id["GrantId"])


def test_the_grantee_retires_if_the_grant_says_so(kms, theirs, key, refused):
    may, may_not = grant(kms, key, Operations=["RetireGrant"]), grant(kms, key, Operations=["Encrypt"])
    theirs.retire_grant(KeyId=key["Arn"], GrantId=may["GrantId"])
    with refused("AccessDeniedException"):
        theirs.retire_grant(KeyId=key["Arn"], GrantId=may_not["GrantId"])
    with refused("AccessDeniedException"):
        theirs.retire_grant(GrantToken=may_not["GrantToken"])
    assert [entry["GrantId"] for entry in grants(kms, key)] == [may_not["GrantId"]]


def test_a_right_to_retire_one_grant_is_no_right_to_retire_another(kms, theirs, key, refused):
    grant(kms, key, RetiringPrincipal=THEIR_ROOT)
    other = grant(kms, key, GranteePrincipal=ROLE)
    with refused("AccessDeniedException"):
        theirs.retire_grant(KeyId=key["Arn"], GrantId=other["GrantId"])
    with refused("AccessDeniedException"):
        theirs.retire_grant(GrantToken=other["GrantToken"])


def test_the_account_that_made_a_grant_retires_it(kms, theirs, server, key, refused):
    grant(kms, key, Operations=["CreateGrant", "Encrypt"])
    child = grant(theirs, key, GranteePrincipal=OTHERS, Operations=["Encrypt"])
    other = server.client("kms", account=OTHERS)
    with refused("AccessDeniedException"):
        other.retire_grant(GrantToken=child["GrantToken"])
    theirs.retire_grant(GrantToken=child["GrantToken"])
    own = grant(kms, key)
    kms.retire_grant(KeyId=key["KeyId"], GrantId=own["GrantId"])
    assert len(grants(kms, key)) == 1


def test_retiring_needs_a_token_or_both_ids(kms, key, refused):
    made, other = grant(kms, key), grant(kms, key)
    for wrong in (
        {},
        {"KeyId": key["KeyId"]},
        {"GrantId": made["GrantId"]},
        {"GrantToken": made["GrantToken"], "GrantId": other["GrantId"]},
    ):
        with refused("ValidationException"):
            kms.retire_grant(**wrong)
    with refused("InvalidGrantIdException"):
        kms.retire_grant(KeyId=key["KeyId"], GrantId="nonsense")
    with refused("NotFoundException"):
        kms.retire_grant(KeyId=key["KeyId"], GrantId="0" * 64)


def test_a_token_is_of_its_region(kms, server, key, refused):
    made = grant(kms, key)
    with refused("InvalidGrantTokenException"):
        server.client("kms", region="eu-central-1").retire_grant(GrantToken=made["GrantToken"])
    kms.retire_grant(GrantToken=made["GrantToken"])


def test_a_deleted_keys_grants_go_with_it(kms, server, key, new_key, eventually):
    made = grant(kms, key, RetiringPrincipal=root_of(key), Name="named")
    kept = grant(kms, new_key(), RetiringPrincipal=root_of(key))
    kms.schedule_key_deletion(KeyId=key["KeyId"], PendingWindowInDays=7)
    server.advance(7 * 86400 + 60)
    found = eventually(
        lambda: kms.list_retirable_grants(RetiringPrincipal=root_of(key))["Grants"],
        lambda rows: len(rows) == 1,
    )
    assert found[0]["GrantId"] == kept["GrantId"]
    with pytest.raises(kms.exceptions.NotFoundException):
        kms.retire_grant(GrantToken=made["GrantToken"])


def test_a_key_has_a_limited_number_of_grants():
    with RunningServer(quota_grants_per_key=2) as server:
        kms = server.client("kms")
        key, other = kms.create_key()["KeyMetadata"], kms.create_key()["KeyMetadata"]
        first = grant(kms, key, Name="first")
        grant(kms, key)
        grant(kms, other)
        with pytest.raises(kms.exceptions.LimitExceededException):
            grant(kms, key)
        assert grant(kms, key, Name="first")["GrantId"] == first["GrantId"]  # it is there already
        kms.retire_grant(GrantToken=first["GrantToken"])
        grant(kms, key)


def test_grants_and_their_tokens_outlive_the_server(tmp_path):
    with RunningServer(tmp_path) as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]
        made = grant(kms, key, Name="kept")
    with RunningServer(tmp_path) as server:
        kms = server.client("kms")
        assert grant(kms, key, Name="kept")["GrantId"] == made["GrantId"]
        kms.retire_grant(GrantToken=made["GrantToken"])
        assert grants(kms, key) == []
