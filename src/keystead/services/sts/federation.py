"""GetFederationToken: temporary credentials for somebody whom a program vouches for.

What such a session may do is what both the calling user and the passed session policies allow; without
session policies it is what resource policies allow it by name. Source: AWS STS API Reference,
GetFederationToken; IAM User Guide, "Permissions for GetFederationToken".
"""

from __future__ import annotations

from typing import Final

from keystead.api import Call, Target, operation
from keystead.identity.caller import IAM_USER
from keystead.identity.names import federated_arn
from keystead.identity.session import FEDERATED_SESSION
from keystead.services.sts.issue import credentials, new_session
from keystead.services.sts.session_terms import Tags, asked_tags, terms_of
from keystead.services.sts.session_token import lasting, long_term_only
from keystead.services.sts.trust import TAG_SESSION, tag_facts
from keystead.wire.models import sts as wire

_FEDERATE: Final = "sts:GetFederationToken"


def _on_federated_user(call: Call, request: wire.GetFederationTokenRequest) -> tuple[Target, ...]:
    """The federated user that the session is to be."""
    long_term_only(call)
    tags = asked_tags(request)
    resource = federated_arn(call.account, request.name or "")
    actions = (_FEDERATE, TAG_SESSION) if tags else (_FEDERATE,)
    facts = tag_facts(tags, None)
    return tuple(Target(action, resource, call.account, facts=facts) for action in actions)


@operation("GetFederationToken", targets=_on_federated_user)
def get_federation_token(
    call: Call, request: wire.GetFederationTokenRequest, *_targets: Target
) -> wire.GetFederationTokenResponse:
    """Return temporary credentials for a federated user."""
    terms = terms_of(call, request, call.account, Tags(asked_tags(request)))
    name = request.name or ""
    session = new_session(
        call,
        lasting(call, request.duration_seconds),
        account=call.account,
        kind=FEDERATED_SESSION,
        principal=call.caller.principal_id if call.caller.kind == IAM_USER else "",
        name=name,
        tags=terms.tags,
        policies=terms.policies,
        policy_arns=terms.policy_arns,
    )
    return wire.GetFederationTokenResponse(
        credentials=credentials(call, session),
        federated_user=wire.FederatedUser(
            federated_user_id=f"{call.account}:{name}", arn=federated_arn(call.account, name)
        ),
        packed_policy_size=terms.packed,
    )


OPERATIONS = (get_federation_token,)
