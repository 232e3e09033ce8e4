"""How a protocol's requests are read and its answers written, as HTTP messages."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from keystead import errors
from keystead.wire import model
from keystead.wire.http import Request, Response
from keystead.wire.protocols import json, query, rest_json

Decode = Callable[[Request], Any]
"""Reads a request struct; raises errors.Serialization if the request is not what the operation takes."""
Answer = Callable[[Any, str], Response]
"""The response for a success, of an answer struct and the request's id."""


class Encoding(Protocol):
    """One AWS protocol over HTTP."""

    def decoding(self, service: model.Service, operation: str) -> Decode:
        """What reads requests of the operation."""
        ...

    def answering(self, service: model.Service, operation: str) -> Answer:
        """What writes its answers."""
        ...

    def refusal(self, service: model.Service, error: errors.ApiError, request_id: str) -> Response:
        """The response for an error."""
        ...


class JsonEncoding:
    """AWS JSON 1.1."""

    _TYPE = ("Content-Type", json.CONTENT_TYPE)

    def decoding(self, service: model.Service, operation: str) -> Decode:
        return json.receiver(service, operation)

    def answering(self, _service: model.Service, _operation: str) -> Answer:
        return self._answer

    def _answer(self, answer: Any, request_id: str) -> Response:
        return Response(200, (("x-amzn-RequestId", request_id), self._TYPE, NO_STORE), json.encode(answer))

    def refusal(self, service: model.Service, error: errors.ApiError, request_id: str) -> Response:
        headers = (("x-amzn-RequestId", request_id), self._TYPE, NO_STORE)
        return Response(error.status, headers, json.encode_error(error, service.message))


class QueryEncoding:
    """AWS Query: form parameters in, XML out."""

    _TYPE = ("Content-Type", query.CONTENT_TYPE)

    def decoding(self, service: model.Service, operation: str) -> Decode:
        return lambda request: query.decode(service, operation, query.parameters(request))

    def answering(self, service: model.Service, operation: str) -> Answer:
        return partial(self._answer, service, operation)

    def _answer(self, service: model.Service, operation: str, answer: Any, request_id: str) -> Response:
        body = query.encode(service, operation, answer, request_id)
        return Response(200, (("x-amzn-RequestId", request_id), self._TYPE, NO_STORE), body)

    def refusal(self, service: model.Service, error: errors.ApiError, request_id: str) -> Response:
        _, status = query.code_and_status(service, error)
        headers = (("x-amzn-RequestId", request_id), self._TYPE, NO_STORE)
        return Response(status, headers, query.encode_error(service, error, request_id))


class RestJsonEncoding:
    """REST with JSON."""

    _TYPE = ("Content-Type", rest_json.CONTENT_TYPE)

    def decoding(self, service: model.Service, operation: str) -> Decode:
        return lambda request: rest_json.decode(service, operation, request.body, request.query, request.path)

    def answering(self, service: model.Service, operation: str) -> Answer:
        return partial(self._answer, service, operation)

    def _answer(self, service: model.Service, operation: str, answer: Any, request_id: str) -> Response:
        headers = (("x-amzn-RequestId", request_id), self._TYPE, NO_STORE)
        return Response(service.operations[operation].status, headers, rest_json.encode(answer))

    def refusal(self, service: model.Service, error: errors.ApiError, request_id: str) -> Response:
        code, status = service.errors.get(error.code, (error.code, error.status))
        kind = ("x-amzn-ErrorType", code)
        headers = (("x-amzn-RequestId", request_id), kind, self._TYPE, NO_STORE)
        return Response(status, headers, rest_json.encode_error(error))


NO_STORE = ("Cache-Control", "no-cache, no-store, must-revalidate, private")
"""What KMS sends: answers hold plaintext and data keys."""

ENCODINGS: dict[model.Protocol, Encoding] = {
    "json": JsonEncoding(), "query": QueryEncoding(), "rest-json": RestJsonEncoding(),
}  # fmt: skip
