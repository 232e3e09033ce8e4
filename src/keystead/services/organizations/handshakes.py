"""Invitations: InviteAccountToOrganization, and what sender and recipient do with the handshake.

Only accounts of this deployment can be invited; nobody is written to.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS
from keystead.identity import Account
from keystead.identity.organization import Handshake, new_handshake_id
from keystead.services.organizations import limits
from keystead.services.organizations.access import managed, own_account
from keystead.services.organizations.handshake_view import shown_handshake, state_of, visible
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import constraint, handshake_constraint, invalid
from keystead.services.organizations.tables import HANDSHAKES
from keystead.services.organizations.tag_rules import new_tags
from keystead.services.organizations.targets import on_any, on_handshake, on_invited, request_tags, with_tags
from keystead.services.organizations.tree import INVITED, join_organization, members, touch
from keystead.wire.models import organizations as wire

_OPEN: Final = "OPEN"


# -------------------------------------------------------------------------------- inviting


@operation(
    "InviteAccountToOrganization",
    targets=with_tags(on_invited("InviteAccountToOrganization", request_tags)),
    changes=True,
)
def invite_account_to_organization(
    call: Call, request: wire.InviteAccountToOrganizationRequest, *_targets: Target
) -> wire.InviteAccountToOrganizationResponse:
    """Invite an account, by its id or its e-mail address."""
    organization = touch(call.tx, managed(call))
    party = request.target
    assert party is not None
    account = _invited(call, party)
    if account.organization:
        raise handshake_constraint("ALREADY_IN_AN_ORGANIZATION")
    if len(members(call.tx, organization)) >= limits.ACCOUNTS:
        raise constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED")
    for handshake in _found(call, "account", account.id):
        if handshake.organization == organization.id and state_of(handshake, call.now) == _OPEN:
            raise errors.DuplicateHandshake("A handshake with the same action and target already exists.")
    made = Handshake(
        id=new_handshake_id(call.entropy),
        organization=organization.id,
        account=account.id,
        invited=party.id or "",
        invited_by=party.type or "",
        requested=call.now,
        expires=call.now + limits.INVITATION,
        notes=request.notes or "",
        tags=new_tags(request.tags),
    )
    call.tx.insert(HANDSHAKES, made.id, made)
    return wire.InviteAccountToOrganizationResponse(handshake=shown_handshake(call, made))


def _invited(call: Call, party: wire.HandshakeParty) -> Account:
    if party.type not in {"ACCOUNT", "EMAIL"}:
        raise invalid("INVALID_PARTY_TYPE_TARGET")
    named = (party.id or "").lower()
    if party.type == "ACCOUNT":
        found = call.tx.get(ACCOUNTS, named) if named.isdigit() else None
    else:
        accounts = (account for _, account in call.tx.scan(ACCOUNTS, ""))
        found = next((account for account in accounts if account.email.lower() == named), None)
    if found is None:
        raise handshake_constraint("TARGET_ACCOUNT_VALIDATION_FAILURE")
    return found


# ------------------------------------------------------------------------------- answering


def _named(call: Call, handshake: str | None) -> Handshake:
    """The handshake that the caller's account sent or received; another's does not exist for it."""
    found = call.tx.get(HANDSHAKES, handshake or "")
    if found is None or not visible(found, call.now) or not _concerns(call, found):
        raise errors.HandshakeNotFound("You specified a handshake that doesn't exist.")
    return found


def _concerns(call: Call, handshake: Handshake) -> bool:
    return call.account == handshake.account or _sent(call, handshake)


def _sent(call: Call, handshake: Handshake) -> bool:
    sender = call.tx.get(ORGANIZATIONS, handshake.organization)
    return sender is not None and sender.management == call.account


def _end(call: Call, handshake: Handshake, state: str) -> Handshake:
    now = state_of(handshake, call.now)
    if now == state:
        raise errors.HandshakeAlreadyInState(f"The specified handshake is already in the state {state}.")
    if now != _OPEN:
        raise errors.InvalidHandshakeTransition(
            f"You can't perform the operation on the handshake in its current state {now}."
        )
    ended = msgspec.structs.replace(handshake, state=state, ended=call.now)
    call.tx.put(HANDSHAKES, ended.id, ended)
    return ended


def _received(call: Call, handshake: str | None) -> Handshake:
    found = _named(call, handshake)
    if found.account != call.account:
        raise errors.AccessDenied("You don't have permissions to access this resource.")
    return found


@operation("AcceptHandshake", targets=on_handshake("AcceptHandshake"), changes=True)
def accept_handshake(
    call: Call, request: wire.AcceptHandshakeRequest, _handshake: Target
) -> wire.AcceptHandshakeResponse:
    """Join the organization that invited the caller's account."""
    accepted = _end(call, _received(call, request.handshake_id), "ACCEPTED")
    account = own_account(call)
    if account.organization:
        raise handshake_constraint("ALREADY_IN_AN_ORGANIZATION")
    organization = call.tx.get(ORGANIZATIONS, accepted.organization)
    if organization is None:
        raise errors.HandshakeNotFound("You specified a handshake that doesn't exist.")
    if len(members(call.tx, organization)) >= limits.ACCOUNTS:
        raise handshake_constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED")
    tagged = msgspec.structs.replace(account, tags=accepted.tags)
    join_organization(call.tx, organization, tagged, organization.root, method=INVITED, now=call.now)
    return wire.AcceptHandshakeResponse(handshake=shown_handshake(call, accepted))


