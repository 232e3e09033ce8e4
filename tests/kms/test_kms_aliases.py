"""Aliases, by boto3 against a running server."""

import uuid

import boto3
import pytest
from botocore.config import Config

PREFIX_MESSAGE = (
    'Alias must start with the prefix "alias/". Please see '
    "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
)


@pytest.fixture
def unchecked(kms):
    """A client that sends what its own model forbids."""
    held = kms._request_signer._credentials
    return boto3.client(
        "kms",
        endpoint_url=kms.meta.endpoint_url,
        region_name=kms.meta.region_name,
        aws_access_key_id=held.access_key,
        aws_secret_access_key=held.secret_key,
        config=Config(parameter_validation=False),
    )


def alias_arn(key, name):
    return key["Arn"].partition(":key/")[0] + f":{name}"


def aliases(kms, **members):
    return {entry["AliasName"]: entry for entry in kms.list_aliases(**members)["Aliases"]}


@pytest.mark.parametrize("form", ["KeyId", "Arn"])
def test_an_alias_names_a_key_and_is_listed_with_the_bare_id(kms, form, new_key):
    key = new_key()
    kms.create_alias(AliasName="alias/team/app", TargetKeyId=key[form])
    (entry,) = kms.list_aliases(KeyId=key[form])["Aliases"]
    assert entry["AliasName"] == "alias/team/app"
    assert entry["AliasArn"] == alias_arn(key, "alias/team/app")
    assert entry["TargetKeyId"] == key["KeyId"]
    assert entry["CreationDate"] == entry["LastUpdatedDate"]
    assert kms.describe_key(KeyId="alias/team/app")["KeyMetadata"]["KeyId"] == key["KeyId"]
    assert kms.describe_key(KeyId=entry["AliasArn"])["KeyMetadata"]["KeyId"] == key["KeyId"]
    assert kms.encrypt(KeyId="alias/team/app", Plaintext=b"x")["KeyId"] == key["Arn"]


@pytest.mark.parametrize(
    "name", ["alias/a/", "alias/a-", "alias/_", "alias/a/b/c", "alias/aws", "alias/awsome"]
)
def test_names_may_hold_and_end_in_slash_hyphen_and_underscore(kms, name, new_key):
    key = new_key()
    kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    assert list(aliases(kms, KeyId=key["KeyId"])) == [name]
    kms.delete_alias(AliasName=name)
    assert aliases(kms, KeyId=key["KeyId"]) == {}


@pytest.mark.parametrize("operation", ["create_alias", "update_alias", "delete_alias"])
def test_bad_names_are_refused_in_awss_words(kms, operation, refused, new_key):
    members = {} if operation == "delete_alias" else {"TargetKeyId": new_key()["KeyId"]}
    call = getattr(kms, operation)
    with refused("ValidationException", PREFIX_MESSAGE):
        call(AliasName="app", **members)
    with refused(
        "ValidationException",
        "1 validation error detected: Value 'alias/ä' at 'aliasName' failed to satisfy constraint: "
        "Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$",
    ):
        call(AliasName="alias/ä", **members)
    with refused("ValidationException", "alias/a:b contains invalid characters for an alias"):
        call(AliasName="alias/a:b", **members)
    with refused("NotAuthorizedException", ""):
        call(AliasName="alias/aws/s3", **members)
    with refused(
        "ValidationException",
        f"1 validation error detected: Value 'alias/{'x' * 251}' at 'aliasName' failed to satisfy constraint: "
        "Member must have length less than or equal to 256",
    ):
        call(AliasName="alias/" + "x" * 251, **members)


def test_an_alias_is_unique_in_the_account_and_region(kms, server, refused, new_key):
    key, other = new_key(), new_key()
    kms.create_alias(AliasName="alias/once", TargetKeyId=key["KeyId"])
    message = f"An alias with the name {alias_arn(key, 'alias/once')} already exists"
    for target in (key, other):
        with refused("AlreadyExistsException", message):
            kms.create_alias(AliasName="alias/once", TargetKeyId=target["KeyId"])
    elsewhere = server.client("kms", region="eu-central-1")
    elsewhere.create_alias(AliasName="alias/once", TargetKeyId=new_key(elsewhere)["KeyId"])
    assert list(aliases(elsewhere)) == ["alias/once"]


