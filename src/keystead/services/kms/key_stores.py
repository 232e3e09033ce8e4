"""External key stores as records, and what a request must and must not say about one.

Source: CreateCustomKeyStore and UpdateCustomKeyStore in the API reference. Only external key stores are
kept: there are no CloudHSM clusters here that one of the other type could stand for.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NoReturn

import msgspec

from keystead import errors
from keystead.keys.spec import SYMMETRIC_DEFAULT
from keystead.storage import Table
from keystead.wire.models import kms as wire

CLOUD_HSM = "AWS_CLOUDHSM"
EXTERNAL = "EXTERNAL_KEY_STORE"
PUBLIC = "PUBLIC_ENDPOINT"
VPC = "VPC_ENDPOINT_SERVICE"
DISCONNECTED = "DISCONNECTED"
DISCONNECTING = "DISCONNECTING"

_CLOUD_HSM_MEMBERS = ("CloudHsmClusterId", "TrustAnchorCertificate", "KeyStorePassword")
_VPC_MEMBERS = ("XksProxyVpcEndpointServiceName", "XksProxyVpcEndpointServiceOwner")
_PROXY_MEMBERS = (
    "XksProxyConnectivity",
    "XksProxyUriEndpoint",
    "XksProxyUriPath",
    "XksProxyAuthenticationCredential",
)
_LIVE_CHANGES = frozenset(
    {"CustomKeyStoreId", "NewCustomKeyStoreName", "XksProxyAuthenticationCredential", "XksProxyUriPath"}
)
"""What UpdateCustomKeyStore can be given while the key store is connected."""


class Proxy(msgspec.Struct, frozen=True, kw_only=True):
    """How an external key store's proxy is reached."""

    connectivity: str
    endpoint: str
    path: str
    access_key_id: str
    sealed_secret: bytes
    """The raw secret access key, sealed by the key ring for the key store's place."""
    vpc_service: str | None = None
    vpc_service_owner: str | None = None

    def __repr__(self) -> str:
        return f"Proxy({self.endpoint}{self.path})"


class KeyStore(msgspec.Struct, frozen=True, kw_only=True):
    """One external key store."""

    id: str
    name: str
    created: float
    proxy: Proxy
    state: str = DISCONNECTED


class KeyStores(msgspec.Struct, frozen=True):
    """All key stores of an account in a Region: one record, so that what must be unique stays so."""

    stores: tuple[KeyStore, ...] = ()

    def find(self, store_id: str) -> KeyStore:
        """The key store with that id.

        Raises:
            errors.CustomKeyStoreNotFound: there is none.
        """
        for store in self.stores:
            if store.id == store_id:
                return store
        raise errors.CustomKeyStoreNotFound(f"Custom key store {store_id} does not exist.")

    def without(self, store_id: str) -> KeyStores:
        """These without the one with that id."""
        return KeyStores(tuple(store for store in self.stores if store.id != store_id))

    def changed(self, store: KeyStore) -> KeyStores:
        """These with the one of the same id replaced."""
        return KeyStores(tuple(store if old.id == store.id else old for old in self.stores))


KEY_STORES: Table[KeyStores] = Table("key_store", KeyStores)
"""account/region"""


# ------------------------------------------------------------------- members of a request


def given_members(request: wire.CreateCustomKeyStoreRequest | wire.UpdateCustomKeyStoreRequest) -> set[str]:
    """The names of the members that a request has."""
    return {member.name for member in request.MEMBERS if getattr(request, member.attribute) is not None}


def _require(given: set[str], members: Iterable[str], where: str) -> None:
    missing = [name for name in members if name not in given]
    if missing:
        raise errors.Validation(f"{', '.join(missing)} must be specified for {where}.")


def _refuse(given: set[str], members: Iterable[str], where: str) -> None:
    unfit = [name for name in members if name in given]
    if unfit:
        raise errors.Validation(f"{', '.join(unfit)} cannot be specified for {where}.")


def _says(member: str, value: str) -> str:
    return f"a custom key store with {member} {value}"


def check_new_members(request: wire.CreateCustomKeyStoreRequest) -> str:
    """The type of the key store that a request asks for, with all the members it needs and no others.

    Raises:
        errors.Validation: a member is missing or belongs to another type or connectivity.
    """
    given, kind = given_members(request), request.custom_key_store_type or CLOUD_HSM
    where = _says("CustomKeyStoreType", kind)
    if kind == CLOUD_HSM:
        _refuse(given, _PROXY_MEMBERS + _VPC_MEMBERS, where)
        _require(given, _CLOUD_HSM_MEMBERS, where)
        return kind
    _refuse(given, _CLOUD_HSM_MEMBERS, where)
    _require(given, _PROXY_MEMBERS, where)
    _check_connectivity(given, request.xks_proxy_connectivity or PUBLIC, has_service=False)
    return kind


def check_changed_members(request: wire.UpdateCustomKeyStoreRequest, store: KeyStore) -> None:
    """Return if the request can be made of `store` in its state.

    Raises:
        errors.Validation: it changes nothing, or a member does not fit the type or the connectivity.
        errors.CustomKeyStoreInvalidState: the key store must be disconnected for it.
    """
    given = given_members(request)
    if given == {"CustomKeyStoreId"}:
        raise errors.Validation("You must specify at least one property of the custom key store to update.")
    _refuse(given, _CLOUD_HSM_MEMBERS, _says("CustomKeyStoreType", EXTERNAL))
    connectivity = request.xks_proxy_connectivity or store.proxy.connectivity
    if connectivity != store.proxy.connectivity:
        _require(given, ["XksProxyUriEndpoint"], "a change of XksProxyConnectivity")
    _check_connectivity(given, connectivity, has_service=store.proxy.vpc_service is not None)
    if not given <= _LIVE_CHANGES:
        check_disconnected(store)


