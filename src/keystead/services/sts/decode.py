"""DecodeAuthorizationMessage: why a request was refused, for those who may ask.

AWS gives out encoded messages with some refusals; here each refusal has a decision id, which is the id of the
refused request, and stands for the message.
"""

from __future__ import annotations

import json
from typing import Any

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.decisions import Refusal
from keystead.api.why import explained, seen
from keystead.policy.record import RecordedRequest
from keystead.services.sts.restrictions import refuse_session
from keystead.wire.models import sts as wire


def _on_anything(call: Call, _request: wire.DecodeAuthorizationMessageRequest) -> tuple[Target, ...]:
    refuse_session(call)
    return (Target("sts:DecodeAuthorizationMessage", "*", call.account),)


@operation("DecodeAuthorizationMessage", targets=_on_anything)
def decode_authorization_message(
    call: Call, request: wire.DecodeAuthorizationMessageRequest, _target: Target
) -> wire.DecodeAuthorizationMessageResponse:
    """Return what decided a refusal of the caller's account, or on a resource of it."""
    asked = request.encoded_message or ""
    refusal = call.decisions.find(asked) if asked.isascii() else None
    if refusal is None or call.account not in _concerned(refusal):
        raise errors.InvalidAuthorizationMessage(
            "The authorization message is not valid: no refusal of this account has that id, or no longer."
        )
    return wire.DecodeAuthorizationMessageResponse(decoded_message=json.dumps(_shown(call, refusal)))


def _concerned(refusal: Refusal) -> set[str]:
    """The accounts that may know of the refusal: the caller's and the resource's."""
    return {refusal.account, refusal.refused.request.account}


def _shown(call: Call, refusal: Refusal) -> dict[str, Any]:
    """In the form that AWS's decoded messages have, with the explanation besides."""
    refusal = seen(refusal, viewer=call.account)
    asked = refusal.refused.request
    explanation = explained(refusal, viewer=call.account)
    return {
        "allowed": False,
        "explicitDeny": refusal.refused.decision.effect == "explicitDeny",
        "matchedStatements": {"items": explanation.statements},
        "failures": {"items": []},
        "context": {
            "principal": {"id": asked.principal.user_id, "arn": asked.principal.arn},
            "action": asked.action,
            "resource": asked.resource,
            "conditions": {"items": _conditions(asked) if refusal.account == call.account else []},
        },
        "explanation": explanation.text,
        "details": explanation.details,
    }


def _conditions(asked: RecordedRequest) -> list[dict[str, Any]]:
    """The condition keys as the caller's account may see them: of its own resources, or of the call."""
    own = asked.account == asked.principal.account
    return [
        {
            "key": name,
            "values": {"items": [{"value": v} for v in (value if isinstance(value, tuple) else (value,))]},
        }
        for name, value in sorted(asked.context.items())
        if own
        or not name.startswith(
            ("aws:resource", "kms:key", "kms:multiregion", "kms:resource", "kms:customermasterkey")
        )
    ]


OPERATIONS = (decode_authorization_message,)
