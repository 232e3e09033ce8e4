"""From a request to its trail: by name or ARN, and the permission that takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from keystead import errors
from keystead.api import Call, Target
from keystead.api.operation import Targets
from keystead.services.cloudtrail.tables import TRAILS, Trail, trail_arn

_SHORTEST: Final = 3
_LONGEST: Final = 128
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[._-]?[A-Za-z0-9])*", re.ASCII)
_ADDRESS: Final = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}", re.ASCII)
_ARN: Final = re.compile(r"arn:aws:cloudtrail:([a-z0-9-]+):(\d{12}):trail/(.+)", re.ASCII)


def on_any(action: str) -> Targets:
    """The target of an operation that is about no one trail."""
    return lambda call, _request: (Target(f"cloudtrail:{action}", "*", call.account),)


def on_trail(action: str, attribute: str = "name") -> Targets:
    """The trail that the request's `attribute` names."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        return (_target(call, action, getattr(request, attribute) or ""),)

    return targets


def on_trails(action: str, attribute: str) -> Targets:
    """Each of the trails that the request's `attribute` lists; of none, any."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        return tuple(_target(call, action, named) for named in getattr(request, attribute) or ("*",))

    return targets


def with_tags(targets: Targets) -> Targets:
    """`targets`, and AddTags on the same where the request has tags."""

    def both(call: Call, request: Any) -> tuple[Target, ...]:
        found = targets(call, request)
        tags = Target("cloudtrail:AddTags", found[0].resource, call.account)
        return (*found, tags) if request.tags_list else found

    return both


def _target(call: Call, action: str, named: str) -> Target:
    match = _ARN.fullmatch(named)
    region, account, name = match.groups() if match else (call.region, call.account, named)
    known = None if match else _by_name(call, named)
    resource = known.arn if known is not None else trail_arn(account, region, name)
    return Target(f"cloudtrail:{action}", resource, account)


def existing(call: Call, named: str | None) -> Trail:
    """The trail of the caller's account that a name or an ARN names.

    Raises:
        errors.CloudTrailArnInvalid: it is an ARN, but of no trail.
        errors.InvalidTrailName: nothing can be called so.
        errors.TrailNotFound: there is none.
    """
    text = named or ""
    if text.startswith("arn:"):
        match = _ARN.fullmatch(text)
        if match is None:
            raise errors.CloudTrailArnInvalid(f"{text} is not the ARN of a trail.")
        region, account, name = match.groups()
        found = (
            call.tx.get(TRAILS, f"{account}/{region}/{check_name(name)}") if account == call.account else None
        )
    else:
        found = _by_name(call, check_name(text))
    if found is None:
        raise errors.TrailNotFound(f"Unknown trail: {text} for the user: {call.account}")
    return found


def at_home(call: Call, named: str | None) -> Trail:
    """The trail, which must be of the Region that is called.

    Raises:
        errors.InvalidHomeRegion: it is of another Region.
        errors.TrailNotFound: there is none; see `existing` for names.
    """
    found = existing(call, named)
    if found.region != call.region:
        raise errors.InvalidHomeRegion(
            f"Trail {found.name} must be changed in its home Region, {found.region}."
        )
    return found


def visible(call: Call, *, shadows: bool) -> list[Trail]:
    """The account's trails of the Region that is called, and those of others that log there too if wanted."""
    trails = (trail for _, trail in call.tx.scan(TRAILS, f"{call.account}/"))
    return [trail for trail in trails if trail.region == call.region or (shadows and trail.multi_region)]


def _by_name(call: Call, name: str) -> Trail | None:
    if "/" in name or "\0" in name:
        return None
    return next((trail for trail in visible(call, shadows=True) if trail.name == name), None)


_RULES: Final[tuple[tuple[Callable[[str], bool], str], ...]] = (
    (
        lambda name: len(name) >= _SHORTEST,
        "Trail name too short. Minimum allowed length: 3 characters. Specified name length: {length} characters.",
    ),
    (
        lambda name: len(name) <= _LONGEST,
        "Trail name too long. Maximum allowed length: 128 characters. Specified name length: {length} characters.",
    ),
    (lambda name: name[0].isascii() and name[0].isalnum(), "Trail name must starts with a letter or number."),
    (lambda name: name[-1].isascii() and name[-1].isalnum(), "Trail name must ends with a letter or number."),
    (
        lambda name: _NAME.fullmatch(name) is not None,
        "Trail name or ARN can only contain uppercase letters, lowercase letters, numbers, periods (.), hyphens (-), and underscores (_), and no two of these marks in a row.",
    ),
    (lambda name: _ADDRESS.fullmatch(name) is None, "Trail name must not be formatted as an IP address."),
)


def check_name(name: str) -> str:
    """The name, if a trail can have it (API Reference, CreateTrail).

    Raises:
        errors.InvalidTrailName: it cannot.
    """
    for holds, message in _RULES:
        if not holds(name):
            raise errors.InvalidTrailName(message.format(length=len(name)))
    return name
