"""Custom key stores, by boto3 against a running server."""

import json
from contextlib import contextmanager

import msgspec
import pytest
from botocore.exceptions import ClientError

from keystead.services.kms.key_stores import KEY_STORES
from keystead.testing import RunningServer

SECRET = "DXjSUawnel2fr6SKC7G25CNxTyWKE5PF9XX6H/u9pSo="
OTHER_SECRET = "zzzSUawnel2fr6SKC7G25CNxTyWKE5PF9XX6H/u9pSo="
ACCESS_KEY_ID = "ABCDE2345672EXAMPLEQ"
SERVICE = "com.amazonaws.vpce.us-east-1.vpce-svc-0f3b1e9e6ed9a1b2c"


@contextmanager
def refused(code, text=""):
    with pytest.raises(ClientError) as caught:
        yield
    error = caught.value.response["Error"]
    assert error["Code"] == code, error
    assert text in error["Message"]


def members(name="store", **changes):
    given = {
        "CustomKeyStoreName": name,
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": "https://xks.example.com",
        "XksProxyUriPath": f"/{name}/kms/xks/v1",
        "XksProxyAuthenticationCredential": {
            "AccessKeyId": ACCESS_KEY_ID,
            "RawSecretAccessKey": SECRET,
        },
    }
    given.update(changes)
    return {key: value for key, value in given.items() if value is not None}


def by_vpc(name="store", endpoint="https://private.example.com", **changes):
    given = {
        "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
        "XksProxyUriEndpoint": endpoint,
        "XksProxyVpcEndpointServiceName": SERVICE,
    }
    return members(name, **given | changes)


def create(kms, *args, **changes):
    return kms.create_custom_key_store(**members(*args, **changes))["CustomKeyStoreId"]


def entry(kms, store_id):
    (found,) = kms.describe_custom_key_stores(CustomKeyStoreId=store_id)["CustomKeyStores"]
    return found


def test_a_key_store_is_kept_and_shown_without_its_secret(kms):
    store_id = create(kms, "mine")
    assert store_id.startswith("cks-")
    assert len(store_id) == 21
    found = entry(kms, store_id)
    created = found.pop("CreationDate")
    assert created is not None
    assert found == {
        "CustomKeyStoreId": store_id,
        "CustomKeyStoreName": "mine",
        "ConnectionState": "DISCONNECTED",
        "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
        "XksProxyConfiguration": {
            "Connectivity": "PUBLIC_ENDPOINT",
            "AccessKeyId": ACCESS_KEY_ID,
            "UriEndpoint": "https://xks.example.com",
            "UriPath": "/mine/kms/xks/v1",
        },
    }
    answer = kms.describe_custom_key_stores(CustomKeyStoreName="mine")
    assert [one["CustomKeyStoreId"] for one in answer["CustomKeyStores"]] == [store_id]
    assert SECRET not in json.dumps(answer, default=str)


def test_a_vpc_endpoint_service_has_an_owner(kms):
    mine = kms.create_custom_key_store(**by_vpc("mine"))["CustomKeyStoreId"]
    configuration = entry(kms, mine)["XksProxyConfiguration"]
    assert configuration["VpcEndpointServiceName"] == SERVICE
    assert configuration["VpcEndpointServiceOwner"] == kms.create_key()["KeyMetadata"]["AWSAccountId"]
    other = by_vpc(
        "other",
        "https://other.example.com",
        XksProxyVpcEndpointServiceName=SERVICE + "0",
        XksProxyVpcEndpointServiceOwner="444455556666",
    )
    theirs = kms.create_custom_key_store(**other)["CustomKeyStoreId"]
    assert entry(kms, theirs)["XksProxyConfiguration"]["VpcEndpointServiceOwner"] == "444455556666"


@pytest.mark.parametrize(
    "missing",
    ["XksProxyConnectivity", "XksProxyUriEndpoint", "XksProxyUriPath", "XksProxyAuthenticationCredential"],
)
def test_an_external_key_store_needs_its_proxy(kms, missing):
    with refused("ValidationException", f"{missing} must be specified"):
        create(kms, **{missing: None})


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("CloudHsmClusterId", "cluster-abcdefg2345"),
        ("TrustAnchorCertificate", "-----BEGIN CERTIFICATE-----"),
        ("KeyStorePassword", "secret-password"),
        ("XksProxyVpcEndpointServiceName", SERVICE),
        ("XksProxyVpcEndpointServiceOwner", "444455556666"),
    ],
)
def test_members_of_other_kinds_are_refused(kms, member, value):
    with refused("ValidationException", f"{member} cannot be specified") as _:
        create(kms, **{member: value})


