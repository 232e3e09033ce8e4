"""GetAccessKeyInfo: whose account an access key belongs to."""

from __future__ import annotations

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.accounts import CREDENTIALS
from keystead.services.sts.restrictions import refuse_session
from keystead.wire.models import sts as wire


def _on_anything(call: Call, _request: wire.GetAccessKeyInfoRequest) -> tuple[Target, ...]:
    refuse_session(call)
    return (Target("sts:GetAccessKeyInfo", "*", call.account),)


@operation("GetAccessKeyInfo", targets=_on_anything)
def get_access_key_info(
    call: Call, request: wire.GetAccessKeyInfoRequest, _target: Target
) -> wire.GetAccessKeyInfoResponse:
    """Return the account of an access key; temporary ones are stored nowhere, so only the caller's own."""
    key_id = request.access_key_id or ""
    if key_id == call.caller.access_key_id:
        return wire.GetAccessKeyInfoResponse(account=call.account)
    credential = call.tx.get(CREDENTIALS, key_id) if key_id.isascii() else None
    if credential is None or not credential.account:
        raise errors.Validation(f"The access key {key_id} is not one that this server knows.")
    return wire.GetAccessKeyInfoResponse(account=credential.account)


OPERATIONS = (get_access_key_info,)
