"""Session tokens: temporary credentials, sealed. They are stored nowhere and opened at every use."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Final

import msgspec

from keystead import errors
from keystead.identity import Session
from keystead.identity.session import ROLE_SESSION
from keystead.keyring import Keyring

KIND: Final = "session"
LONGEST: Final = 16_384
"""Characters of a session token; longer ones are not even opened."""
_LARGEST: Final = 262_144
"""Bytes of a session, unpacked. Only what was sealed here is unpacked at all."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Session).decode


def seal_session(keyring: Keyring, session: Session) -> str:
    """The session token (base64) that goes with the session's access key."""
    return base64.b64encode(keyring.seal_token(KIND, zlib.compress(_encode(session)))).decode()


def open_session(keyring: Keyring, token: str) -> Session | None:
    """The session that a token was made for, None if it is not a token of ours."""
    if len(token) > LONGEST:
        return None
    try:
        packed = keyring.open_token(KIND, base64.b64decode(token, validate=True))
        return _decode(zlib.decompressobj().decompress(packed, _LARGEST))
    except (binascii.Error, ValueError, errors.DecryptionFailed, zlib.error, msgspec.MsgspecError):
        return None


def barred(session: Session, service: str) -> bool:
    """Whether the session may not call the service at all, whatever policies say.

    IAM takes no sessions but those of roles, and those of users and roots that proved a second factor (AWS
    STS API Reference, GetSessionToken and GetFederationToken).
    """
    return service == "iam" and session.kind != ROLE_SESSION and session.mfa is None