def test_a_vpc_endpoint_service_must_be_named(kms):
    with refused("ValidationException", "XksProxyVpcEndpointServiceName must be specified"):
        kms.create_custom_key_store(**by_vpc(XksProxyVpcEndpointServiceName=None))


def test_cloudhsm_key_stores_are_checked_and_find_no_cluster(kms):
    with refused(
        "ValidationException", "CloudHsmClusterId, TrustAnchorCertificate, KeyStorePassword must be specified"
    ):
        kms.create_custom_key_store(CustomKeyStoreName="hsm")
    hsm = {
        "CustomKeyStoreName": "hsm",
        "CloudHsmClusterId": "cluster-abcdefg2345",
        "TrustAnchorCertificate": "-----BEGIN CERTIFICATE-----",
        "KeyStorePassword": "secret-password",
    }
    with refused("ValidationException", "XksProxyUriPath cannot be specified"):
        kms.create_custom_key_store(XksProxyUriPath="/kms/xks/v1", **hsm)
    with refused("CloudHsmClusterNotFoundException", "cluster-abcdefg2345"):
        kms.create_custom_key_store(CustomKeyStoreType="AWS_CLOUDHSM", **hsm)
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == []


def test_secrets_are_not_echoed_by_validation(kms):
    credential = {"AccessKeyId": ACCESS_KEY_ID, "RawSecretAccessKey": "$" * 44}
    with pytest.raises(ClientError) as caught:
        create(kms, XksProxyAuthenticationCredential=credential)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert "xksProxyAuthenticationCredential.rawSecretAccessKey" in error["Message"]
    assert "$$" not in error["Message"]


def test_names_and_proxies_are_unique(kms, server):
    create(kms, "first")
    with refused("CustomKeyStoreNameInUseException", "first"):
        create(kms, "first", XksProxyUriPath="/elsewhere/kms/xks/v1")
    with refused("XksProxyUriInUseException"):
        create(kms, "second", XksProxyUriPath="/first/kms/xks/v1")
    with refused("XksProxyUriInUseException"):
        create(
            kms, "second", XksProxyUriEndpoint="https://XKS.example.com", XksProxyUriPath="/first/kms/xks/v1"
        )
    with refused("XksProxyUriEndpointInUseException"):
        kms.create_custom_key_store(**by_vpc("second", "https://xks.example.com"))
    create(kms, "second")  # the same public endpoint with another path

    kms.create_custom_key_store(**by_vpc("private"))
    with refused("XksProxyUriEndpointInUseException"):
        create(kms, "third", XksProxyUriEndpoint="https://private.example.com")
    with refused("XksProxyUriEndpointInUseException"):
        kms.create_custom_key_store(**by_vpc("third", XksProxyVpcEndpointServiceName=SERVICE + "0"))
    with refused("XksProxyVpcEndpointServiceInUseException"):
        kms.create_custom_key_store(**by_vpc("third", "https://other.example.com"))

    create(server.client("kms", region="eu-central-1"), "first")
    create(server.client("kms", account="444455556666"), "first")


def test_update_changes_what_it_names(kms):
    store_id = create(kms, "old")
    kms.update_custom_key_store(CustomKeyStoreId=store_id, NewCustomKeyStoreName="new")
    kms.update_custom_key_store(
        CustomKeyStoreId=store_id,
        XksProxyUriPath="/new/kms/xks/v1",
        XksProxyAuthenticationCredential={"AccessKeyId": "Z" * 20, "RawSecretAccessKey": OTHER_SECRET},
    )
    found = entry(kms, store_id)
    assert found["CustomKeyStoreName"] == "new"
    assert found["XksProxyConfiguration"] == {
        "Connectivity": "PUBLIC_ENDPOINT",
        "AccessKeyId": "Z" * 20,
        "UriEndpoint": "https://xks.example.com",
        "UriPath": "/new/kms/xks/v1",
    }
    with refused("CustomKeyStoreNotFoundException"):
        kms.describe_custom_key_stores(CustomKeyStoreName="old")


