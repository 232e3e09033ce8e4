"""What is kept of an object beside its bytes, and how answers tell it."""

from __future__ import annotations

import re
import unicodedata
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import parse_qsl

from keystead import errors
from keystead.services.s3.tables import Bucket, Envelope, Version
from keystead.services.s3.writing import Written

HEADERS: Final = {
    "cache_control": "cache-control",
    "content_disposition": "content-disposition",
    "content_encoding": "content-encoding",
    "content_language": "content-language",
    "content_type": "content-type",
    "expires": "expires",
    "website_redirect_location": "x-amz-website-redirect-location",
    "storage_class": "x-amz-storage-class",
}
"""What is kept of a request's headers and answered with, by attribute."""
_DEFAULT_TYPE: Final = "binary/octet-stream"
_LARGEST_METADATA: Final = 2048
_STORAGE_CLASSES: Final = frozenset({"STANDARD", "REDUCED_REDUNDANCY", "STANDARD_IA"})
_PRIVATE: Final = frozenset({"private", "bucket-owner-full-control", "bucket-owner-read"})
_UNSUPPORTED: Final = {
    "write_offset_bytes": "appending",
    "object_lock_event_hold": "event holds",
    "object_lock_event_hold_duration_days": "event holds",
    "object_lock_event_hold_duration_years": "event holds",
}
_REDIRECTIONS: Final = ("/", "http://", "https://")
MOST_TAGS: Final = 10
MOST_TAGS_OF_A_BUCKET: Final = 50
_TOO_MANY: Final = {
    MOST_TAGS: "Object tags cannot be greater than 10",
    MOST_TAGS_OF_A_BUCKET: "Bucket tag count cannot be greater than 50",
}
_SYSTEMS: Final = "aws:"
_LONGEST: Final = {"TagKey": 128, "TagValue": 256}
_TAG_SIGNS: Final = frozenset("+-=._:/@")
"""What tags may hold beside letters, numbers and spaces of Unicode (Amazon S3 User Guide, "Object tagging")."""
_NO_TAGS: Final = (
    "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
    "without tag name duplicates."
)
_SECONDS: Final = re.compile(r"-?\d+\.\d+", re.ASCII)
CHECKSUM_ATTRIBUTES: Final = {
    "CRC32": "checksum_crc32",
    "CRC32C": "checksum_crc32_c",
    "CRC64NVME": "checksum_crc64_nvme",
    "SHA1": "checksum_sha1",
    "SHA256": "checksum_sha256",
    "SHA512": "checksum_sha512",
    "MD5": "checksum_md5",
    "XXHASH64": "checksum_xxhash64",
    "XXHASH3": "checksum_xxhash3",
    "XXHASH128": "checksum_xxhash128",
}


# ------------------------------------------------------------------------------ what is kept


def check_offered(request: Any) -> None:
    """None, if the request asks for nothing that is not offered.

    Raises:
        errors.NotImplementedHere: it does.
        errors.S3Error: an ACL, a storage class or a redirection that nobody can have here.
    """
    for attribute, what in _UNSUPPORTED.items():
        if getattr(request, attribute, None) is not None:
            raise errors.NotImplementedHere(f"This server does not support {what}.")
    acl = getattr(request, "acl", None)
    grants = any(
        getattr(request, name, None)
        for name in ("grant_full_control", "grant_read", "grant_read_acp", "grant_write_acp")
    )
    if grants or (acl is not None and acl not in _PRIVATE):
        raise errors.AclsNotSupported
    stored = getattr(request, "storage_class", None)
    if stored is not None and stored not in _STORAGE_CLASSES:
        raise errors.InvalidStorageClass
    location = getattr(request, "website_redirect_location", None)
    if location is not None and not location.startswith(_REDIRECTIONS):
        raise errors.InvalidRedirectLocation


def headers_of(request: Any) -> dict[str, str]:
    """What is kept of the request's headers."""
    found = {name: getattr(request, attribute, None) for attribute, name in HEADERS.items()}
    kept = {name: str(value) for name, value in found.items() if value is not None}
    kept["content-type"] = kept.get("content-type") or _DEFAULT_TYPE
    encodings = [part.strip() for part in kept.get("content-encoding", "").split(",")]
    left = [part for part in encodings if part and part != "aws-chunked"]  # the coding ends here
    kept.pop("content-encoding", None)
    if left:
        kept["content-encoding"] = ", ".join(left)
    return kept


