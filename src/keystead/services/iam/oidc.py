"""OpenID Connect providers: Create, Get, List, Delete, thumbprints and client ids.

Source: IAM API Reference, CreateOpenIDConnectProvider and its kin.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.api.directory import OIDC_PROVIDERS, oidc_provider_at
from keystead.api.operation import Targets
from keystead.identity import OidcProvider
from keystead.identity.names import iam_arn
from keystead.services.iam.shown import shown_tags
from keystead.services.iam.tag_rules import new_tags
from keystead.services.iam.targets import Facts, on_account, request_tags, resource_tags
from keystead.wire.models import iam as wire

_SCHEME: Final = "https://"
_MOST_PROVIDERS: Final = 100
_MOST_CLIENTS: Final = 100
_MOST_THUMBPRINTS: Final = 5
"""IAM User Guide, "IAM and AWS STS quotas"."""


def on_provider(action: str, facts: Facts | None = None) -> Targets:
    """The provider that `request.open_id_connect_provider_arn` names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        identifier = request.open_id_connect_provider_arn or ""
        account, found = _account(identifier), oidc_provider_at(call.tx, identifier)
        given = resource_tags(found.tags) if found is not None else {}
        if facts is not None:
            given = {**given, **facts(call, request)}
        return (Target(f"iam:{action}", identifier, account, facts=given),)

    return targets


def _account(identifier: str) -> str:
    """The account in a provider's ARN.

    Raises:
        errors.InvalidInput: it is no ARN of a provider.
    """
    try:
        parts = arn.parse(identifier)
    except ValueError:
        parts = None
    if parts is None or parts.service != "iam" or not parts.resource.startswith("oidc-provider/"):
        raise errors.InvalidInput(f"Invalid ARN: {identifier}")
    return parts.account


def existing_provider(call: Call, identifier: str | None) -> OidcProvider:
    """The provider with this ARN.

    Raises:
        errors.NoSuchEntity: there is none.
    """
    found = oidc_provider_at(call.tx, identifier or "")
    if found is None:
        raise errors.NoSuchEntity(f"OpenIDConnect Provider not found for arn {identifier}")
    return found


def put_provider(call: Call, provider: OidcProvider) -> None:
    """None; the provider will be stored as it is here."""
    call.tx.put(OIDC_PROVIDERS, f"{provider.account}/{provider.url}", provider)


# ------------------------------------------------------------------------------------ create


def _create_targets(call: Call, request: wire.CreateOpenIDConnectProviderRequest) -> tuple[Target, ...]:
    resource = iam_arn(call.account, "oidc-provider", "/", (request.url or "").removeprefix(_SCHEME))
    facts = request_tags(call, request)
    actions = ["CreateOpenIDConnectProvider", *(["TagOpenIDConnectProvider"] if request.tags else [])]
    return tuple(Target(f"iam:{action}", resource, call.account, facts=facts) for action in actions)


def _checked_url(url: str) -> str:
    """The URL without its scheme. It may have a port, which AWS's may not.

    Raises:
        errors.Validation: it is no URL.
        errors.InvalidInput: it is not one of https, or has a query, a fragment or a user.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    if not host or not url.isascii() or any(map(str.isspace, url)) or "\0" in url:
        raise errors.Validation("Invalid Open ID Connect Provider URL")
    if not url.startswith(_SCHEME):
        raise errors.InvalidInput("Invalid Open ID Connect Provider URL. The URL must begin with https://.")
    if "?" in url or "#" in url or "@" in parts.netloc:
        raise errors.InvalidInput("Invalid Open ID Connect Provider URL")
    return url.removeprefix(_SCHEME)


def _checked_clients(given: Sequence[str]) -> tuple[str, ...]:
    clients = tuple(dict.fromkeys(given))
    if len(clients) > _MOST_CLIENTS:
        raise errors.LimitExceeded(
            f"Cannot exceed quota for ClientIdsPerOpenIdConnectProvider: {_MOST_CLIENTS}"
        )
    return clients


def _checked_thumbprints(given: Sequence[str]) -> tuple[str, ...]:
    if len(given) > _MOST_THUMBPRINTS:
        raise errors.InvalidInput(f"Thumbprint list must contain fewer than {_MOST_THUMBPRINTS} entries.")
    if not all(set(thumbprint.lower()) <= set("0123456789abcdef") for thumbprint in given):
        raise errors.InvalidInput("Thumbprints must be SHA-1 hashes in hexadecimal digits.")
    return tuple(thumbprint.lower() for thumbprint in given)


@operation("CreateOpenIDConnectProvider", targets=_create_targets, changes=True)
def create_provider(
    call: Call, request: wire.CreateOpenIDConnectProviderRequest, *_targets: Target
) -> wire.CreateOpenIDConnectProviderResponse:
    """Register an issuer, whose tokens roles' trust policies can then admit."""
    provider = OidcProvider(
        account=call.account,
        url=_checked_url(request.url or ""),
        created=call.now,
        client_ids=_checked_clients(request.client_id_list or ()),
        thumbprints=_checked_thumbprints(request.thumbprint_list or ()),
        tags=new_tags(request.tags),
    )
    if oidc_provider_at(call.tx, provider.arn) is not None:
        raise errors.EntityAlreadyExists(f"Provider with url {provider.issuer} already exists.")
    if len(call.tx.scan(OIDC_PROVIDERS, f"{call.account}/", limit=_MOST_PROVIDERS)) >= _MOST_PROVIDERS:
        raise errors.LimitExceeded(
            f"Cannot exceed quota for OpenIdConnectProvidersPerAccount: {_MOST_PROVIDERS}"
        )
    put_provider(call, provider)
    return wire.CreateOpenIDConnectProviderResponse(
        open_id_connect_provider_arn=provider.arn, tags=shown_tags(provider.tags) or None
    )


