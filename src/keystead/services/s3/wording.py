"""What S3 says of a request that breaks its model: of a header its own words, of a document that it is malformed.

Source: Amazon S3 API Reference, "Error responses", and what S3 was recorded to answer.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from keystead import errors
from keystead.wire.model import Member, Shape
from keystead.wire.validate import broken_members


class _Words(NamedTuple):
    """An error, its message (`{}` is the value), and which of the members ArgumentName and ArgumentValue it has."""

    kind: type[errors.S3Error]
    said: str = ""
    told: int = 2


_ARGUMENT: Final = _Words(errors.InvalidS3Argument)
_WORDS: Final = {
    "max-buckets": _Words(
        errors.InvalidS3Argument, "Argument max-buckets must be an integer between 1 and 10000"
    ),
    "x-amz-checksum-type": _Words(
        errors.InvalidS3Request, "Value for x-amz-checksum-type header is invalid.", told=0
    ),
    "x-amz-copy-source": _Words(
        errors.InvalidS3Argument,
        "Copy Source must mention the source bucket and key: sourcebucket/sourcekey",
    ),
    "x-amz-metadata-directive": _Words(errors.InvalidS3Argument, "Unknown metadata directive."),
    "x-amz-object-attributes": _Words(errors.InvalidS3Argument, "Invalid attribute name specified."),
    "x-amz-object-lock-legal-hold": _Words(
        errors.InvalidS3Argument, "Legal Hold must be either of 'ON' or 'OFF'"
    ),
    "x-amz-object-lock-mode": _Words(errors.InvalidS3Argument, "Unknown wormMode directive."),
    "x-amz-object-ownership": _Words(
        errors.InvalidS3Argument, "Invalid x-amz-object-ownership header: {}", told=1
    ),
    "x-amz-server-side-encryption": _Words(
        errors.InvalidS3Argument, "The encryption method specified is not supported"
    ),
    "x-amz-storage-class": _Words(errors.InvalidStorageClass, told=0),
    "x-amz-tagging-directive": _Words(errors.InvalidS3Argument, "Unknown tagging directive."),
    "x-amz-transition-default-minimum-object-size": _Words(
        errors.InvalidS3Request, "Invalid TransitionDefaultMinimumObjectSize found: {}", told=0
    ),
}
"""By header or parameter; others are an InvalidArgument that names them."""
_MISSING: Final = {
    "x-amz-object-attributes": "The x-amz-object-attributes header specifying the attributes to be retrieved is "
    "either missing or empty"
}


def check(request: Shape) -> None:
    """None, if the request keeps its model's constraints.

    Raises:
        errors.S3Error: a header or a parameter does not, the document does not, or there is none.
    """
    broken = broken_members(request)
    for member in sorted(broken, key=lambda one: one.location == "payload"):
        raise _refusal(member, getattr(request, member.attribute))


def _refusal(member: Member, value: Any) -> errors.S3Error:
    if member.location == "payload":
        return errors.MissingBody() if value is None else errors.MalformedXml()
    if value is None:
        said = _MISSING.get(member.name, f"Missing required header for this request: {member.name}")
        return errors.InvalidS3Request(said)
    if member.rule.item is not None:  # the first that there is not
        value = next(one for one in value if one not in member.rule.item.enum)
    words, text = _WORDS.get(member.name, _ARGUMENT), str(value)
    about = {"ArgumentName": member.name} | ({} if member.rule.sensitive else {"ArgumentValue": text})
    return words.kind(words.said.format(text), dict(list(about.items())[: words.told]))
