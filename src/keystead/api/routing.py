"""Which service and operation a request is for.

Clients of the JSON protocol name both in `X-Amz-Target`. Those of S3 and of services with JSON over REST sign for the
service, and address what they want. Those of the Query protocol name the operation only (`Action`, and the API's
`Version`): the service is the one that they sign for. What is not signed, or signed
for a service without that protocol, is told apart by the action, which no two services share.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from keystead import errors
from keystead.api.encoding import ENCODINGS, Answer, Decode, Encoding
from keystead.api.operation import Operation
from keystead.api.rest import Exchange, RestEncoding, RestRouter, is_for_s3
from keystead.api.service import Service
from keystead.wire import model
from keystead.wire.address import Address
from keystead.wire.http import Request, Response
from keystead.wire.protocols import query, rest_json

_S3 = "s3"
_SCOPE = re.compile(r"Credential=[^/,&]*/[^/,&]*/[^/,&]*/([^/,&]*)/")
"""Of the Authorization header, or of a presigned URL's X-Amz-Credential; no more than a claim."""
_NAME = re.compile(r"[a-z0-9-]+")
_ACTION = b"Action="


def _undecided(*_: Any) -> Any:
    """What stands for functions of a route until it is made."""
    raise NotImplementedError


class Route(msgspec.Struct, frozen=True):
    """A service, one of its operations by name, and the encoding that its clients use.

    `exchange` is what a request to a service of a REST protocol has besides its struct. `offered` is the operation
    itself, None if the service does not offer it. `name` is the service's. `plain`: the operation is offered, only
    signatures say who asks for it, and there is no `exchange`. `tracked`: its uses of keys are told (`Operation.tracks_use`).
    `decode` reads its requests, `answer` writes its answers.
    """

    service: Service
    operation: str
    encoding: Encoding
    exchange: Exchange | None = None
    offered: Operation | None = None
    name: str = ""
    plain: bool = False
    tracked: bool = False
    decode: Decode = _undecided
    answer: Answer = _undecided

    def __post_init__(self) -> None:
        """What follows from the others is worked out once."""
        offered, described = self.service.operations.get(self.operation), self.service.model
        signed = offered is not None and offered.identify is None and offered.certified is None
        follows = {
            "offered": offered,
            "name": self.service.name,
            "plain": signed and self.exchange is None,
            "tracked": offered is not None and offered.tracks_use,
            "decode": self.encoding.decoding(described, self.operation),
            "answer": self.encoding.answering(described, self.operation),
        }
        for name, value in follows.items():
            msgspec.structs.force_setattr(self, name, value)

    def refusal(self, error: errors.ApiError, request_id: str) -> Response:
        """The response for an error."""
        return self.encoding.refusal(self.service.model, error, request_id)


