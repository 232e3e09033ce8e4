"""ValidatePolicy's issues of the values of conditions: their JSON types, and the forms that some keys' values have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final

from keystead.policy import condition, scalars
from keystead.policy.resource_issues import REGION
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

_VIA: Final = re.compile(r"[a-z0-9-]+\.[a-z]{2,}(?:-[a-z]+)+-[0-9]+\.amazonaws\.com(?:\.cn)?", re.ASCII)
_PRINCIPAL: Final = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|aws\.internal)", re.ASCII
)
_ID: Final = r"-(?:[0-9a-z]{8}|[0-9a-z]{17})"
_KEY_ARN: Final = re.compile(r"arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+", re.ASCII)

_FORMS: Final[dict[str, tuple[str, re.Pattern[str], str]]] = {
    "kms:viaservice": ("INVALID_SERVICE_PRINCIPAL_FORMAT", _VIA, "SERVICE.REGION.amazonaws.com"),
    "aws:principalservicename": ("INVALID_SERVICE_PRINCIPAL_FORMAT", _PRINCIPAL, "SERVICE.amazonaws.com"),
    "aws:requestedregion": ("INVALID_REGION", REGION, "us-east-1"),
    "aws:sourcevpc": ("INVALID_VPC_FORMAT", re.compile("vpc" + _ID, re.ASCII), "vpc- and 8 or 17 characters"),
    "aws:sourcevpce": ("INVALID_VPCE_FORMAT", re.compile("vpce" + _ID, re.ASCII), "vpce- and 8 or 17 characters"),
    "s3:x-amz-server-side-encryption-aws-kms-key-id": ("INVALID_KMS_KEY_VALUE", _KEY_ARN, "the ARN of a KMS key"),
}  # fmt: skip
"""By condition key, the form of its values, the code that tells of another, and the form in words."""
_TRUTHS: Final = frozenset({"Bool", "Null"})
_BOUNDS: Final = ("LessThan", "GreaterThan")


def placed(values: Any, place: Path) -> list[tuple[Path, Any]]:
    """Each of a condition's values with its own place."""
    if not isinstance(values, list):
        return [(place, values)]
    return [((*place, index), value) for index, value in enumerate(values)]


def on_values(operator: str, given: Any, place: Path) -> Found:
    """The issues of a condition's values; `place` ends with the condition's key."""
    parts, entries = condition.split(operator), placed(given, place)
    values = [value for _, value in entries]
    base = operator.rpartition(":")[2].removesuffix("IfExists") if parts is None else parts[1]
    if len({_kind(value) for value in values}) > 1:
        yield "INVALID_CONDITION_DATA_TYPE", place, "The values are of different JSON types."
    if base in _TRUTHS and len(values) > 1:
        yield "INVALID_CONDITION_MULTIPLE_BOOLEAN", place, f"{operator} takes one value, true or false."
    if base.startswith(("Numeric", "Date")) and any(word in base for word in _BOUNDS) and len(values) > 1:
        said = "Of several bounds only one counts: keep that one."
        yield "REDUNDANT_CONDITION_VALUE_NUM", place, said
    texts = [(at, value) for at, value in entries if isinstance(value, str)]
    if base.startswith("String"):
        yield from _on_forms(str(place[-1]), texts)
    if base in ("IpAddress", "NotIpAddress"):
        yield from _on_masks(texts)


def _kind(value: Any) -> str:
    """The JSON type; numbers are read as texts of their own kind."""
    if isinstance(value, bool):
        return "boolean"
    return "text" if type(value) is str else "other"


def _on_forms(key: str, texts: list[tuple[Path, str]]) -> Found:
    form = _FORMS.get(key.lower())
    if form is None:
        return
    code, wanted, words = form
    for place, text in texts:
        if not _fits(text, wanted.fullmatch):
            yield code, place, f"{text} is not of the form {words}."


def _fits(text: str, match: Callable[[str], object]) -> bool:
    """Whether a value has a form; one with wild cards or variables may."""
    return bool(set(text) & {"*", "?", "$"}) or match(text) is not None


def _on_masks(texts: list[tuple[Path, str]]) -> Found:
    for place, text in texts:
        network = scalars.network(text)
        if (
            network is not None
            and "/" in text
            and str(network.network_address) != text.partition("/")[0].lower()
        ):
            said = f"{text} is {network}: the bits beyond the mask do not count."
            yield "IMPROVE_IP_RANGE", place, said
