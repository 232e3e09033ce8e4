"""Sessions given out: credentials made, and shown once."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call
from keystead.api.sessions import LONGEST, seal_session
from keystead.identity import Session
from keystead.identity.credential import new_secret
from keystead.identity.names import new_session_key_id
from keystead.wire.models import sts as wire


def new_session(call: Call, seconds: int, **members: Any) -> Session:
    """A session of `seconds` from now with a fresh access key; `members` are the other fields of `Session`."""
    return Session(
        access_key_id=new_session_key_id(call.entropy),
        secret=new_secret(call.entropy),
        issued=call.now,
        expires=call.now + seconds,
        **members,
    )


def credentials(call: Call, session: Session) -> wire.Credentials:
    """The session's credentials as the caller gets them.

    Raises:
        errors.PackedPolicyTooLarge: the session would not fit into a token that is taken back.
    """
    token = seal_session(call.keyring, session)
    if len(token) > LONGEST:
        raise errors.PackedPolicyTooLarge(
            "The session's policies and tags exceed what a session token can hold."
        )
    return wire.Credentials(
        access_key_id=session.access_key_id,
        secret_access_key=session.secret,
        session_token=token,
        expiration=session.expires,
    )