def test_a_change_of_connectivity_changes_the_endpoint_too(kms):
    store_id = create(kms, "moving")
    to_vpc = {
        "CustomKeyStoreId": store_id,
        "XksProxyConnectivity": "VPC_ENDPOINT_SERVICE",
        "XksProxyVpcEndpointServiceName": SERVICE,
    }
    with refused("ValidationException", "XksProxyUriEndpoint must be specified"):
        kms.update_custom_key_store(**to_vpc)
    without_service = to_vpc | {"XksProxyUriEndpoint": "https://private.example.com"}
    del without_service["XksProxyVpcEndpointServiceName"]
    with refused("ValidationException", "XksProxyVpcEndpointServiceName must be specified"):
        kms.update_custom_key_store(**without_service)
    kms.update_custom_key_store(**to_vpc, XksProxyUriEndpoint="https://private.example.com")
    configuration = entry(kms, store_id)["XksProxyConfiguration"]
    assert configuration["VpcEndpointServiceName"] == SERVICE
    assert len(configuration["VpcEndpointServiceOwner"]) == 12

    back = {
        "CustomKeyStoreId": store_id,
        "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        "XksProxyUriEndpoint": "https://xks.example.com",
    }
    with refused("ValidationException", "XksProxyVpcEndpointServiceName cannot be specified"):
        kms.update_custom_key_store(**back, XksProxyVpcEndpointServiceName=SERVICE)
    kms.update_custom_key_store(**back)
    assert set(entry(kms, store_id)["XksProxyConfiguration"]) == {
        "Connectivity",
        "AccessKeyId",
        "UriEndpoint",
        "UriPath",
    }


def test_updates_are_checked_like_new_key_stores(kms):
    first, second = create(kms, "first"), create(kms, "second")
    with refused("ValidationException"):
        kms.update_custom_key_store(CustomKeyStoreId=first)
    with refused("ValidationException", "KeyStorePassword cannot be specified"):
        kms.update_custom_key_store(CustomKeyStoreId=first, KeyStorePassword="secret-password")
    with refused("ValidationException", "CloudHsmClusterId cannot be specified"):
        kms.update_custom_key_store(CustomKeyStoreId=first, CloudHsmClusterId="cluster-abcdefg2345")
    with refused("CustomKeyStoreNameInUseException"):
        kms.update_custom_key_store(CustomKeyStoreId=first, NewCustomKeyStoreName="second")
    with refused("XksProxyUriInUseException"):
        kms.update_custom_key_store(CustomKeyStoreId=second, XksProxyUriPath="/first/kms/xks/v1")
    with refused("CustomKeyStoreNotFoundException"):
        kms.update_custom_key_store(CustomKeyStoreId="cks-none", NewCustomKeyStoreName="x")
    kms.update_custom_key_store(CustomKeyStoreId=first, NewCustomKeyStoreName="first")  # its own name


def test_nothing_is_connected(kms):
    store_id = create(kms)
    with refused("UnsupportedOperationException", "not supported"):
        kms.connect_custom_key_store(CustomKeyStoreId=store_id)
    with refused("CustomKeyStoreInvalidStateException", "DISCONNECTED"):
        kms.disconnect_custom_key_store(CustomKeyStoreId=store_id)
    assert entry(kms, store_id)["ConnectionState"] == "DISCONNECTED"
    for operation in (
        kms.connect_custom_key_store,
        kms.disconnect_custom_key_store,
        kms.delete_custom_key_store,
    ):
        with refused("CustomKeyStoreNotFoundException", "cks-none"):
            operation(CustomKeyStoreId="cks-none")


EXTERNAL_KEY = {"Origin": "EXTERNAL_KEY_STORE", "XksKeyId": "bb8562717f809024"}