@operation("DeclineHandshake", targets=on_handshake("DeclineHandshake"), changes=True)
def decline_handshake(
    call: Call, request: wire.DeclineHandshakeRequest, _handshake: Target
) -> wire.DeclineHandshakeResponse:
    """Refuse an invitation that the caller's account received."""
    declined = _end(call, _received(call, request.handshake_id), "DECLINED")
    return wire.DeclineHandshakeResponse(handshake=shown_handshake(call, declined))


@operation("CancelHandshake", targets=on_handshake("CancelHandshake"), changes=True)
def cancel_handshake(
    call: Call, request: wire.CancelHandshakeRequest, _handshake: Target
) -> wire.CancelHandshakeResponse:
    """Take back an invitation that the caller's account sent."""
    found = _named(call, request.handshake_id)
    if not _sent(call, found):
        raise errors.AccessDenied("You don't have permissions to access this resource.")
    return wire.CancelHandshakeResponse(handshake=shown_handshake(call, _end(call, found, "CANCELED")))


# --------------------------------------------------------------------------------- looking


@operation("DescribeHandshake", targets=on_handshake("DescribeHandshake"))
def describe_handshake(
    call: Call, request: wire.DescribeHandshakeRequest, _handshake: Target
) -> wire.DescribeHandshakeResponse:
    """Return an invitation that the caller's account sent or received."""
    found = _named(call, request.handshake_id)
    return wire.DescribeHandshakeResponse(handshake=shown_handshake(call, found))


def _found(call: Call, index: str, value: str) -> list[Handshake]:
    places = call.tx.find(HANDSHAKES, index, value)
    found = (call.tx.get(HANDSHAKES, place) for place in places)
    return [handshake for handshake in found if handshake is not None and visible(handshake, call.now)]


def _page(call: Call, request: Any, found: Iterable[Handshake]) -> tuple[list[wire.Handshake], str | None]:
    wanted = request.filter.action_type if request.filter is not None else None
    shown, token = page(call, request, [each for each in found if wanted in {None, "INVITE"}])
    return [shown_handshake(call, handshake) for handshake in shown], token


@operation("ListHandshakesForAccount", targets=on_any("ListHandshakesForAccount"))
def list_handshakes_for_account(
    call: Call, request: wire.ListHandshakesForAccountRequest, _any: Target
) -> wire.ListHandshakesForAccountResponse:
    """Return a page of the invitations that the caller's account received."""
    shown, token = _page(call, request, _found(call, "account", call.account))
    return wire.ListHandshakesForAccountResponse(handshakes=shown, next_token=token)


@operation("ListHandshakesForOrganization", targets=on_any("ListHandshakesForOrganization"))
def list_handshakes_for_organization(
    call: Call, request: wire.ListHandshakesForOrganizationRequest, _any: Target
) -> wire.ListHandshakesForOrganizationResponse:
    """Return a page of the invitations that the organization sent."""
    shown, token = _page(call, request, _found(call, "organization", managed(call).id))
    return wire.ListHandshakesForOrganizationResponse(handshakes=shown, next_token=token)


OPERATIONS = (
    invite_account_to_organization,
    accept_handshake,
    decline_handshake,
    cancel_handshake,
    describe_handshake,
    list_handshakes_for_account,
    list_handshakes_for_organization,
)
