"""Which operations temporary credentials may not call, whatever policies say, and proofs of a second factor.

Sources: AWS STS API Reference, GetSessionToken and GetFederationToken ("Permissions"); IAM User Guide,
"Compare AWS STS credentials".
"""

from __future__ import annotations

from typing import Any, Final

from keystead import errors
from keystead.api import Call
from keystead.api.directory import USERS
from keystead.api.mfa import verify_mfa
from keystead.identity import User
from keystead.identity.caller import IAM_USER
from keystead.identity.session import FEDERATED_SESSION, ROLE_SESSION, ROOT_SESSION, USER_SESSION

_REFUSED: Final = {
    "AssumeRole": frozenset({FEDERATED_SESSION}),
    "GetSessionToken": frozenset({FEDERATED_SESSION, ROLE_SESSION, ROOT_SESSION, USER_SESSION}),
    "GetFederationToken": frozenset({FEDERATED_SESSION, ROLE_SESSION, ROOT_SESSION, USER_SESSION}),
    "GetAccessKeyInfo": frozenset({FEDERATED_SESSION, ROOT_SESSION, USER_SESSION}),
    "DecodeAuthorizationMessage": frozenset({FEDERATED_SESSION, ROOT_SESSION, USER_SESSION}),
}
"""The kinds of session that may not call an operation."""


def refuse_session(call: Call) -> None:
    """Return if credentials of the caller's kind may call the operation at all.

    Raises:
        errors.AccessDenied: they may not.
    """
    session = call.caller.session
    if session is not None and session.kind in _REFUSED[call.operation]:
        raise errors.AccessDenied(f"Cannot call {call.operation} with session credentials")


def second_factor(call: Call, request: Any) -> bool:
    """Whether the request proves a second factor of the calling user; False if it does not try.

    Texts are those that AWS was seen to answer.

    Raises:
        errors.AccessDenied: it tries, and fails.
    """
    serial, code = request.serial_number, request.token_code
    if serial is None and code is None:
        return False
    if serial is None or code is None:
        raise errors.AccessDenied(
            "MultiFactorAuthentication failed, must provide both MFA serial number and one time pass code."
        )
    user = _user(call)
    if user is None:
        raise errors.AccessDenied(
            "MultiFactorAuthentication failed, unable to validate MFA code.  "
            "Please verify your MFA serial number is valid and associated with this user."
        )
    if not verify_mfa(call, user, serial, code):
        raise errors.AccessDenied("MultiFactorAuthentication failed with invalid MFA one time pass code. ")
    return True


def _user(call: Call) -> User | None:
    """The user who calls, with long-term or session credentials; None for anybody else."""
    if call.caller.kind != IAM_USER:
        return None
    return call.tx.get(USERS, f"{call.account}/{call.caller.principal_id}")