@pytest.mark.parametrize(
    ("asked", "code", "text"),
    [
        (EXTERNAL_KEY, "CustomKeyStoreInvalidStateException", "ConnectionState is DISCONNECTED"),
        (EXTERNAL_KEY | {"CustomKeyStoreId": "cks-none"}, "CustomKeyStoreNotFoundException", "cks-none"),
        (EXTERNAL_KEY | {"CustomKeyStoreId": None}, "ValidationException", "CustomKeyStoreId is required"),
        (
            {"Origin": "AWS_CLOUDHSM", "CustomKeyStoreId": None},
            "ValidationException",
            "CustomKeyStoreId is required",
        ),
        ({}, "ValidationException", "not valid for keys with Origin AWS_KMS"),
        ({"Origin": "EXTERNAL"}, "ValidationException", "not valid for keys with Origin EXTERNAL."),
        ({"Origin": "EXTERNAL_KEY_STORE"}, "ValidationException", "XksKeyId is required"),
        (EXTERNAL_KEY | {"Origin": "AWS_CLOUDHSM"}, "ValidationException", "XksKeyId"),
        ({"Origin": "AWS_CLOUDHSM"}, "UnsupportedOperationException", "EXTERNAL_KEY_STORE"),
        (EXTERNAL_KEY | {"MultiRegion": True}, "UnsupportedOperationException", "single-Region"),
        (
            EXTERNAL_KEY | {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
            "UnsupportedOperationException",
            "symmetric",
        ),
        (
            {"Origin": "AWS_KMS", "XksKeyId": "bb8562717f809024", "CustomKeyStoreId": None},
            "ValidationException",
            "XksKeyId",
        ),
    ],
)
def test_a_key_needs_a_key_store_that_is_connected(kms, asked, code, text):
    known = kms.describe_custom_key_stores()["CustomKeyStores"]
    store_id = (
        known[0]["CustomKeyStoreId"]
        if known
        else create(kms, "for-keys", XksProxyUriEndpoint="https://keys.example.com")
    )
    given = {"CustomKeyStoreId": store_id} | asked
    with refused(code, text):
        kms.create_key(**{member: value for member, value in given.items() if value is not None})


def test_random_bytes_come_from_no_external_key_store(kms):
    store_id = create(kms, "no-bytes", XksProxyUriEndpoint="https://bytes.example.com")
    with refused("UnsupportedOperationException", store_id):
        kms.generate_random(NumberOfBytes=8, CustomKeyStoreId=store_id)
    with refused("CustomKeyStoreNotFoundException", "cks-none"):
        kms.generate_random(NumberOfBytes=8, CustomKeyStoreId="cks-none")


def test_delete_frees_name_and_address(kms):
    store_id = create(kms, "gone")
    answer = kms.delete_custom_key_store(CustomKeyStoreId=store_id)
    assert set(answer) == {"ResponseMetadata"}
    assert kms.describe_custom_key_stores()["CustomKeyStores"] == []
    with refused("CustomKeyStoreNotFoundException"):
        kms.delete_custom_key_store(CustomKeyStoreId=store_id)
    assert create(kms, "gone") != store_id


def test_key_stores_come_in_pages_and_are_ten_at_most(kms):
    created = [create(kms, f"store-{number}") for number in range(10)]
    with refused("LimitExceededException"):
        create(kms, "one-more")
    found, page = [], kms.describe_custom_key_stores(Limit=4)
    while page["Truncated"]:
        assert len(page["CustomKeyStores"]) == 4
        found += page["CustomKeyStores"]
        page = kms.describe_custom_key_stores(Limit=4, Marker=page["NextMarker"])
    found += page["CustomKeyStores"]
    assert "NextMarker" not in page
    assert [one["CustomKeyStoreId"] for one in found] == created
    marker = kms.describe_custom_key_stores(Limit=4)["NextMarker"]
    with refused("InvalidMarkerException"):
        kms.describe_custom_key_stores(CustomKeyStoreId=created[0], Marker=marker)
    with refused("InvalidMarkerException"):
        kms.describe_custom_key_stores(Marker="nonsense")


def test_describe_takes_an_id_or_a_name(kms):
    store_id = create(kms, "one")
    with refused("ValidationException"):
        kms.describe_custom_key_stores(CustomKeyStoreId=store_id, CustomKeyStoreName="one")
    with refused("CustomKeyStoreNotFoundException"):
        kms.describe_custom_key_stores(CustomKeyStoreId="cks-none")


def test_accounts_and_regions_see_their_own_key_stores_only(kms, server):
    store_id = create(kms)
    for stranger in (
        server.client("kms", account="444455556666"),
        server.client("kms", region="eu-central-1"),
    ):
        assert stranger.describe_custom_key_stores()["CustomKeyStores"] == []
        with refused("CustomKeyStoreNotFoundException"):
            stranger.delete_custom_key_store(CustomKeyStoreId=store_id)


def test_key_stores_outlive_the_server_and_their_secrets_stay_inside(tmp_path):
    with RunningServer(tmp_path) as server:
        kms = server.client("kms")
        before = entry(kms, create(kms))
    with RunningServer(tmp_path) as server:
        assert entry(server.client("kms"), before["CustomKeyStoreId"]) == before
        record = server.store.transaction().get(KEY_STORES, f"{server.settings.account_id}/us-east-1")
        assert SECRET.encode() not in msgspec.msgpack.encode(record)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if SECRET.encode() in path.read_bytes()]
