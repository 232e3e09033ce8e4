"""Which service and operation a request is for.

Clients of the JSON protocol name both in `X-Amz-Target`. Those of the Query protocol name the operation only
(`Action`, and the API's `Version`): the service is the one that they sign for. What is not signed, or signed
for a service without that protocol, is told apart by the action, which no two services share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from keystead import errors
from keystead.api.encoding import ENCODINGS, Encoding
from keystead.api.service import Service
from keystead.wire.http import Request, Response
from keystead.wire.protocols import query

_SCOPE = re.compile(r"Credential=[^/,&]*/[^/,&]*/[^/,&]*/([^/,&]*)/")
"""Of the Authorization header, or of a presigned URL's X-Amz-Credential; no more than a claim."""


class Route(msgspec.Struct, frozen=True):
    """A service, one of its operations by name, and the encoding that its clients use."""

    service: Service
    operation: str
    encoding: Encoding

    def decode(self, request: Request) -> Any:
        """The request struct.

        Raises:
            errors.Serialization: the body is not what the operation takes.
        """
        return self.encoding.decode(self.service.model, self.operation, request)

    def answer(self, answer: Any, request_id: str) -> Response:
        """The response for a success."""
        return self.encoding.answer(self.service.model, self.operation, answer, request_id)

    def refusal(self, error: errors.ApiError, request_id: str) -> Response:
        """The response for an error."""
        return self.encoding.refusal(self.service.model, error, request_id)


class Router:
    """Finds the route of a request: by `X-Amz-Target` (JSON) or by `Action` (Query)."""

    def __init__(self, services: Mapping[str, Service]) -> None:
        self._services = services
        routes = [
            Route(service, name, ENCODINGS[service.model.protocol])
            for service in services.values()
            for name in service.model.operations
        ]
        self._targets = {_target(route): route for route in routes if route.service.model.protocol == "json"}
        self._actions = {
            route.operation: route for route in routes if route.service.model.protocol == "query"
        }
        self._fallback = next(self._any(s) for s in services.values() if s.model.protocol == "json")

    def route(self, request: Request) -> Route:
        """The route of `request`.

        Raises:
            errors.UnknownOperation: no service here has such an operation.
            errors.MissingAction: a service of the Query protocol is asked for nothing.
            errors.Serialization: its form cannot be read.
        """
        target = request.headers.get("x-amz-target")
        if target is not None:
            route = self._targets.get(target)
            if route is None or request.method != "POST":
                raise errors.UnknownOperation
            return route
        if request.method not in {"GET", "POST"}:
            raise errors.UnknownOperation
        return self._by_action(request)

    def _by_action(self, request: Request) -> Route:
        fields = query.parameters(request)
        action = fields.get("Action")
        signed = self._signed_for(request)
        found = self._actions.get(action or "")
        if signed is None:
            if found is None:
                raise errors.UnknownOperation
            signed = found.service
        if action is None:
            raise errors.MissingAction("The request is missing an action or a required parameter.")
        version = fields.get("Version", "NO_VERSION_SPECIFIED")
        if found is None or found.service is not signed or version != signed.model.version:
            raise query.unknown(action, version)
        return found

    def _signed_for(self, request: Request) -> Service | None:
        """The service of the Query protocol that the request claims to be signed for."""
        signed = _SCOPE.search(request.headers.get("authorization") or unquote(request.query))
        service = None if signed is None else self._services.get(signed[1])
        return service if service is not None and service.model.protocol == "query" else None

    def _any(self, service: Service) -> Route:
        """A route of the service, for refusals that name no operation."""
        return Route(service, "", ENCODINGS[service.model.protocol])

    def named(self, service: str, operation: str) -> Route:
        """The route of a call that is made in this process.

        Raises:
            KeyError: there is no such service.
        """
        described = self._services[service]
        return Route(described, operation, ENCODINGS[described.model.protocol])

    def fallback(self, request: Request) -> Route:
        """How to answer a request that has no route: as the service that it is signed for, or else AWS JSON."""
        signed = self._signed_for(request) if "x-amz-target" not in request.headers else None
        return self._fallback if signed is None else self._any(signed)


def _target(route: Route) -> str:
    return f"{route.service.model.target_prefix}.{route.operation}"