# ------------------------------------------------------------------------- read and change


@operation("GetOpenIDConnectProvider", targets=on_provider("GetOpenIDConnectProvider"))
def get_provider(
    call: Call, request: wire.GetOpenIDConnectProviderRequest, _provider: Target
) -> wire.GetOpenIDConnectProviderResponse:
    """Return what is registered of an issuer."""
    provider = existing_provider(call, request.open_id_connect_provider_arn)
    return wire.GetOpenIDConnectProviderResponse(
        url=provider.url,
        client_id_list=list(provider.client_ids),
        thumbprint_list=list(provider.thumbprints),
        create_date=provider.created,
        tags=shown_tags(provider.tags) or None,
    )


@operation("ListOpenIDConnectProviders", targets=on_account("ListOpenIDConnectProviders"))
def list_providers(
    call: Call, _request: wire.ListOpenIDConnectProvidersRequest, _account: Target
) -> wire.ListOpenIDConnectProvidersResponse:
    """Return the account's providers."""
    rows = call.tx.scan(OIDC_PROVIDERS, f"{call.account}/")
    return wire.ListOpenIDConnectProvidersResponse(
        open_id_connect_provider_list=[
            wire.OpenIDConnectProviderListEntry(arn=provider.arn) for _, provider in rows
        ]
    )


@operation("DeleteOpenIDConnectProvider", targets=on_provider("DeleteOpenIDConnectProvider"), changes=True)
def delete_provider(call: Call, request: wire.DeleteOpenIDConnectProviderRequest, _provider: Target) -> None:
    """Forget an issuer; one that is not registered is no error (IAM API Reference)."""
    provider = oidc_provider_at(call.tx, request.open_id_connect_provider_arn or "")
    if provider is not None:
        call.tx.delete(OIDC_PROVIDERS, f"{provider.account}/{provider.url}")


def _change(call: Call, request: Any, changed: Callable[[OidcProvider], dict[str, Any]]) -> None:
    provider = existing_provider(call, request.open_id_connect_provider_arn)
    put_provider(call, msgspec.structs.replace(provider, **changed(provider)))


@operation(
    "UpdateOpenIDConnectProviderThumbprint",
    targets=on_provider("UpdateOpenIDConnectProviderThumbprint"),
    changes=True,
)
def update_thumbprints(
    call: Call, request: wire.UpdateOpenIDConnectProviderThumbprintRequest, _provider: Target
) -> None:
    """Replace a provider's thumbprints."""
    given = _checked_thumbprints(request.thumbprint_list or ())
    _change(call, request, lambda _provider: {"thumbprints": given})


@operation(
    "AddClientIDToOpenIDConnectProvider",
    targets=on_provider("AddClientIDToOpenIDConnectProvider"),
    changes=True,
)
def add_client(
    call: Call, request: wire.AddClientIDToOpenIDConnectProviderRequest, _provider: Target
) -> None:
    """Add an audience; one that is there already is no error."""
    client = request.client_id or ""
    _change(call, request, lambda provider: {"client_ids": _checked_clients((*provider.client_ids, client))})


@operation(
    "RemoveClientIDFromOpenIDConnectProvider",
    targets=on_provider("RemoveClientIDFromOpenIDConnectProvider"),
    changes=True,
)
def remove_client(
    call: Call, request: wire.RemoveClientIDFromOpenIDConnectProviderRequest, _provider: Target
) -> None:
    """Remove an audience; one that is not there is no error."""
    gone = request.client_id
    _change(
        call,
        request,
        lambda provider: {"client_ids": tuple(client for client in provider.client_ids if client != gone)},
    )


OPERATIONS = (
    create_provider,
    get_provider,
    list_providers,
    delete_provider,
    update_thumbprints,
    add_client,
    remove_client,
)
