"""Checksums of uploads in parts: which may be asked for, and the object's from those of its parts."""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.crypto import checksum
from keystead.services.s3.kept import CHECKSUM_ATTRIBUTES
from keystead.services.s3.tables import Part, Upload
from keystead.services.s3.writing import DEFAULT_CHECKSUM

_FULL: Final = "FULL_OBJECT"
_COMPOSITE: Final = "COMPOSITE"


def check_algorithm(name: str) -> None:
    """None, if there are checksums by that algorithm.

    Raises:
        errors.InvalidS3Request: there are none.
    """
    if name not in checksum.ALGORITHMS:
        raise errors.InvalidS3Request(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid types: "
            f"[{', '.join(sorted(checksum.ALGORITHMS))}]"
        )


def algorithm_of(request: Any) -> str:
    """By which algorithm a request wants the checksum, or nothing."""
    return (request.checksum_algorithm or "").upper()


def checksum_type_of(request: Any) -> str:
    """Of the whole object or of its parts' checksums (Amazon S3 User Guide, "Checking object integrity")."""
    algorithm, asked = algorithm_of(request), request.checksum_type
    if not algorithm and asked is not None:
        raise errors.InvalidS3Request(
            "The x-amz-checksum-type header can only be used with the x-amz-checksum-algorithm header."
        )
    if not algorithm:
        return ""
    check_algorithm(algorithm)
    fitting = asked or (_FULL if algorithm == DEFAULT_CHECKSUM else _COMPOSITE)
    wrong = (fitting == _FULL and algorithm not in checksum.FULL_OBJECT) or (
        fitting == _COMPOSITE and algorithm == DEFAULT_CHECKSUM
    )
    if wrong:
        raise errors.InvalidS3Request(
            f"The {fitting} checksum type cannot be used with the {algorithm.lower()} checksum algorithm."
        )
    return fitting


def part_algorithm(upload: Upload, sent: str | None) -> str:
    """By which algorithm the part has its checksum.

    Raises:
        errors.InvalidS3Request: it comes with one that the object's cannot be made of.
    """
    if upload.algorithm and sent not in {None, upload.algorithm}:
        raise errors.InvalidS3Request(
            f"Checksum Type mismatch occurred, expected checksum Type: {upload.algorithm.lower()}, "
            f"actual checksum Type: {str(sent).lower()}"
        )
    return sent or upload.algorithm or DEFAULT_CHECKSUM


def joined_sum(upload: Upload, parts: list[Part]) -> tuple[dict[str, str], bool]:
    """The object's checksum from those of its parts, and whether it is of the whole object; none if they differ in kind."""
    algorithm = upload.algorithm or DEFAULT_CHECKSUM
    texts = [part.checksum.get(algorithm) for part in parts]
    digests = [checksum.digest_of(text) for text in texts if text is not None]
    if len(digests) != len(parts):
        return {}, True
    if algorithm in checksum.FULL_OBJECT and upload.checksum_type != _COMPOSITE:
        whole = digests[0]
        for part, digest in zip(parts[1:], digests[1:], strict=True):
            whole = checksum.combine(algorithm, whole, digest, part.size)
        return {algorithm: checksum.text(whole)}, True
    joined = checksum.new_hash(algorithm)
    joined.update(b"".join(digests))
    return {algorithm: f"{checksum.text(joined.digest())}-{len(parts)}"}, False


def check_kind(upload: Upload, request: Any) -> None:
    """None, if the request says of checksums what it must, where the upload was begun with them.

    Raises:
        errors.InvalidS3Request: it wants them of another type, or leaves out those of parts that make the object's.
    """
    if not upload.algorithm:
        return
    if request.checksum_type not in {None, upload.checksum_type}:
        raise errors.InvalidS3Request(
            f"The upload was created using the {upload.checksum_type} checksum mode. "
            "The complete request must use the same checksum mode."
        )
    attribute = CHECKSUM_ATTRIBUTES[upload.algorithm]
    bare = (row.part_number for row in request.multipart_upload.parts if getattr(row, attribute) is None)
    missing = next(bare, None) if upload.checksum_type == _COMPOSITE else None
    if missing is not None:
        raise errors.InvalidS3Request(
            f"The upload was created using a {upload.algorithm.lower()} checksum. The complete request must include "
            f"the checksum for each part. It was missing for part {missing} in the request."
        )


def check_sums(upload: Upload, request: Any, found: dict[str, str]) -> None:
    """None, if the object's checksum is what the request says; uploads begun without one are not compared."""
    if not upload.algorithm:
        return
    for name, attribute in CHECKSUM_ATTRIBUTES.items():
        given = getattr(request, attribute)
        if given is not None and given not in {found.get(name), found.get(name, "").partition("-")[0]}:
            raise errors.BadDigest(f"The {name.lower()} you specified did not match the calculated checksum.")