class Router:
    """Finds the route of a request: by `X-Amz-Target` (JSON), by its address (REST) or by `Action` (Query).

    Hosts under `domains` name a bucket of S3 before them.
    """

    def __init__(self, services: Mapping[str, Service], domains: Sequence[str] = ()) -> None:
        self._services = services
        self._domains = domains
        rest = [service for service in services.values() if service.model.protocol == "rest-xml"]
        self._rest = {
            service.name: RestRouter(service.model, tuple(service.operations), domains) for service in rest
        }
        routes = [
            Route(service, name, ENCODINGS[service.model.protocol])
            for service in services.values()
            if service.name not in self._rest
            for name in service.model.operations
        ]
        self._targets = {
            target: route
            for route in routes
            if route.service.model.protocol == "json"
            for target in _targets(route)
        }
        self._actions = {
            route.operation: route for route in routes if route.service.model.protocol == "query"
        }
        self._by_form = next((self._any(s) for s in services.values() if s.model.protocol == "query"), None)
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
        if self._is_for_s3(request):
            name, exchange = self._rest[_S3].route(request)
            return Route(self._services[_S3], name, RestEncoding(exchange), exchange)
        signed = self._signed_for(request, "rest-json")
        if signed is not None:
            asked = rest_json.operation_at(signed.model, request.method, request.path)
            if asked is None:
                raise errors.UnknownOperation
            return Route(signed, asked, _encoding_of(signed))
        if request.method not in {"GET", "POST"}:
            raise errors.UnknownOperation
        return self._by_action(request)

    def bucket_posted(self, request: Request) -> Address | None:
        """The bucket that something is posted to, None if it is not one alone.

        Raises:
            errors.Serialization: the path cannot be read.
        """
        if request.query or not self._is_for_s3(request):
            return None
        address = self._rest[_S3].exchange(request).address
        return address if address.bucket and not address.key else None

    def preflight(self, request: Request) -> Route | None:
        """How to answer a request whose method is OPTIONS, None if it is not about a bucket.

        Raises:
            errors.Serialization: path or query cannot be read.
        """
        if not self._is_for_s3(request):
            return None
        exchange = self._rest[_S3].exchange(request)
        return Route(self._services[_S3], "", RestEncoding(exchange), exchange)

    def _is_for_s3(self, request: Request) -> bool:
        return _S3 in self._rest and is_for_s3(request.method, request.target, request.headers, self._domains)

    def _by_action(self, request: Request) -> Route:
        fields = query.parameters(request)
        action = fields.get("Action")
        signed = self._signed_for(request)
        found = self._actions.get(action or "")
        if signed is None:
            if found is None and action and self._is_for_another(request):
                raise query.unknown(action, fields.get("Version", "NO_VERSION_SPECIFIED"))
            if found is None:
                raise errors.UnknownOperation
            signed = found.service
        if action is None:
            raise errors.MissingAction("The request is missing an action or a required parameter.")
        version = fields.get("Version", "NO_VERSION_SPECIFIED")
        if found is None or found.service is not signed or version != signed.model.version:
            raise query.unknown(action, version)
        return found

    def _signed_for(self, request: Request, protocol: model.Protocol = "query") -> Service | None:
        """The service of a protocol that the request claims to be signed for."""
        service = self._services.get(_scope(request))
        return service if service is not None and service.model.protocol == protocol else None

    def _is_for_another(self, request: Request) -> bool:
        """Whether a form is signed for a service that is not here: clients of the Query protocol read XML only."""
        signed = _scope(request)
        form = request.body or request.query.encode()
        return signed not in self._services and _NAME.fullmatch(signed) is not None and _ACTION in form

    def _any(self, service: Service) -> Route:
        """A route of the service, for refusals that name no operation."""
        return Route(service, "", _encoding_of(service))

    def named(self, service: str, operation: str) -> Route:
        """The route of a call that is made in this process.

        Raises:
            KeyError: there is no such service.
        """
        described = self._services[service]
        return Route(described, operation, _encoding_of(described))

    def fallback(self, request: Request) -> Route:
        """How to answer a request that has no route: as the service that it is signed for.

        One that is signed for a service that is not here is answered as its clients read it: a form in XML, or else JSON.
        """
        if "x-amz-target" not in request.headers and self._is_for_s3(request):
            exchange = Exchange(Address(), head=request.method == "HEAD", headers=[])
            return Route(self._services[_S3], "", RestEncoding(exchange), exchange)
        if "x-amz-target" in request.headers:
            return self._fallback
        signed = self._signed_for(request) or self._signed_for(request, "rest-json")
        if signed is None and self._by_form is not None and self._is_for_another(request):
            return self._by_form
        return self._fallback if signed is None else self._any(signed)


def _scope(request: Request) -> str:
    """The service that the request claims to be signed for, empty if it claims none."""
    signed = _SCOPE.search(request.headers.get("authorization") or unquote(request.query))
    return "" if signed is None else signed[1]


def _encoding_of(service: Service) -> Encoding:
    if service.model.protocol == "rest-xml":
        return RestEncoding(Exchange(Address(), headers=[]))
    return ENCODINGS[service.model.protocol]


def _targets(route: Route) -> tuple[str, str]:
    """How clients name the operation in `X-Amz-Target`.

    CloudTrail's service shape has a namespace, which botocore sends and the SDKs made from Smithy models (Go, JavaScript,
    Rust) leave out.
    """
    prefix = route.service.model.target_prefix
    return f"{prefix}.{route.operation}", f"{prefix.rpartition('.')[2]}.{route.operation}"