def metadata_of(request: Any) -> dict[str, str]:
    """The caller's own metadata.

    Raises:
        errors.MetadataTooLarge: it has more than 2 KB.
    """
    found: dict[str, str] = request.metadata or {}
    size = sum(len(name.encode()) + len(text.encode()) for name, text in found.items())
    if size > _LARGEST_METADATA:
        raise errors.MetadataTooLarge(about={"Size": str(size), "MaxSizeAllowed": str(_LARGEST_METADATA)})
    return found


def tags_of(text: str | None) -> dict[str, str]:
    """The tags in a header, written as a query.

    Raises:
        errors.InvalidS3Argument, errors.InvalidTag, errors.TooManyTags: they are not so written, too many or too long.
    """
    if not text:
        return {}
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict")
    except ValueError:
        pairs = []
    names = [name for name, _ in pairs]
    if not pairs or "" in names or len(set(names)) != len(names):
        raise errors.InvalidS3Argument(_NO_TAGS, {"ArgumentName": "x-amz-tagging", "ArgumentValue": text})
    of_systems = next((name for name in names if name.lower().startswith(_SYSTEMS)), None)
    if of_systems is not None:
        raise errors.InvalidTag("Your TagKey cannot be prefixed with aws:", {"TagKey": of_systems})
    return check_tags(pairs, MOST_TAGS)


def check_tags(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    """The tags, if a resource can have them.

    Raises:
        errors.InvalidTag, errors.TooManyTags: it cannot.
    """
    tags: dict[str, str] = {}
    if len(pairs) > most:
        raise errors.TooManyTags(_TOO_MANY[most])
    for name, value in pairs:
        if name in tags:
            raise errors.InvalidTag("Cannot provide multiple Tags with the same key", {"TagKey": name})
        check_tag(name, value)
        if name.lower().startswith(_SYSTEMS):
            raise errors.InvalidTag("System tags cannot be added/updated by requester", {"TagKey": name})
        tags[name] = value
    return tags


def check_tag(name: str, value: str) -> None:
    """None, if there can be such a tag.

    Raises:
        errors.InvalidTag: there cannot.
    """
    told: dict[str, str] = {}
    for part, text in (("TagKey", name), ("TagValue", value)):
        told[part] = text
        if len(text) > _LONGEST[part] or not all(map(_is_for_tags, text)) or (part == "TagKey" and not text):
            raise errors.InvalidTag(f"The {part} you have provided is invalid", told)


def _is_for_tags(sign: str) -> bool:
    return sign in _TAG_SIGNS or unicodedata.category(sign)[0] in "LZN"


# ------------------------------------------------------------------------------ what is answered


def expires_told(text: str | None) -> str | None:
    """The header as it came; older versions of objects have it as epoch seconds."""
    return formatdate(float(text), usegmt=True) if text and _SECONDS.fullmatch(text) else text


def encrypted(envelope: Envelope) -> dict[str, Any]:
    """What an answer tells of the encryption."""
    if envelope.check:
        return {"sse_customer_algorithm": "AES256", "sse_customer_key_md5": envelope.key_md5}
    told: dict[str, Any] = {"server_side_encryption": envelope.algorithm}
    if envelope.key:
        told["ssekms_key_id"] = envelope.key
    if envelope.bucket_key:
        told["bucket_key_enabled"] = True
    return told


def checksums(version: Version | Written) -> dict[str, Any]:
    """What an answer tells of the checksum."""
    told: dict[str, Any] = {
        CHECKSUM_ATTRIBUTES[name]: text
        for name, text in version.checksum.items()
        if name in CHECKSUM_ATTRIBUTES
    }
    whole = version.whole if isinstance(version, Version) else True
    return {**told, "checksum_type": "FULL_OBJECT" if whole else "COMPOSITE"} if told else {}


def version_told(bucket: Bucket, version: Version) -> str | None:
    """The version id, where the bucket has versions."""
    return version.id if bucket.versioning else None
