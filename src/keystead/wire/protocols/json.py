"""AWS JSON 1.1 (Smithy's awsJson1_1): one object in, one object out.

Unknown members are ignored, as AWS does, so that newer clients work; of a repeated member the
last counts. No message says anything of the values that came: they may be plaintext.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache

import msgspec

from keystead.errors import AccessDenied, ApiError, Serialization, UnknownOperation
from keystead.wire.http import Request
from keystead.wire.kept import kept
from keystead.wire.model import Service, Shape

CONTENT_TYPE = "application/x-amz-json-1.1"

# msgspec names types only, never values: "Expected `str | null`, got `int` - at `$.KeyId`"
_MISMATCH = re.compile(r"Expected `([a-z]+)[^`]*`, got `([a-z]+)`")
_TOKENS = {
    "int": "NUMBER_VALUE",
    "float": "DECIMAL_VALUE",
    "str": "STRING_VALUE",
    "bool": "BOOLEAN_VALUE",
    "null": "NULL_VALUE",
}
_TARGETS = {
    "str": "a String",
    "bytes": "a Blob",
    "int": "an Integer",
    "float": "a Timestamp",
    "bool": "a Boolean",
}
_PLACES = {"array": "Expected list or null", "object": "Expected map or null"}
_STARTS = {
    "object": "Start of structure or map found where not expected",
    "array": "Start of list found where not expected",
}
_encoder = msgspec.json.Encoder()


def decode(service: Service, operation: str, body: bytes) -> Shape:
    """The request of `operation` in `body`; an empty body is an empty object.

    Raises:
        UnknownOperation: the service has no such operation.
        Serialization: `body` is not JSON in UTF-8, not an object, or has a value of the wrong type.
    """
    shape = service.operations.get(operation)
    if shape is None:
        raise UnknownOperation
    try:
        if not body.isascii():
            body.decode()  # the decoder does not look into strings of members that it skips
        return _reader(shape.input)(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        said = _explain(error)
    # Raised out here, so that no traceback leads to an exception that holds the body.
    raise Serialization(said)


def receiver(service: Service, operation: str) -> Callable[[Request], Shape]:
    """What does the same with requests of the operation; one that keeps the constraints of its shape is of a class that says so (`Shape.KEPT`).

    The decoder is made when the first request comes: most operations are never called.
    """
    shape = service.operations.get(operation)
    read: Callable[[bytes], Shape] | None = None

    def receive(request: Request) -> Shape:
        nonlocal read
        body = request.body
        try:
            if not body.isascii():
                body.decode()
            if read is None and shape is not None:
                read = _kept_reader(shape.input)
            if read is not None:
                return read(body or b"{}")
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            pass  # what is wrong, and how that is said, is found out below
        return decode(service, operation, body)

    return receive


def encode(answer: Shape | None) -> bytes:
    """The answer's body: blobs in base64, absent members left out; empty for no answer."""
    return b"" if answer is None else _encoder.encode(answer)


def encode_error(error: ApiError, label: str = "message") -> bytes:
    """The body of an error: `__type`, its message as `label` if it has one, and `Reason`.

    KMS has answered denials with `Message`; they carry both, since clients read either.
    """
    said = {}
    if error.message is not None:
        denied = error.code == AccessDenied.code
        said = dict.fromkeys(("message", "Message") if denied else (label,), error.message)
    if error.reason is not None:
        said["Reason"] = error.reason
    return _encoder.encode({"__type": error.code, **said})


@cache
def _reader(shape: type[Shape]) -> Callable[[bytes], Shape]:
    return msgspec.json.Decoder(shape).decode


@cache
def _kept_reader(shape: type[Shape]) -> Callable[[bytes], Shape]:
    return msgspec.json.Decoder(kept(shape)).decode


def _explain(error: Exception) -> str:
    """AWS's words for what is wrong, without anything of the body."""
    if isinstance(error, RecursionError):
        return "The request is nested too deeply"
    if not isinstance(error, msgspec.ValidationError):
        return "The request body is not valid JSON"
    text = str(error)
    found = _MISMATCH.match(text)
    if found is None:
        return "Invalid base64 in a blob" if "base64" in text else "Number is out of range"
    wanted, got = found.groups()
    if got in _STARTS:
        return _STARTS[got]
    return _PLACES.get(wanted) or f"{_TOKENS.get(got, 'VALUE')} can not be converted to {_TARGETS[wanted]}"
