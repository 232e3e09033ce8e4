"""What is kept of an object beside its bytes, and how answers tell it."""

from __future__ import annotations

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
}
MOST_TAGS: Final = 10
_SYSTEMS: Final = "aws:"
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
        errors.InvalidS3Argument, errors.S3Error: an ACL or a storage class that nobody can have here.
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


def headers_of(request: Any) -> dict[str, str]:
    """What is kept of the request's headers."""
    found = {name: getattr(request, attribute, None) for attribute, name in HEADERS.items()}
    kept = {name: str(value) for name, value in found.items() if value is not None}
    kept.setdefault("content-type", _DEFAULT_TYPE)
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
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, max_num_fields=MOST_TAGS + 1)
    except ValueError:
        raise errors.InvalidS3Argument(
            "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters "
            "without tag name duplicates."
        ) from None
    if any(name.lower().startswith(_SYSTEMS) for name, _ in pairs):
        raise errors.InvalidTag("Your TagKey cannot be prefixed with aws:")
    return check_tags(pairs, MOST_TAGS)


def check_tags(pairs: list[tuple[str, str]], most: int) -> dict[str, str]:
    """The tags, if a resource can have them.

    Raises:
        errors.InvalidTag, errors.TooManyTags: it cannot.
    """
    tags = dict(pairs)
    if len(tags) != len(pairs):
        raise errors.InvalidTag("Cannot provide multiple Tags with the same key")
    if len(tags) > most:
        raise errors.TooManyTags if most == MOST_TAGS else errors.InvalidTag
    for name, value in tags.items():
        if not 1 <= len(name) <= 128 or len(value) > 256:  # noqa: PLR2004  API reference, Tag
            raise errors.InvalidTag("The TagKey or TagValue you have provided is invalid")
        if name.lower().startswith(_SYSTEMS):
            raise errors.InvalidTag("System tags cannot be added/updated by requester")
    return tags


# ------------------------------------------------------------------------------ what is answered


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
