"""Which service and operation a request is for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from keystead import errors
from keystead.api.encoding import ENCODINGS, Encoding
from keystead.api.service import Service
from keystead.wire.http import Request, Response
from keystead.wire.protocols import query


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
        self._targets: dict[str, Route] = {}
        self._actions: dict[str, Route] = {}
        self._services = services
        for service in services.values():
            described = service.model
            for name in described.operations:
                route = Route(service, name, ENCODINGS[described.protocol])
                if described.protocol == "json":
                    self._targets[f"{described.target_prefix}.{name}"] = route
                else:
                    self._actions[name] = route
        first = next(s for s in services.values() if s.model.protocol == "json")
        self._fallback = Route(first, "", ENCODINGS["json"])

    def route(self, request: Request) -> Route:
        """The route of `request`.

        Raises:
            errors.UnknownOperation: no service here has such an operation.
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
        found = self._actions.get(query.parameters(request).get("Action", ""))
        if found is None:
            raise errors.UnknownOperation
        return found

    def named(self, service: str, operation: str) -> Route:
        """The route of a call that is made in this process.

        Raises:
            KeyError: there is no such service.
        """
        described = self._services[service]
        return Route(described, operation, ENCODINGS[described.model.protocol])

    def fallback(self) -> Route:
        """How to answer a request that has no route: AWS JSON, never HTML."""
        return self._fallback
