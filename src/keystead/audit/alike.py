"""What many events have alike, cut out of an event's text without reading it: several times as fast as reading it.

The places of cuts are found by the names of members in the order in which the server writes them (`form.WrittenEvent`).
A name within quotes that are not escaped stands in no string, so it is a member's; whether it is one of the event itself and
not of something in it, `is_sound` tells of all events that are alike, once. What has another form is not cut.
"""

from __future__ import annotations

from typing import Final

import msgspec

_TIME, _SOURCE_IP, _ERROR = b',"eventTime":"', b',"sourceIPAddress":', b',"errorCode":'
_ASKED, _ANSWERED, _READ_ONLY, _TYPE = (
    b',"requestParameters":', b',"responseElements":', b',"readOnly":', b',"eventType":',
)  # fmt: skip
_AT: Final = len(_TIME)
_BEHIND: Final = _AT + len("YYYY-MM-DDTHH:MM:SSZ")
_LONG: Final = len(_ASKED)

Alike = tuple[bytes, bytes, bytes]
"""Who; what, where and when it was not; with which resources: members of events that many have alike."""


def cut(event: bytes) -> tuple[Alike, bytes, bytes] | None:
    """What it has alike with others, its time, and its parameters as they are written; None of a failure or another form."""
    time = event.find(_TIME)
    peer = event.find(_SOURCE_IP, time + _BEHIND)
    asked = event.find(_ASKED, peer)
    answered = event.find(_ANSWERED, asked)
    read_only = event.rfind(_READ_ONLY, answered)  # the last one: behind it, no name is a caller's own
    end = event.find(_TYPE, read_only)
    if not 0 < time < peer < asked < answered < read_only < end or event.find(_ERROR, peer, asked) > 0:
        return None
    alike = event[:time], event[time + _BEHIND : peer], event[read_only:end]
    return alike, event[time + _AT : time + _BEHIND], event[asked + _LONG : answered]


def is_sound(event: bytes, alike: Alike) -> bool:
    """Whether the event is cut between its own members; then so is every one that has this alike."""
    who, what, resources = alike
    peer = len(who) + _BEHIND + len(what)
    parts = (who + b"}", event[:peer] + b"}", b"{" + resources[1:] + b"}")
    return all(map(_is_object, parts))


def _is_object(text: bytes) -> bool:
    try:
        _read(text)
    except msgspec.MsgspecError:
        return False
    return True


_read: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
