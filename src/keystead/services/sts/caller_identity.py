"""GetCallerIdentity, which providers and scanners ask for first."""

from __future__ import annotations

from typing import Final

from keystead.api import Call, operation
from keystead.wire.models import sts as wire

_REASON: Final = "No permission is needed, and a Deny has no effect (AWS STS API Reference)."


def _nothing(_call: Call, _request: object) -> tuple[()]:
    """None: see `_REASON`."""
    return ()


@operation("GetCallerIdentity", targets=_nothing, undecided=_REASON)
def get_caller_identity(
    call: Call, _request: wire.GetCallerIdentityRequest
) -> wire.GetCallerIdentityResponse:
    """Return the account, ARN and unique id of the caller."""
    caller = call.caller
    return wire.GetCallerIdentityResponse(user_id=caller.principal_id, account=caller.account, arn=caller.arn)


OPERATIONS = (get_caller_identity,)
