"""GetCallerIdentity, which providers and scanners ask for first."""

from __future__ import annotations

from keystead.api import Call, operation
from keystead.wire.models import sts as wire


def _nothing(_call: Call, _request: object) -> tuple[()]:
    """GetCallerIdentity needs no permission (AWS STS API Reference)."""
    return ()


@operation("GetCallerIdentity", targets=_nothing)
def get_caller_identity(
    call: Call, _request: wire.GetCallerIdentityRequest
) -> wire.GetCallerIdentityResponse:
    """Return the account, ARN and unique id of the caller."""
    caller = call.caller
    return wire.GetCallerIdentityResponse(user_id=caller.principal_id, account=caller.account, arn=caller.arn)


OPERATIONS = (get_caller_identity,)
