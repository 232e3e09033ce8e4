"""The policy of a form: what whoever signed it lets others upload, and until when.

Source: Amazon S3 API Reference, "Browser-based uploads using POST (AWS Signature Version 4)".
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from keystead import errors
from keystead.wire.signing import Claim, Scope

_FREE: Final = frozenset({"x-amz-signature", "awsaccesskeyid", "signature", "file", "policy"})
"""Fields that no condition need name."""
_IGNORED: Final = "x-ignore-"
_SIGNING: Final = ("x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature")
_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_SCOPE_PARTS: Final = 5
_RANGE: Final = "content-length-range"
_NO_LIMIT: Final = (0, 1 << 62)
_MATCHES: Final[dict[str, Callable[[str, str], bool]]] = {"eq": str.__eq__, "starts-with": str.startswith}


def claim_of(fields: Mapping[str, str]) -> Claim:
    """What a form says of its signature; nothing of it is proven.

    Raises:
        errors.InvalidS3Argument: a field of it is missing, or cannot be read.
    """
    missing = next((name for name in _SIGNING if name not in fields), None)
    if missing is not None:
        raise errors.InvalidS3Argument(
            f"Bucket POST must contain a field named '{missing}'. If it is specified, please check the order of "
            "the fields."
        )
    algorithm, credential, date, signature = (fields[name] for name in _SIGNING)
    parts = credential.split("/")
    if algorithm != _ALGORITHM or len(parts) != _SCOPE_PARTS or parts[4] != "aws4_request":
        raise errors.InvalidS3Argument("The authorization mechanism of the form cannot be read.")
    key, day, region, service = parts[:4]
    scope = Scope(key, day, region, service, (), credential.partition("/")[2])
    return Claim(scope, signature, date, 0, None, fields.get("x-amz-security-token"))


def check(text: str, fields: Mapping[str, str], bucket: str, now: float) -> tuple[int, int]:
    """The least and the most bytes that the file may have, if the policy allows the form.

    Raises:
        errors.InvalidPostPolicy: it is no policy.
        errors.S3AccessDenied: it does not allow it.
    """
    policy = _decoded(text)
    if _instant(policy.get("expiration")) <= now:
        raise errors.S3AccessDenied("Invalid according to Policy: Policy expired.")
    conditions = policy.get("conditions")
    if not isinstance(conditions, list):
        raise errors.InvalidPostPolicy("Invalid Policy: Policy must have conditions.")
    given, named, limits = {**fields, "bucket": bucket}, set[str](), _NO_LIMIT
    for condition in conditions:
        for operator, name, value in _read(condition):
            if operator == _RANGE:
                limits = (name, value)
            elif _MATCHES[operator](given.get(name, ""), value):
                named.add(name)
            else:
                raise errors.S3AccessDenied(
                    f"Invalid according to Policy: Policy Condition failed: {json.dumps([operator, '$' + name, value])}"
                )
    extra = [x for x in fields if x not in named and x not in _FREE and not x.startswith(_IGNORED)]
    if extra:
        raise errors.S3AccessDenied(f"Invalid according to Policy: Extra input fields: {', '.join(extra)}")
    return limits


def _decoded(text: str) -> dict[str, Any]:
    try:
        policy = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        policy = None
    if not isinstance(policy, dict):
        raise errors.InvalidPostPolicy("Invalid Policy: Invalid JSON.")
    return policy


def _instant(text: Any) -> float:
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        found = None
    if found is None or found.tzinfo is None:
        raise errors.InvalidPostPolicy("Invalid Policy: Invalid 'expiration' value.")
    return found.timestamp()


def _read(condition: Any) -> list[tuple[str, Any, Any]]:
    """A condition as operator, field (in lower case) and value; a range as its two numbers."""
    if isinstance(condition, dict) and condition and all(isinstance(x, str) for x in condition.values()):
        return [("eq", name.lower(), value) for name, value in condition.items()]
    match condition:
        case [str(operator), str(name), str(value)] if operator.lower() in _MATCHES and name.startswith("$"):
            return [(operator.lower(), name[1:].lower(), value)]
        case [str(operator), least, most] if operator.lower() == _RANGE and _are_sizes(least, most):
            return [(_RANGE, int(least), int(most))]
    raise errors.InvalidPostPolicy("Invalid Policy: Invalid condition.")


def _are_sizes(*numbers: Any) -> bool:
    return all(
        (isinstance(x, int) and not isinstance(x, bool) and x >= 0)
        or (isinstance(x, str) and x.isascii() and x.isdigit() and len(x) < 16)  # noqa: PLR2004  more than any disk
        for x in numbers
    )
