"""Attestation documents of Nitro enclaves and of NitroTPM: read strictly, and believed only when verified.

A document is a COSE_Sign1 (RFC 9052 section 4.2) over a CBOR map, signed with ES384 by a key whose certificate
chain it carries. Source of the fields, their sizes and the checks: AWS Nitro Enclaves User Guide, "Verifying the
root of trust". What a document says is nowhere to be had without `verify`, so no policy can be asked about a
document that nobody vouches for.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from keystead.crypto import cbor, der
from keystead.crypto.chain import leaf_key
from keystead.errors import BadAttestation, BadPublicKey

MOST_BYTES: Final = 262_144
"""The longest document, as the KMS API has it."""
MOST_AGE: Final = 300.0
"""Seconds after which a document counts no more."""
MOST_AHEAD: Final = 60.0
"""Seconds by which a document's clock may be ahead of ours."""

_TAG_SIGN1: Final = b"\xd2"  # RFC 9052 table 1: tag 18, which the NSM leaves out
_ES384: Final = bytes.fromhex("a1013822")  # {1: -35}, RFC 9053 table 1
_HALF: Final = 48  # bytes of r and of s
_PCR_INDICES: Final = range(32)
_PCR_BYTES: Final = frozenset({32, 48, 64})
_RSA_BITS: Final = range(2048, 4097)
_MILLISECONDS: Final = 1000
_MOST_TEXT: Final = 256  # AWS states no bound; a module id has 39 characters, and goes into events


class Attestation(msgspec.Struct, frozen=True, gc=False):
    """What a verified document says. `timestamp` is epoch milliseconds, `public_key` an RSA key's SPKI in DER."""

    module_id: str
    digest: str
    pcrs: Mapping[int, bytes]
    """Of an enclave, by index; empty if a NitroTPM made the document."""
    nitrotpm_pcrs: Mapping[int, bytes]
    """Of a NitroTPM, by index; empty if an enclave made the document."""
    public_key: bytes
    user_data: bytes | None
    nonce: bytes | None
    timestamp: int


def verify(
    document: bytes, roots: Collection[bytes], now: float, *, allow_debug: bool = False
) -> Attestation:
    """What `document` says, if one of `roots` (DER) vouches for it at `now` (epoch seconds).

    With `allow_debug` the document may be of an enclave in debug mode, of which anyone can read the memory: its
    PCR0 is zero.

    Raises:
        BadAttestation: Anything about it is wrong.
    """
    protected, payload, signature = _envelope(document)
    said = cbor.decode(payload)
    if not isinstance(said, dict):
        raise BadAttestation("its payload is not a map")
    attestation, chain = _read(said)
    made = attestation.timestamp / _MILLISECONDS
    key = leaf_key(chain, roots, (made, now))
    _check_signature(key, cbor.encode(["Signature1", protected, b"", payload]), signature)
    if made > now + MOST_AHEAD:
        raise BadAttestation("it is from the future")
    if made < now - MOST_AGE:
        raise BadAttestation("it is too old")
    _check_rsa(attestation.public_key)
    if not allow_debug and _is_debug(attestation):
        raise BadAttestation("its PCR0 is zero, as in debug mode")
    return attestation


# ------------------------------------------------------------------------------ COSE_Sign1


def _envelope(document: bytes) -> tuple[bytes, bytes, bytes]:
    """The protected header, the payload and the signature."""
    if len(document) > MOST_BYTES:
        raise BadAttestation("it is too long")
    parts = cbor.decode(document.removeprefix(_TAG_SIGN1))
    match parts:
        case [bytes(protected), dict(unprotected), bytes(payload), bytes(signature)]:
            pass
        case _:
            raise BadAttestation("it is not a COSE_Sign1")
    if protected != _ES384 or unprotected:
        raise BadAttestation("its algorithm is not ES384")
    if len(signature) != 2 * _HALF:
        raise BadAttestation("its signature has a wrong length")
    return protected, payload, signature


def _check_signature(key: ec.EllipticCurvePublicKey, signed: bytes, signature: bytes) -> None:
    r, s = (int.from_bytes(half, "big") for half in (signature[:_HALF], signature[_HALF:]))
    try:
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(hashes.SHA384()))
    except InvalidSignature:
        raise BadAttestation("its signature is not its certificate's") from None


# --------------------------------------------------------------------------------- payload


def _read(said: dict[Any, Any]) -> tuple[Attestation, list[bytes]]:
    """What the payload says and its chain, root first; nothing of it is verified but its form."""
    attestation = Attestation(
        module_id=_text(said, "module_id"),
        digest=_text(said, "digest"),
        pcrs=_pcrs(said, "pcrs"),
        nitrotpm_pcrs=_pcrs(said, "nitrotpm_pcrs"),
        public_key=_optional(said, "public_key", 1, 1024) or b"",
        user_data=_optional(said, "user_data", 0, 512),
        nonce=_optional(said, "nonce", 0, 512),
        timestamp=_timestamp(said),
    )
    if attestation.digest != "SHA384":
        raise _wrong("digest")
    if bool(attestation.pcrs) == bool(attestation.nitrotpm_pcrs):
        raise _wrong("pcrs")
    bundle = said.get("cabundle")
    if not isinstance(bundle, list) or not bundle:
        raise _wrong("cabundle")
    chain = [_bytes(item, "cabundle", 1, 1024) for item in bundle]
    return attestation, [*chain, _bytes(said.get("certificate"), "certificate", 1, 1024)]


def _wrong(field: str) -> BadAttestation:
    return BadAttestation(f"its {field} is missing or not as it must be")


def _text(said: dict[Any, Any], field: str) -> str:
    value = said.get(field)
    if not isinstance(value, str) or not 1 <= len(value) <= _MOST_TEXT:
        raise _wrong(field)
    return value


def _bytes(value: Any, field: str, least: int, most: int) -> bytes:
    if not isinstance(value, bytes) or not least <= len(value) <= most:
        raise _wrong(field)
    return value


def _optional(said: dict[Any, Any], field: str, least: int, most: int) -> bytes | None:
    value = said.get(field)
    return None if value is None else _bytes(value, field, least, most)


def _whole(value: Any, field: str) -> int:
    # CBOR tells numbers and booleans apart, which Python does not.
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(field)
    return value


def _timestamp(said: dict[Any, Any]) -> int:
    value = _whole(said.get("timestamp"), "timestamp")
    if value <= 0:
        raise _wrong("timestamp")
    return value


def _pcrs(said: dict[Any, Any], field: str) -> dict[int, bytes]:
    """The registers by index; empty if the document has none of the kind."""
    found = said.get(field)
    if found is None:
        return {}
    if not isinstance(found, dict) or not found:
        raise _wrong(field)
    for index, value in found.items():
        known = _whole(index, field) in _PCR_INDICES
        if not known or not isinstance(value, bytes) or len(value) not in _PCR_BYTES:
            raise _wrong(field)
    return found


def _check_rsa(public_key: bytes) -> None:
    """Return if answers can be encrypted to the document's public key."""
    if not public_key:
        raise BadAttestation("it has no public key to answer to")
    try:
        key = der.load_public(public_key)
    except BadPublicKey:
        raise BadAttestation("its public key cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey) or key.key_size not in _RSA_BITS:
        raise BadAttestation("its public key is not RSA of 2048 to 4096 bits")


def _is_debug(attestation: Attestation) -> bool:
    first = (attestation.pcrs or attestation.nitrotpm_pcrs).get(0)
    return first is not None and not any(first)
