"""GetSessionToken: temporary credentials of the very user or root that asks, to prove a second factor with.

Source: AWS STS API Reference, GetSessionToken.
"""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.identity.caller import IAM_USER, ROOT
from keystead.identity.session import ROOT_SESSION, USER_SESSION, SessionKind
from keystead.services.sts.issue import credentials, new_session
from keystead.services.sts.restrictions import refuse_session, second_factor
from keystead.wire.models import sts as wire

_USUAL: Final = 43_200
_LONGEST_OF_ROOT: Final = 3600
"""Seconds: a root that asks for more gets this."""
_KINDS: Final[dict[str, SessionKind]] = {ROOT: ROOT_SESSION, IAM_USER: USER_SESSION}


_REASON: Final = "No permission is needed: policies do not decide how users authenticate themselves."


def long_term_only(call: Call) -> None:
    """Return if the caller is a user or the root, with long-term credentials.

    Raises:
        errors.AccessDenied: it is somebody else.
    """
    refuse_session(call)
    if call.caller.kind not in _KINDS:
        raise errors.AccessDenied(f"Cannot call {call.operation} with credentials of a service")


def lasting(call: Call, asked: int | None) -> int:
    """How long a session that a user or root asks for lasts, in seconds."""
    seconds = _USUAL if asked is None else asked
    return min(seconds, _LONGEST_OF_ROOT) if call.caller.kind == ROOT else seconds


def _no_permission(call: Call, _request: wire.GetSessionTokenRequest) -> tuple[Target, ...]:
    """None: see `_REASON`."""
    long_term_only(call)
    return ()


@operation("GetSessionToken", targets=_no_permission, undecided=_REASON)
def get_session_token(call: Call, request: wire.GetSessionTokenRequest) -> wire.GetSessionTokenResponse:
    """Return temporary credentials with the caller's own permissions."""
    proved = second_factor(call, request)
    session = new_session(
        call,
        lasting(call, request.duration_seconds),
        account=call.account,
        kind=_KINDS[call.caller.kind],
        principal=call.caller.principal_id if call.caller.kind == IAM_USER else "",
        mfa=call.now if proved else None,
    )
    return wire.GetSessionTokenResponse(credentials=credentials(call, session))


OPERATIONS = (get_session_token,)
