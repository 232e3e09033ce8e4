"""GenerateMac and VerifyMac."""

from __future__ import annotations

from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.keys import Key
from keystead.keys import spec as specs
from keystead.services.kms.lending import lend_current
from keystead.services.kms.targets import on_key
from keystead.services.kms.use import check_dry_run, check_use
from keystead.wire.models import kms as wire


def _facts(_call: Call, request: Any) -> dict[str, str | list[str]]:
    return {"kms:MacAlgorithm": request.mac_algorithm}


def _ability(call: Call, key: Key, request: Any) -> Any:
    check_use(
        call, request.grant_tokens, key, call.operation, specs.GENERATE_VERIFY_MAC, request.mac_algorithm
    )
    return lend_current(call, key)


@operation(
    "GenerateMac",
    targets=on_key("GenerateMac", aliases=True, cross_account=True, facts=_facts),
    tracks_use=True,
)
def generate_mac(call: Call, request: wire.GenerateMacRequest, target: Target) -> wire.GenerateMacResponse:
    """Return the HMAC of a message under an HMAC key."""
    key = target.found
    mac = _ability(call, key, request).generate_mac(request.message, request.mac_algorithm)
    check_dry_run(request.dry_run)
    return wire.GenerateMacResponse(mac=mac, mac_algorithm=request.mac_algorithm, key_id=key.arn)


@operation(
    "VerifyMac",
    targets=on_key("VerifyMac", aliases=True, cross_account=True, facts=_facts),
    tracks_use=True,
)
def verify_mac(call: Call, request: wire.VerifyMacRequest, target: Target) -> wire.VerifyMacResponse:
    """Answer that a MAC is the message's; any other is an error."""
    key = target.found
    try:
        _ability(call, key, request).verify_mac(request.message, request.mac, request.mac_algorithm)
    except errors.VerificationFailed:
        raise errors.InvalidMac from None
    check_dry_run(request.dry_run)
    return wire.VerifyMacResponse(key_id=key.arn, mac_valid=True, mac_algorithm=request.mac_algorithm)


OPERATIONS = (generate_mac, verify_mac)
