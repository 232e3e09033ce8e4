"""Create-, Update-, Delete-, Describe-, Connect- and DisconnectCustomKeyStore.

External key stores are configured and kept, but not connected: nothing is sent to their proxies, so
ConnectCustomKeyStore refuses and no key can be created in one.
"""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.services.kms import key_stores as rules
from keystead.services.kms.key_stores import KEY_STORES, KeyStore, KeyStores, Proxy
from keystead.services.kms.paging import page_list
from keystead.services.kms.targets import on_account
from keystead.wire.models import kms as wire

_SECRET = "key store"  # noqa: S105  the kind of a sealed token, not a secret
_PAGE = 50


def keys_counter(account: str, region: str, store_id: str) -> str:
    """The name of the counter of the keys in a key store; whoever creates or deletes one bumps it."""
    return f"{account}/{region}/{store_id}/keys"


def stores_of(call: Call) -> KeyStores:
    """The key stores of the caller's account in the Region."""
    return call.tx.get(KEY_STORES, f"{call.account}/{call.region}") or KeyStores()


def _put(call: Call, stores: KeyStores) -> None:
    call.tx.put(KEY_STORES, f"{call.account}/{call.region}", stores)


def _seal(call: Call, store_id: str, credential: wire.XksProxyAuthenticationCredentialType) -> bytes:
    secret = (credential.raw_secret_access_key or "").encode()
    return call.keyring.seal_token(_SECRET, secret, f"{call.account}/{call.region}/{store_id}")


# -------------------------------------------------------------------- create, update, delete


@operation("CreateCustomKeyStore", targets=on_account("CreateCustomKeyStore"), changes=True)
def create_custom_key_store(
    call: Call, request: wire.CreateCustomKeyStoreRequest, _account: Target
) -> wire.CreateCustomKeyStoreResponse:
    """Keep the configuration of an external key store; return its id."""
    kind = rules.check_new_members(request)
    known, name = stores_of(call), request.custom_key_store_name or ""
    rules.check_name_free(name, known.stores)
    if kind == rules.CLOUD_HSM:
        raise errors.CloudHsmClusterNotFound(
            f"CloudHSM cluster {request.cloud_hsm_cluster_id} does not exist: this server has no CloudHSM clusters."
        )
    store_id = "cks-" + call.entropy.random(9).hex()[:17]
    proxy = _new_proxy(call, request, store_id)
    rules.check_proxy_free(proxy, known.stores)
    most = call.quotas.custom_key_stores
    if len(known.stores) >= most:
        raise errors.LimitExceeded(
            f"The account has reached its quota of {most} custom key stores in this Region."
        )
    store = KeyStore(id=store_id, name=name, created=call.now, proxy=proxy)
    _put(call, KeyStores((*known.stores, store)))
    return wire.CreateCustomKeyStoreResponse(custom_key_store_id=store_id)


def _new_proxy(call: Call, request: wire.CreateCustomKeyStoreRequest, store_id: str) -> Proxy:
    credential = request.xks_proxy_authentication_credential
    assert credential is not None
    by_vpc = request.xks_proxy_connectivity == rules.VPC
    return Proxy(
        connectivity=request.xks_proxy_connectivity or "",
        endpoint=request.xks_proxy_uri_endpoint or "",
        path=request.xks_proxy_uri_path or "",
        access_key_id=credential.access_key_id or "",
        sealed_secret=_seal(call, store_id, credential),
        vpc_service=request.xks_proxy_vpc_endpoint_service_name,
        vpc_service_owner=(request.xks_proxy_vpc_endpoint_service_owner or call.account) if by_vpc else None,
    )


@operation("UpdateCustomKeyStore", targets=on_account("UpdateCustomKeyStore"), changes=True)
def update_custom_key_store(
    call: Call, request: wire.UpdateCustomKeyStoreRequest, _account: Target
) -> wire.UpdateCustomKeyStoreResponse:
    """Change a key store's name or how its proxy is reached."""
    known = stores_of(call)
    store = known.find(request.custom_key_store_id or "")
    rules.check_changed_members(request, store)
    others = known.without(store.id).stores
    name = request.new_custom_key_store_name or store.name
    rules.check_name_free(name, others)
    proxy = _changed_proxy(call, request, store)
    rules.check_proxy_free(proxy, others)
    _put(call, known.changed(msgspec.structs.replace(store, name=name, proxy=proxy)))
    return wire.UpdateCustomKeyStoreResponse()