def _check_connectivity(given: set[str], connectivity: str, *, has_service: bool) -> None:
    where = _says("XksProxyConnectivity", connectivity)
    if connectivity == PUBLIC:
        _refuse(given, _VPC_MEMBERS, where)
    elif not has_service:
        _require(given, _VPC_MEMBERS[:1], where)


def refuse_key(request: wire.CreateKeyRequest, origin: str, known: KeyStores) -> NoReturn:
    """Say why no key can be created in a key store: what is wrong with the request, or else that none is connected.

    Raises:
        errors.Validation: Origin, CustomKeyStoreId and XksKeyId do not go together.
        errors.CustomKeyStoreNotFound: there is no such key store.
        errors.UnsupportedOperation: a key store holds no such keys, or not this one.
        errors.CustomKeyStoreInvalidState: it is not connected.
    """
    if origin not in {CLOUD_HSM, EXTERNAL}:
        raise errors.Validation(f"CustomKeyStoreId is not valid for keys with Origin {origin}.")
    if request.custom_key_store_id is None:
        raise errors.Validation(f"CustomKeyStoreId is required for keys with Origin {origin}.")
    if (origin == EXTERNAL) != (request.xks_key_id is not None):
        raise errors.Validation(
            "XksKeyId is required for keys with Origin EXTERNAL_KEY_STORE, and valid for no others."
        )
    spec = request.key_spec or request.customer_master_key_spec or SYMMETRIC_DEFAULT
    if spec != SYMMETRIC_DEFAULT or request.multi_region:
        raise errors.UnsupportedOperation(
            "Only single-Region symmetric encryption KMS keys can be created in custom key stores."
        )
    store = known.find(request.custom_key_store_id)
    if origin != EXTERNAL:
        raise errors.UnsupportedOperation(
            f"Custom key store {store.id} has the type {EXTERNAL}, which is not valid for keys with Origin {origin}."
        )
    raise errors.CustomKeyStoreInvalidState(
        f"Custom key store {store.id} must be connected; its ConnectionState is {store.state}."
    )


def check_disconnected(store: KeyStore) -> None:
    """Return if the key store is disconnected.

    Raises:
        errors.CustomKeyStoreInvalidState: it is not.
    """
    if store.state != DISCONNECTED:
        raise errors.CustomKeyStoreInvalidState(
            f"Custom key store {store.id} must be disconnected; its ConnectionState is {store.state}."
        )


# ------------------------------------------------------------------------------ uniqueness


def check_name_free(name: str, others: Sequence[KeyStore]) -> None:
    """Return if no other key store has the name.

    Raises:
        errors.CustomKeyStoreNameInUse: one has.
    """
    if any(store.name == name for store in others):
        raise errors.CustomKeyStoreNameInUse(f"The custom key store name {name} is already in use.")


def check_proxy_free(proxy: Proxy, others: Sequence[KeyStore]) -> None:
    """Return if no other key store uses the proxy's address or its endpoint service.

    Raises:
        errors.XksProxyUriInUse: the same endpoint and path.
        errors.XksProxyUriEndpointInUse: the same endpoint, where one of both is a VPC endpoint service.
        errors.XksProxyVpcEndpointServiceInUse: the same VPC endpoint service.
    """
    for store in others:
        other = store.proxy
        same_endpoint = other.endpoint.lower() == proxy.endpoint.lower()  # host names have no case
        if same_endpoint and other.path == proxy.path:
            raise errors.XksProxyUriInUse(
                f"The external key store proxy URI {proxy.endpoint}{proxy.path} is already in use by {store.id}."
            )
        if same_endpoint and VPC in {other.connectivity, proxy.connectivity}:
            raise errors.XksProxyUriEndpointInUse(
                f"The external key store proxy endpoint {proxy.endpoint} is already in use by {store.id}."
            )
        if proxy.vpc_service is not None and other.vpc_service == proxy.vpc_service:
            raise errors.XksProxyVpcEndpointServiceInUse(
                f"The VPC endpoint service {proxy.vpc_service} is already in use by {store.id}."
            )


# ----------------------------------------------------------------------------------- lists


def list_entry(store: KeyStore) -> wire.CustomKeyStoresListEntry:
    """A key store as DescribeCustomKeyStores shows it: everything but the secret."""
    proxy = store.proxy
    return wire.CustomKeyStoresListEntry(
        custom_key_store_id=store.id,
        custom_key_store_name=store.name,
        connection_state=store.state,
        creation_date=store.created,
        custom_key_store_type=EXTERNAL,
        xks_proxy_configuration=wire.XksProxyConfigurationType(
            connectivity=proxy.connectivity,
            access_key_id=proxy.access_key_id,
            uri_endpoint=proxy.endpoint,
            uri_path=proxy.path,
            vpc_endpoint_service_name=proxy.vpc_service,
            vpc_endpoint_service_owner=proxy.vpc_service_owner,
        ),
    )


def changed_fields(**changes: Any) -> dict[str, Any]:
    """The changes that a request asks for: those that are not None."""
    return {field: value for field, value in changes.items() if value is not None}
