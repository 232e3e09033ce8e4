"""What a CreateGrant request asks for, read and checked; and a grant as lists show it.

Source: CreateGrant and GrantConstraints in the API reference; messages of AWS where they are known.
"""

from __future__ import annotations

import re
from hashlib import sha256

import msgspec

from keystead import arn, errors
from keystead.keys.grant import Constraints, Grant
from keystead.wire.models import kms as wire

Facts = dict[str, str | list[str]]

_ACCOUNT = re.compile(r"[0-9]{12}", re.ASCII)
_NAME = r"[\w+=,.@-]+"
_PRINCIPAL = re.compile(
    rf"arn:{arn.PARTITION}:(?:"
    rf"iam::[0-9]{{12}}:(?:root|(?:user|role)/(?:{_NAME}/)*{_NAME})"
    rf"|sts::[0-9]{{12}}:(?:assumed-role/{_NAME}/{_NAME}|federated-user/{_NAME})"
    r")",
    re.ASCII,
)
_SERVICE = re.compile(r"(?:[A-Za-z0-9-]+\.)+amazonaws\.com", re.ASCII)
_encode = msgspec.msgpack.Encoder().encode


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """What a grant is to permit, to whom and under which constraints."""

    operations: tuple[str, ...]
    grantee: str | None
    retiring: str | None
    grantee_service: str | None
    retiring_service: str | None
    name: str
    constraints: Constraints | None

    def digest(self, issuer: str) -> str:
        """64 hex digits that are the same for the same terms from the same account, in any order."""
        limits = self.constraints or Constraints()
        parts = (
            issuer,
            sorted(self.operations),
            (self.grantee, self.retiring, self.grantee_service, self.retiring_service, self.name),
            sorted(limits.context_subset.items()) if limits.context_subset else None,
            sorted(limits.context_equals.items()) if limits.context_equals else None,
            limits.source_arn,
        )
        return sha256(_encode(parts)).hexdigest()


# ---------------------------------------------------------------------------- principals


def principal(text: str) -> str:
    """The principal that `text` names: an ARN (a bare account id becomes its root's) or a service.

    Raises:
        errors.InvalidArn: it names no account, user, role, session, federated user or service.
    """
    if _ACCOUNT.fullmatch(text):
        return arn.root_arn(text)
    if _PRINCIPAL.fullmatch(text) or _SERVICE.fullmatch(text):
        return text
    raise errors.InvalidArn(f"ARN does not refer to a valid principal: {text}")


def account_of(name: str) -> str | None:
    """The account of a principal as `principal` returns it; None for a service."""
    return arn.parse(name).account if name.startswith("arn:") else None


def names_account(name: str) -> bool:
    """Whether a principal as `principal` returns it is an account (by its root's ARN) or a service."""
    return name.endswith(":root") or not name.startswith("arn:")


def _optional(text: str | None) -> str | None:
    return None if text is None else principal(text)


# --------------------------------------------------------------------------------- terms


def read_terms(request: wire.CreateGrantRequest) -> Terms:
    """The terms that a request asks for.

    Raises:
        errors.Validation: members that exclude or need each other, no operations, an empty constraint.
        errors.InvalidArn: a principal is none.
    """
    _check_members(request)
    return Terms(
        operations=tuple(dict.fromkeys(request.operations or ())),
        grantee=_optional(request.grantee_principal),
        retiring=_optional(request.retiring_principal),
        grantee_service=request.grantee_service_principal,
        retiring_service=request.retiring_service_principal,
        name=request.name or "",
        constraints=_read_constraints(request.constraints),
    )


def _check_members(request: wire.CreateGrantRequest) -> None:
    if not request.operations:
        raise errors.Validation("You must specify at least one grant operation.")
    if (request.grantee_principal is None) == (request.grantee_service_principal is None):
        raise errors.Validation(
            "You must specify either GranteePrincipal or GranteeServicePrincipal, but not both."
        )
    retiring = (request.retiring_principal, request.retiring_service_principal)
    if None not in retiring:
        raise errors.Validation(
            "You can specify either RetiringPrincipal or RetiringServicePrincipal, but not both."
        )
    if request.grantee_service_principal is None:
        return
    if request.constraints is None or request.constraints.source_arn is None:
        raise errors.Validation("A SourceArn grant constraint is required with GranteeServicePrincipal.")
    if retiring == (None, None):
        raise errors.Validation(
            "RetiringPrincipal or RetiringServicePrincipal is required with GranteeServicePrincipal."
        )


def _read_constraints(given: wire.GrantConstraints | None) -> Constraints | None:
    if given is None:
        return None
    # Terraform's provider always sends both maps, and the one that it was not given is empty.
    subset, equals = given.encryption_context_subset or None, given.encryption_context_equals or None
    if subset is not None and equals is not None:
        raise errors.Validation(
            "A grant can have either an EncryptionContextSubset or an EncryptionContextEquals constraint, "
            "but not both."
        )
    if (subset, equals, given.source_arn) == (None, None, None):
        # Empty maps alone would make a grant without the constraint that was asked for.
        if {} in (given.encryption_context_subset, given.encryption_context_equals):
            raise errors.Validation("An encryption context grant constraint must have at least one pair.")
        return None
    return Constraints(context_subset=subset, context_equals=equals, source_arn=given.source_arn)


# ------------------------------------------------------------------- for condition keys


def constraint_context(constraints: Constraints | None) -> dict[str, str] | None:
    """The encryption context that a grant's constraint names, None if there is no such constraint."""
    return None if constraints is None else constraints.context_equals or constraints.context_subset


def constraint_facts(constraints: Constraints | None) -> Facts:
    """The condition keys that tell what constrains a grant."""
    facts: Facts = {}
    if constraints is None:
        return facts
    if constraints.context_equals is not None:
        facts["kms:GrantConstraintType"] = "EncryptionContextEquals"
    elif constraints.context_subset is not None:
        facts["kms:GrantConstraintType"] = "EncryptionContextSubset"
    if constraints.source_arn is not None:
        facts["kms:GrantConstraintSourceArn"] = constraints.source_arn
    return facts


def terms_facts(terms: Terms) -> Facts:
    """The condition keys of CreateGrant, apart from those of the encryption context."""
    facts: Facts = {"kms:GrantOperations": list(terms.operations)}
    named = {
        "kms:GranteePrincipal": terms.grantee,
        "kms:GranteeServicePrincipal": terms.grantee_service,
        "kms:RetiringPrincipal": terms.retiring,
        "kms:RetiringServicePrincipal": terms.retiring_service,
    }
    facts.update({key: value for key, value in named.items() if value is not None})
    return facts | constraint_facts(terms.constraints)


# --------------------------------------------------------------------------------- lists


def list_entry(grant: Grant) -> wire.GrantListEntry:
    """A grant as ListGrants and ListRetirableGrants show it."""
    limits = grant.constraints
    return wire.GrantListEntry(
        key_id=arn.key_arn(grant.region, grant.account, grant.key_id),
        grant_id=grant.id,
        name=grant.name,  # empty if none was given, as AWS's own examples have it
        creation_date=grant.created,
        grantee_principal=grant.grantee,
        retiring_principal=grant.retiring,
        issuing_account=grant.issuing_account,
        operations=list(grant.operations),
        constraints=wire.GrantConstraints(
            encryption_context_subset=limits.context_subset,
            encryption_context_equals=limits.context_equals,
            source_arn=limits.source_arn,
        )
        if limits is not None
        else None,
        grantee_service_principal=grant.grantee_service,
        retiring_service_principal=grant.retiring_service,
    )
