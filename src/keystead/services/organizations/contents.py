"""What may stand in a service control policy or a resource control policy.

Source: AWS Organizations User Guide, "SCP syntax" and "RCP syntax".
"""

from __future__ import annotations

from typing import Final

from keystead import errors
from keystead.identity.organization import RESOURCE_CONTROL, SERVICE_CONTROL
from keystead.policy import Statement, parse
from keystead.services.organizations import limits
from keystead.services.organizations.refusals import constraint

_MALFORMED: Final = (
    "The provided policy document does not meet the requirements of the specified policy type."
)


def check_content(kind: str, content: str) -> None:
    """Return if the text may be a policy of this type.

    Raises:
        errors.MalformedPolicyDocument: it may not.
        errors.ConstraintViolation: it is longer than 5,120 characters.
    """
    if len(content) > limits.CONTENT:
        raise constraint("POLICY_CONTENT_LIMIT_EXCEEDED")
    if not all(_FITS[kind](statement) for statement in parse(content).statements):
        raise errors.MalformedPolicyDocument(_MALFORMED)


def _fits_scp(statement: Statement) -> bool:
    return statement.principal is None and statement.not_principal is None


def _fits_rcp(statement: Statement) -> bool:
    return (
        statement.effect == "Deny"
        and statement.principal is not None
        and statement.principal.aws == ("*",)
        and statement.not_actions is None
    )


_FITS: Final = {SERVICE_CONTROL: _fits_scp, RESOURCE_CONTROL: _fits_rcp}
