"""ValidatePolicy's issues of Principal and NotPrincipal."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.policy.document import EVERYONE
from keystead.policy.spans import Path

Found = Iterator[tuple[str, Path, str]]

TRUST: Final = "AWS::IAM::AssumeRolePolicyDocument"
_WITH_PRINCIPALS: Final = frozenset({"RESOURCE_POLICY", "RESOURCE_CONTROL_POLICY"})
_KINDS: Final = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_SOURCES: Final = frozenset({
    "aws:sourcearn", "aws:sourceaccount", "aws:sourceorgid", "aws:sourceorgpaths", "aws:principalorgid",
})  # fmt: skip
_SERVICE: Final = re.compile(
    r"[a-z0-9-]+(?:\.[a-z0-9-]+)*\.(?:amazonaws\.com(?:\.cn)?|aws\.internal|amazon\.com)", re.ASCII
)
_AWS: Final = re.compile(
    r"[0-9]{12}|arn:[a-z-]+:(?:iam|sts)::[0-9]{12}:.+|(?:AIDA|AROA)[A-Z0-9]{12,}|\*", re.ASCII
)
_ROLE_ID: Final = re.compile(r"AROA[A-Z0-9]{12,}", re.ASCII)
_USER_ID: Final = re.compile(r"AIDA[A-Z0-9]{12,}", re.ASCII)
_FOR_FEDERATED: Final = {"sts:assumerolewithsaml": "saml-provider", "sts:assumerolewithwebidentity": "oidc"}


def on_principal(statement: Mapping[str, Any], path: Path, kind: str, resource: str | None) -> Found:
    """The issues of whom a statement names."""
    given = [each for each in ("Principal", "NotPrincipal") if each in statement]
    if kind not in _WITH_PRINCIPALS:
        for each in given:
            yield "UNSUPPORTED_PRINCIPAL", (*path, each), f"Policies of this type have no {each}."
        return
    if not given:
        yield "MISSING_PRINCIPAL", path, "Add a Principal element."
    elif len(given) > 1:
        yield (
            "UNSUPPORTED_ELEMENT_COMBINATION",
            (*path, given[1]),
            "Principal and NotPrincipal exclude each other.",
        )
    for each in given:
        yield from _on_element(statement[each], (*path, each), resource)
    if "NotPrincipal" in statement and statement.get("Effect") == "Allow":
        said = "Allow with NotPrincipal lets in everybody else, also without authentication; name who may instead."
        yield "ALLOW_WITH_NOT_PRINCIPAL", (*path, "NotPrincipal"), said
    yield from _on_services(statement, path)
    if kind == "RESOURCE_CONTROL_POLICY":
        yield from _of_rcp(statement, path)
    if resource == TRUST:
        yield from _of_trust(statement, path)


def _on_element(element: Any, place: Path, resource: str | None) -> Found:
    if element == EVERYONE:
        return
    if element == {}:
        yield "EMPTY_OBJECT_PRINCIPAL", place, "It names nobody."
        return
    if not isinstance(element, Mapping):
        yield (
            "INVALID_PRINCIPAL_FORMAT",
            place,
            'Name principals by their kind, such as {"AWS": "111122223333"}.',
        )
        return
    for name, entries in element.items():
        if name not in _KINDS:
            yield "INVALID_PRINCIPAL_KEY", (*place, name), f"{name} is no kind of principal."
            continue
        if name == "Federated" and resource not in (None, TRUST):
            said = "Only trust policies of roles name identity providers."
            yield "FEDERATED_PRINCIPAL_NOT_SUPPORTED", (*place, name), said
        if entries == []:
            yield "EMPTY_ARRAY_PRINCIPAL", (*place, name), "The list is empty."
        for index, entry in enumerate(entries if isinstance(entries, list) else [entries]):
            at = (*place, name, index) if isinstance(entries, list) else (*place, name)
            yield from _on_entry(name, entry, at)


def _on_entry(kind: str, entry: Any, place: Path) -> Found:
    if type(entry) is not str:
        yield "DATA_TYPE_MISMATCH", place, "A principal is a text."
        return
    if ("*" in entry or "?" in entry) and not (kind == "AWS" and entry == EVERYONE):
        said = f"A wild card stands for itself in the name of a principal of the kind {kind}."
        yield "UNSUPPORTED_WILDCARD_IN_PRINCIPAL", place, said
        return
    if kind == "AWS":
        if _ROLE_ID.fullmatch(entry):
            yield (
                "INVALID_ROLE_REFERENCE",
                place,
                f"{entry} is a role that is gone; name another, or remove it.",
            )
        elif _USER_ID.fullmatch(entry):
            yield (
                "INVALID_USER_REFERENCE",
                place,
                f"{entry} is a user who is gone; name another, or remove it.",
            )
        elif not _AWS.fullmatch(entry) and "${" not in entry:
            yield "INVALID_PRINCIPAL_FORMAT", place, f"{entry} is no account, user, role or session."
    elif kind == "Service" and not _SERVICE.fullmatch(entry):
        yield "INVALID_SERVICE_PRINCIPAL_FORMAT", place, f"{entry} is not of the form SERVICE.amazonaws.com."


def _on_services(statement: Mapping[str, Any], path: Path) -> Found:
    """An AWS service that is let in for whatever account or resource: the confused deputy."""
    principal = statement.get("Principal")
    named = isinstance(principal, Mapping) and principal.get("Service")
    if not named or statement.get("Effect") != "Allow":
        return
    if not condition_keys_of(statement) & _SOURCES:
        said = "Limit for which resource, account or organization the service may act: aws:SourceArn, aws:SourceAccount, aws:SourceOrgID."
        yield "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL", (*path, "Principal", "Service"), said


def condition_keys_of(statement: Mapping[str, Any]) -> frozenset[str]:
    """The condition keys of a statement, in lower case."""
    blocks = statement.get("Condition")
    held = blocks.values() if isinstance(blocks, Mapping) else ()
    return frozenset(key.lower() for block in held if isinstance(block, Mapping) for key in block)


def names_anybody(statement: Mapping[str, Any]) -> bool:
    """Whether a statement names everybody."""
    principal = statement.get("Principal")
    named = principal.get("AWS") if isinstance(principal, Mapping) else principal
    return EVERYONE in (named if isinstance(named, list) else [named])


def names_services_only(statement: Mapping[str, Any]) -> bool:
    """Whether a statement names AWS services and nobody else."""
    principal = statement.get("Principal")
    return isinstance(principal, Mapping) and set(principal) == {"Service"}


# ------------------------------------------------------------------ kinds of their own


def _of_rcp(statement: Mapping[str, Any], path: Path) -> Found:
    """Source: AWS Organizations User Guide, "RCP syntax"."""
    if "NotPrincipal" in statement or ("Principal" in statement and not names_anybody(statement)):
        name = "NotPrincipal" if "NotPrincipal" in statement else "Principal"
        yield "RCP_SYNTAX_ERROR_PRINCIPAL", (*path, name), "An RCP is about all principals: *."
    if statement.get("Effect") == "Allow":
        yield "RCP_SYNTAX_ERROR_ALLOW", (*path, "Effect"), "An RCP of one's own denies."
    if "NotAction" in statement:
        yield "RCP_SYNTAX_ERROR_NOTACTION", (*path, "NotAction"), "An RCP lists actions."


def _of_trust(statement: Mapping[str, Any], path: Path) -> Found:
    """Source: IAM User Guide, "IAM and AWS STS", trust policies."""
    if "NotPrincipal" in statement:
        said = "A trust policy names whom it trusts."
        yield "ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL", (*path, "NotPrincipal"), said
    for name in ("Resource", "NotResource"):
        if name in statement:
            said = "A trust policy is about its role only."
            yield "ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE", (*path, name), said
    principal, actions = statement.get("Principal"), statement.get("Action")
    federated = principal.get("Federated") if isinstance(principal, Mapping) else None
    for index, action in enumerate(actions if isinstance(actions, list) else [actions]):
        wanted = _FOR_FEDERATED.get(str(action).lower())
        place = (*path, "Action", index) if isinstance(actions, list) else (*path, "Action")
        if wanted is not None and (
            federated is None or ("saml-provider" in str(federated)) != (wanted == "saml-provider")
        ):
            said = f"{action} is for sessions of another kind of identity provider than is named."
            yield "MISMATCHED_ACTION_FOR_PRINCIPAL", place, said
