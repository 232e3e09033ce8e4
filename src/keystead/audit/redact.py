"""What an event may show of a request and its answer: what `rules` names, and nothing else.

The rules are compiled against the generated shapes once for each operation. A path that leads nowhere,
or to a secret member, is a defect that compiling finds, so it cannot wait in an operation that nobody has
called yet: a test compiles them all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import groupby
from operator import attrgetter
from typing import Any

import msgspec

from keystead.audit.parameters import Encode, encoder_of
from keystead.audit.rules import EVERYTHING, HIDDEN, SECRET, Paths, Rule, rule_of
from keystead.wire.model import Member, Shape
from keystead.wire.model import Rule as Type

Shown = dict[str, Any]
_Convert = Callable[[Any], Any]

_encode = msgspec.json.Encoder().encode
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


OWN_SOURCE = "api.keystead"


def event_source(service: str) -> str:
    """What events of calls to the service name as their source; for what AWS has not no name of AWS's is taken."""
    return OWN_SOURCE if service == "keystead" else f"{service}.amazonaws.com"


class Redaction:
    """What one operation's event shows; compiled when its first call comes."""

    __slots__ = (
        "_encode_request",
        "_rule",
        "_show_request",
        "_show_response",
        "data",
        "event_source",
        "read_only",
        "silent",
    )

    def __init__(self, service: str, rule: Rule) -> None:
        self._rule = rule
        self._show_request: dict[type[Shape], Callable[[Shape], Shown]] = {}
        self._show_response: dict[type[Shape], Callable[[Shape], Shown]] = {}
        self._encode_request: dict[type[Shape], Encode] = {}
        self.event_source = event_source(service)
        self.read_only = rule.read_only
        self.data = rule.data
        self.silent = not (rule.response or rule.echoed or rule.key_arn)
        """Whether responseElements is null whatever is answered."""

    def request_parameters(self, request: Shape) -> Shown | None:
        """The event's requestParameters."""
        shape = type(request)
        show = self._show_request.get(shape)
        if show is None:
            show = _members(shape, *_request_paths(shape, self._rule), tuple(self._rule.defaults.items()))
            self._show_request[shape] = show
        return show(request) or None

    def encoding(self, shape: type[Shape]) -> Encode:
        """What writes the requestParameters of requests of this shape as JSON."""
        encode = self._encode_request.get(shape)
        if encode is None:
            paths = _request_paths(shape, self._rule)
            encode = _encoding(shape, *paths, self._rule.defaults) or self._encoded
            self._encode_request[shape] = encode
        return encode

    def _encoded(self, request: Shape) -> bytes:
        return _encode(self.request_parameters(request))

    def response_elements(self, request: Shape, response: Shape | None, key_arn: str | None) -> Shown | None:
        """The event's responseElements after a success; `key_arn` is the key that was changed."""
        rule = self._rule
        shown: Shown = {}
        if response is not None and rule.response:
            shown = self._response_shower(type(response))(response)
        if rule.echoed:
            shown |= _members(type(request), rule.echoed)(request)
        if rule.key_arn and key_arn is not None:
            shown["keyId"] = key_arn
        return shown or None

    def _response_shower(self, shape: type[Shape]) -> Callable[[Shape], Shown]:
        show = self._show_response.get(shape)
        if show is None:
            show = self._show_response[shape] = _members(shape, _response_paths(shape, self._rule))
        return show


@cache
def redaction(service: str, operation: str) -> Redaction:
    """The operation's.

    Raises:
        KeyError: there is no rule for it.
    """
    return Redaction(service, rule_of(service, operation))


def event_date(seconds: float) -> str:
    """Epoch seconds as events write dates inside responseElements, e.g. `Aug 10, 2022, 10:38:27 PM`.

    Source: AWS KMS Developer Guide, example event of CreateKey. UTC; English whatever the locale. A time
    beyond the calendar, which a request may well hold, stays a number.
    """
    try:
        when = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        return f"{seconds:g}"
    return f"{_MONTHS[when.month - 1]} {when.day}, {when.year}, {when.hour % 12 or 12}:{when:%M:%S} " + (
        "AM" if when.hour < 12 else "PM"  # noqa: PLR2004  noon
    )


# ---------------------------------------------------------------------------- compiling


def _request_paths(shape: type[Shape], rule: Rule) -> tuple[Paths, Paths]:
    """The shown paths of a request, and those shown as hidden."""
    everything = rule.request == EVERYTHING
    return everything_of(shape, rule.members) if everything else (rule.request, rule.hidden)


def _response_paths(shape: type[Shape], rule: Rule) -> Paths:
    return everything_of(shape, rule.members)[0] if rule.response == EVERYTHING else rule.response


def paths_of(rule: Rule, request: type[Shape], response: type[Shape] | None) -> tuple[Paths, Paths, Paths]:
    """The paths that requestParameters shows, those that it shows as `HIDDEN`, and those of responseElements."""
    key = ("keyId",) if rule.key_arn and "keyId" not in rule.response else ()
    answered = _response_paths(response, rule) if response is not None else ()
    return *_request_paths(request, rule), (*answered, *rule.echoed, *key)