def test_an_alias_refers_to_a_key_that_exists(kms, server, refused, new_key):
    key = new_key()
    kms.create_alias(AliasName="alias/first", TargetKeyId=key["KeyId"])
    for target in ("alias/first", alias_arn(key, "alias/first"), "alias/none"):
        with refused("ValidationException", "Aliases must refer to keys. Not aliases"):
            kms.create_alias(AliasName="alias/second", TargetKeyId=target)
        with refused("ValidationException", "Aliases must refer to keys. Not aliases"):
            kms.update_alias(AliasName="alias/first", TargetKeyId=target)
    missing = str(uuid.uuid4())
    missing_arn = key["Arn"].replace(key["KeyId"], missing)
    for target in (missing, missing_arn):
        with refused("NotFoundException", f"Key '{missing_arn}' does not exist"):
            kms.create_alias(AliasName="alias/second", TargetKeyId=target)
    with refused("NotFoundException", "Invalid keyId 'nonsense'"):
        kms.create_alias(AliasName="alias/second", TargetKeyId="nonsense")
    elsewhere = new_key(server.client("kms", region="eu-central-1"))
    with refused("NotFoundException", "Invalid arn eu-central-1"):
        kms.create_alias(AliasName="alias/second", TargetKeyId=elsewhere["Arn"])


def test_a_missing_alias_is_not_found_by_its_arn_with_a_full_stop(kms, refused, new_key):
    key = new_key()
    message = f"Alias {alias_arn(key, 'alias/none')} is not found."
    with refused("NotFoundException", message):
        kms.delete_alias(AliasName="alias/none")
    with refused("NotFoundException", message):
        kms.update_alias(AliasName="alias/none", TargetKeyId=key["KeyId"])
    with refused("NotFoundException", message):
        kms.describe_key(KeyId="alias/none")


@pytest.mark.parametrize("form", ["KeyId", "Arn"])
def test_update_moves_an_alias_and_its_date(kms, server, form, new_key):
    old, new = new_key(), new_key()
    kms.create_alias(AliasName="alias/moving", TargetKeyId=old["KeyId"])
    before = aliases(kms)["alias/moving"]
    server.advance(60)
    kms.update_alias(AliasName="alias/moving", TargetKeyId=new[form])
    (after,) = kms.list_aliases(KeyId=new["KeyId"])["Aliases"]
    assert after["TargetKeyId"] == new["KeyId"]
    assert after["CreationDate"] == before["CreationDate"]
    assert (after["LastUpdatedDate"] - before["LastUpdatedDate"]).total_seconds() == pytest.approx(60, abs=5)
    assert aliases(kms, KeyId=old["KeyId"]) == {}
    assert kms.encrypt(KeyId="alias/moving", Plaintext=b"x")["KeyId"] == new["Arn"]


