"""CBOR (RFC 8949) in the one form that a signed document may have: what reads in one way is signed in one way."""

from __future__ import annotations

from typing import Any, NoReturn

import cbor2

from keystead.errors import BadAttestation

_MOST_DEPTH = 8
"""Containers within containers; an attestation document needs three."""


def encode(value: Any) -> bytes:
    """`value` with the shortest heads and definite lengths; maps keep their order."""
    return cbor2.dumps(value)


def decode(data: bytes) -> Any:
    """The one item in `data`, made of dict, list, str, bytes, int, bool, float and None.

    Raises:
        BadAttestation: Not well-formed, or with trailing bytes, duplicate keys, indefinite lengths, tags, or
            numbers written longer than they need to be.
    """
    try:
        value = cbor2.loads(
            data,
            semantic_decoders=_NO_TAGS,
            max_depth=_MOST_DEPTH,
            allow_indefinite=False,
            allow_duplicate_keys=False,
        )
        # The decoder stops after the first item and takes long heads: what is read must be all there is.
        whole = cbor2.dumps(value) == data
    except (cbor2.CBORError, ValueError, TypeError, OverflowError):
        raise BadAttestation("it is not strict CBOR") from None
    if not whole:
        raise BadAttestation("it is not strict CBOR")
    return value


class _NoTags(dict[int, Any]):
    """A decoder for every tag that refuses it: some built-in ones compile patterns or make cycles."""

    def __missing__(self, _tag: int) -> Any:
        return _refuse


def _refuse(_item: Any, _immutable: bool) -> NoReturn:
    raise cbor2.CBORDecodeError("tag")


_NO_TAGS = _NoTags()