def _changed_proxy(call: Call, request: wire.UpdateCustomKeyStoreRequest, store: KeyStore) -> Proxy:
    credential = request.xks_proxy_authentication_credential
    changes = rules.changed_fields(
        connectivity=request.xks_proxy_connectivity,
        endpoint=request.xks_proxy_uri_endpoint,
        path=request.xks_proxy_uri_path,
        access_key_id=credential.access_key_id if credential else None,
        sealed_secret=_seal(call, store.id, credential) if credential else None,
        vpc_service=request.xks_proxy_vpc_endpoint_service_name,
        vpc_service_owner=request.xks_proxy_vpc_endpoint_service_owner,
    )
    proxy = msgspec.structs.replace(store.proxy, **changes)
    if proxy.connectivity == rules.PUBLIC:
        return msgspec.structs.replace(proxy, vpc_service=None, vpc_service_owner=None)
    return msgspec.structs.replace(proxy, vpc_service_owner=proxy.vpc_service_owner or call.account)


@operation("DeleteCustomKeyStore", targets=on_account("DeleteCustomKeyStore"), changes=True)
def delete_custom_key_store(
    call: Call, request: wire.DeleteCustomKeyStoreRequest, _account: Target
) -> wire.DeleteCustomKeyStoreResponse:
    """Forget a key store that is disconnected and holds no keys."""
    known = stores_of(call)
    store = known.find(request.custom_key_store_id or "")
    rules.check_disconnected(store)
    if call.tx.count(keys_counter(call.account, call.region, store.id)) > 0:
        raise errors.CustomKeyStoreHasCmks(f"Custom key store {store.id} contains KMS keys.")
    _put(call, known.without(store.id))
    return wire.DeleteCustomKeyStoreResponse()


# ------------------------------------------------------------------------------- describe


@operation("DescribeCustomKeyStores", targets=on_account("DescribeCustomKeyStores"))
def describe_custom_key_stores(
    call: Call, request: wire.DescribeCustomKeyStoresRequest, _account: Target
) -> wire.DescribeCustomKeyStoresResponse:
    """Return a page of the account's key stores in the Region, or the one that is named."""
    shown = [rules.list_entry(store) for store in _asked_for(request, stores_of(call))]
    scope = request.custom_key_store_id or request.custom_key_store_name or ""
    entries, marker = page_list(call, shown, request.limit or _PAGE, request.marker, scope)
    return wire.DescribeCustomKeyStoresResponse(
        custom_key_stores=entries, next_marker=marker, truncated=marker is not None
    )


def _asked_for(request: wire.DescribeCustomKeyStoresRequest, known: KeyStores) -> tuple[KeyStore, ...]:
    name = request.custom_key_store_name
    if request.custom_key_store_id is not None:
        if name is not None:
            raise errors.Validation(
                "You can specify either CustomKeyStoreId or CustomKeyStoreName, but not both."
            )
        return (known.find(request.custom_key_store_id),)
    if name is None:
        return known.stores
    for store in known.stores:
        if store.name == name:
            return (store,)
    raise errors.CustomKeyStoreNotFound(f"Custom key store {name} does not exist.")


# --------------------------------------------------------------------- connect, disconnect


@operation("ConnectCustomKeyStore", targets=on_account("ConnectCustomKeyStore"), changes=True)
def connect_custom_key_store(
    call: Call, request: wire.ConnectCustomKeyStoreRequest, _account: Target
) -> wire.ConnectCustomKeyStoreResponse:
    """Refuse: this server has no connection to external key managers."""
    store = stores_of(call).find(request.custom_key_store_id or "")
    raise errors.UnsupportedOperation(
        f"Connecting external key stores is not supported by this server: custom key store {store.id} "
        f"stays {store.state}."
    )


@operation("DisconnectCustomKeyStore", targets=on_account("DisconnectCustomKeyStore"), changes=True)
def disconnect_custom_key_store(
    call: Call, request: wire.DisconnectCustomKeyStoreRequest, _account: Target
) -> wire.DisconnectCustomKeyStoreResponse:
    """Disconnect a key store; one that is disconnected already refuses, as in AWS."""
    known = stores_of(call)
    store = known.find(request.custom_key_store_id or "")
    if store.state in {rules.DISCONNECTED, rules.DISCONNECTING}:
        raise errors.CustomKeyStoreInvalidState(
            f"Custom key store {store.id} cannot be disconnected: its ConnectionState is {store.state}."
        )
    _put(call, known.changed(msgspec.structs.replace(store, state=rules.DISCONNECTED)))
    return wire.DisconnectCustomKeyStoreResponse()


OPERATIONS = (
    create_custom_key_store,
    update_custom_key_store,
    delete_custom_key_store,
    describe_custom_key_stores,
    connect_custom_key_store,
    disconnect_custom_key_store,
)