def test_both_keys_of_an_update_have_the_same_type_and_usage(kms, refused, new_key):
    symmetric = new_key()
    p256 = new_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
    p384 = new_key(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    agreeing = new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    mac = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    kms.create_alias(AliasName="alias/signer", TargetKeyId=p256["KeyId"])
    for unlike in (symmetric, agreeing, mac):
        with refused("ValidationException"):
            kms.update_alias(AliasName="alias/signer", TargetKeyId=unlike["KeyId"])
    kms.update_alias(AliasName="alias/signer", TargetKeyId=p384["KeyId"])
    kms.update_alias(AliasName="alias/signer", TargetKeyId=p384["KeyId"])  # to the same key again
    assert aliases(kms)["alias/signer"]["TargetKeyId"] == p384["KeyId"]


def test_disabled_keys_take_aliases_and_keys_to_be_deleted_do_not(kms, refused, new_key):
    key, doomed = new_key(), new_key()
    kms.disable_key(KeyId=key["KeyId"])
    kms.create_alias(AliasName="alias/disabled", TargetKeyId=key["KeyId"])
    kms.create_alias(AliasName="alias/doomed", TargetKeyId=doomed["KeyId"])
    kms.schedule_key_deletion(KeyId=doomed["KeyId"])
    message = f"{doomed['Arn']} is pending deletion."
    with refused("KMSInvalidStateException", message):
        kms.create_alias(AliasName="alias/late", TargetKeyId=doomed["KeyId"])
    with refused("KMSInvalidStateException", message):
        kms.update_alias(AliasName="alias/disabled", TargetKeyId=doomed["KeyId"])
    kms.update_alias(AliasName="alias/doomed", TargetKeyId=key["KeyId"])
    kms.update_alias(AliasName="alias/disabled", TargetKeyId=key["KeyId"])
    assert {entry["TargetKeyId"] for entry in aliases(kms).values()} == {key["KeyId"]}


def test_aliases_of_a_key_to_be_deleted_can_be_deleted(kms, new_key):
    doomed = new_key()
    kms.create_alias(AliasName="alias/doomed", TargetKeyId=doomed["KeyId"])
    kms.schedule_key_deletion(KeyId=doomed["KeyId"])
    kms.delete_alias(AliasName="alias/doomed")
    assert aliases(kms) == {}


def test_a_deleted_keys_aliases_go_with_it(kms, server, new_key, eventually):
    doomed, kept = new_key(), new_key()
    for name, key in (("alias/a", doomed), ("alias/b", doomed), ("alias/c", kept)):
        kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    kms.schedule_key_deletion(KeyId=doomed["KeyId"], PendingWindowInDays=7)
    server.advance(7 * 86400 + 60)
    eventually(lambda: list(aliases(kms)), lambda names: names == ["alias/c"])
    kms.create_alias(AliasName="alias/a", TargetKeyId=kept["KeyId"])
    assert aliases(kms)["alias/a"]["TargetKeyId"] == kept["KeyId"]


def test_lists_come_in_pages(kms, new_key):
    first, second = new_key(), new_key()
    names = [f"alias/n{number:02}" for number in range(12)]
    for name in names:
        kms.create_alias(AliasName=name, TargetKeyId=first["KeyId"])
    kms.create_alias(AliasName="alias/other", TargetKeyId=second["KeyId"])

    whole = kms.list_aliases()
    assert whole["Truncated"] is False
    assert "NextMarker" not in whole
    assert len(whole["Aliases"]) == 13

    for members, expected in (({}, [*names, "alias/other"]), ({"KeyId": first["Arn"]}, names)):
        found, page = [], kms.list_aliases(Limit=5, **members)
        while True:
            found += [entry["AliasName"] for entry in page["Aliases"]]
            if not page["Truncated"]:
                break
            assert len(page["Aliases"]) == 5
            page = kms.list_aliases(Limit=5, Marker=page["NextMarker"], **members)
        assert "NextMarker" not in page
        assert found == expected

    exact = kms.list_aliases(Limit=12, KeyId=first["KeyId"])
    assert exact["Truncated"] is False
    assert "NextMarker" not in exact


def test_markers_are_this_lists_own(kms, server, refused, new_key):
    key, other = new_key(), new_key()
    for name in ("alias/a", "alias/b"):
        kms.create_alias(AliasName=name, TargetKeyId=key["KeyId"])
    marker = kms.list_aliases(Limit=1)["NextMarker"]
    of_key = kms.list_aliases(Limit=1, KeyId=key["KeyId"])["NextMarker"]
    with refused("InvalidMarkerException"):
        kms.list_aliases(Marker="nonsense")
    with refused("InvalidMarkerException"):
        kms.list_keys(Marker=marker)
    with refused("InvalidMarkerException"):
        kms.list_aliases(KeyId=other["KeyId"], Marker=of_key)
    with refused("InvalidMarkerException"):
        server.client("kms", region="eu-central-1").list_aliases(Marker=marker)


def test_lists_are_by_key_not_by_alias(kms, refused, new_key):
    key = new_key()
    kms.create_alias(AliasName="alias/a", TargetKeyId=key["KeyId"])
    with refused("NotFoundException", "Invalid keyId 'alias/a'"):
        kms.list_aliases(KeyId="alias/a")
    missing = str(uuid.uuid4())
    with refused("NotFoundException", f"Key '{key['Arn'].replace(key['KeyId'], missing)}' does not exist"):
        kms.list_aliases(KeyId=missing)


def test_limits_are_within_the_models_bounds(kms, unchecked, refused):
    for limit, text in ((0, "greater than or equal to 1"), (1001, "less than or equal to 1000")):
        with refused(
            "ValidationException",
            f"1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: "
            f"Member must have value {text}",
        ):
            unchecked.list_aliases(Limit=limit)
    assert kms.list_aliases(Limit=1000)["Truncated"] is False


def test_a_key_has_fifty_aliases_at_most(kms, refused, new_key):
    key, other = new_key(), new_key()
    for number in range(50):
        kms.create_alias(AliasName=f"alias/n{number}", TargetKeyId=key["KeyId"])
    kms.create_alias(AliasName="alias/more", TargetKeyId=other["KeyId"])
    with refused("LimitExceededException"):
        kms.create_alias(AliasName="alias/n50", TargetKeyId=key["KeyId"])
    with refused("LimitExceededException"):
        kms.update_alias(AliasName="alias/more", TargetKeyId=key["KeyId"])
    kms.delete_alias(AliasName="alias/n0")
    kms.update_alias(AliasName="alias/more", TargetKeyId=key["KeyId"])


def test_accounts_see_their_own_aliases_only(kms, server, refused, new_key):
    key = new_key()
    kms.create_alias(AliasName="alias/mine", TargetKeyId=key["KeyId"])
    stranger = server.client("kms", account="444455556666")
    assert aliases(stranger) == {}
    for call, members in (
        (stranger.create_alias, {"AliasName": "alias/theirs", "TargetKeyId": key["Arn"]}),
        (stranger.list_aliases, {"KeyId": key["Arn"]}),
    ):
        with refused("AccessDeniedException"):
            call(**members)
    with refused("NotFoundException"):
        stranger.delete_alias(AliasName="alias/mine")
