"""Pages: MaxResults, and a NextToken that only this server can make.

A token is sealed for its operation, the caller's account and what the request asked for.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from operator import attrgetter
from typing import Any, Final, TypeVar

from keystead import errors
from keystead.api import Call
from keystead.services.organizations.refusals import invalid

T = TypeVar("T")
_KIND: Final = "organizations-token"
_PAGE: Final = 20
"""The most entries of a page (API Reference, MaxResults); a request may ask for less."""


def page(call: Call, request: Any, items: Iterable[T], name: str = "id") -> tuple[list[T], str | None]:
    """One page of `items` in the order of their attribute `name`, and the token of the next if there is one.

    Raises:
        errors.OrganizationsInvalidInput: the request's token was not given out for this list.
    """
    position = attrgetter(name)
    after = _read(call, request.next_token, _scope(call, request))
    rest = sorted((item for item in items if position(item) > after), key=position)
    limit = getattr(request, "max_results", None) or _PAGE
    shown = rest[:limit]
    if len(rest) <= limit:
        return shown, None
    return shown, _make(call, position(shown[-1]), _scope(call, request))


def _make(call: Call, position: str, scope: str) -> str:
    sealed = call.keyring.seal_token(_KIND, position.encode(), scope)
    return base64.urlsafe_b64encode(sealed).decode()


def _read(call: Call, token: str | None, scope: str) -> str:
    if token is None:
        return ""
    try:
        sealed = base64.urlsafe_b64decode(token.encode("ascii"))
        return call.keyring.open_token(_KIND, sealed, scope).decode()
    except (binascii.Error, ValueError, errors.DecryptionFailed):
        raise invalid("INVALID_NEXT_TOKEN") from None


def _scope(call: Call, request: Any) -> str:
    asked = [getattr(request, member.attribute) for member in request.MEMBERS if member.name not in _OF_PAGES]
    return "\0".join([call.operation, call.account, repr(asked)])


_OF_PAGES: Final = frozenset({"NextToken", "MaxResults"})