def everything_of(shape: type[Shape], names: frozenset[str]) -> tuple[Paths, Paths]:
    """The paths of members at any depth: those called one of `names` that may be shown, and the secret ones."""
    shown: list[str] = []
    secret: list[str] = []
    for member in shape.MEMBERS:
        label, inner = _label(member), _structure(member.rule)
        if _is_secret(member):
            secret.append(label)
        elif label not in names:
            continue
        elif inner is None:
            shown.append(label)
        else:
            for paths, found in zip((shown, secret), everything_of(inner, names), strict=True):
                paths += [f"{label}.{path}" for path in found]
    return tuple(shown), tuple(secret)


@cache
def _members(
    shape: type[Shape], shown: Paths, hidden: Paths = (), defaults: tuple[tuple[str, str], ...] = ()
) -> Callable[[Shape], Shown]:
    """What makes the shown and hidden members of a `shape` into a JSON object."""
    always = dict(defaults)
    members = {_label(member): member for member in shape.MEMBERS}
    fields = tuple(
        (members[label].attribute, label, _converter(members[label], inner, secret))
        for label, inner, secret in _branches(shown, hidden)
    )
    if len(fields) > 1 and not any(convert for _, _, convert in fields):
        return _plain(
            always, tuple(label for _, label, _ in fields), attrgetter(*(name for name, _, _ in fields))
        )

    def show(value: Shape) -> Shown:
        result: Shown = always.copy()
        for attribute, label, convert in fields:
            member = getattr(value, attribute)
            if member is not None:
                result[label] = member if convert is None else convert(member)
        return result

    return show


def _plain(
    always: Shown, labels: tuple[str, ...], members: Callable[[Shape], tuple[Any, ...]]
) -> Callable[[Shape], Shown]:
    """As above for members that are shown as they are, as those of most uses of keys are: in half the time."""

    def show(value: Shape) -> Shown:
        result = always.copy()
        for label, member in zip(labels, members(value), strict=True):
            if member is not None:
                result[label] = member
        return result

    return show


def _encoding(shape: type[Shape], shown: Paths, hidden: Paths, defaults: Mapping[str, str]) -> Encode | None:
    """What writes the shown members of a `shape` as JSON, in a third of the time that takes by way of a dict.

    For members that are shown as they are, one of which is always there or has a default, with one default at most; else None.
    """
    members = {_label(member): member for member in shape.MEMBERS}
    labels = list(dict.fromkeys((*defaults, *(label for label, _, _ in _branches(shown, hidden)))))
    found = [members[label] for label in labels if label in members]
    converted = (_converter(members[label], *rests) for label, *rests in _branches(shown, hidden))
    if any(converted) or not (defaults or any(member.required for member in found)):
        return None
    if not 1 < len(labels) == len(found) or len(defaults) > 1:
        return None
    return encoder_of(labels, [member.attribute for member in found], next(iter(defaults.values()), None))


_LABELS = {"AWSAccountId": "AWSAccountId", "Bucket": "bucketName"}
"""Names that events do not write as others (`AWSServiceName` becomes `aWSServiceName`)."""


def _label(member: Member) -> str:
    """The member's name in events."""
    name = member.name
    return _LABELS.get(name) or name[0].lower() + name[1:]


def _branches(shown: Paths, hidden: Paths) -> Iterable[tuple[str, Paths, Paths]]:
    """Each first label with the shown and hidden rests of its paths; a path that ends here has the rest ""."""
    marked = sorted(
        [(*path.partition(".")[::2], False) for path in shown]
        + [(*path.partition(".")[::2], True) for path in hidden]
    )
    for label, group in groupby(marked, key=lambda path: path[0]):
        rests = [(rest, secret) for _, rest, secret in group]
        yield (
            label,
            tuple(rest for rest, secret in rests if not secret),
            tuple(rest for rest, secret in rests if secret),
        )


def _converter(member: Member, shown: Paths, hidden: Paths) -> _Convert | None:
    if hidden == ("",) and not shown:
        return lambda _: HIDDEN
    shape = _structure(member.rule)
    if shape is not None:
        inner = _members(shape, shown, hidden)
        if member.rule.kind == "list":
            return lambda items: [inner(item) for item in items]
        if member.rule.kind == "map":
            return lambda items: {key: inner(item) for key, item in items.items()}
        return inner
    if (shown, hidden) != (("",), ()) or _is_secret(member):
        raise ValueError(f"{member.name} cannot be shown as {shown} with {hidden} hidden")
    return event_date if member.rule.kind == "timestamp" else None


def _structure(rule: Type) -> type[Shape] | None:
    """The structure that members of this type hold, directly, in a list or in a map."""
    return rule.item.shape if rule.item is not None else rule.shape


def _is_secret(member: Member) -> bool:
    return member.name in SECRET or _is_sensitive(member.rule)


def _is_sensitive(rule: Type) -> bool:
    return rule.sensitive or any(
        inner is not None and _is_sensitive(inner) for inner in (rule.item, rule.key)
    )


def compile_rule(rule: Rule, request: type[Shape], response: type[Shape] | None) -> None:
    """Nothing, when the rule fits an operation's shapes.

    Raises:
        KeyError: a path names no member.
        ValueError: a path would show a secret member, or a whole structure.
    """
    _members(request, *_request_paths(request, rule))
    _members(request, rule.echoed)
    if response is not None:
        _members(response, _response_paths(response, rule))
    elif rule.response not in {(), EVERYTHING}:
        raise ValueError("the operation has no answer to show")
