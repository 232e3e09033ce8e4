"""Where in a JSON text each value stands, so that a finding can point at it."""

from __future__ import annotations

import json
import re
from typing import Final

import msgspec

Path = tuple[str | int, ...]
"""Member names and list positions, from the document's root."""

Places = list[tuple[Path, int, int]]
"""What stands where: its path, and the offsets of its begin and of what is behind it."""

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_SCALAR: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s,:\[\]{}"]+', re.DOTALL)
_DEEPEST: Final = 100


class Position(msgspec.Struct, frozen=True):
    """A place in a text: line from 1, column and offset from 0, in characters."""

    line: int
    column: int
    offset: int


class Span(msgspec.Struct, frozen=True):
    """From where to where a value stands; the end is the first place behind it."""

    start: Position
    end: Position


def spans(text: str) -> dict[Path, Span]:
    """The span of every value; of a member that is named twice, the last one's.

    Raises:
        ValueError: not JSON, or nested deeper than a policy can be.
    """
    return _spans(text, _walk(text)[0])


def names(text: str) -> dict[Path, Span]:
    """The span of the name of every member, by the path of its value; of one that is there twice, the last one's.

    Raises:
        ValueError: not JSON, or nested deeper than a policy can be.
    """
    return _spans(text, _walk(text)[1])


def _spans(text: str, found: Places) -> dict[Path, Span]:
    breaks = [index for index, letter in enumerate(text) if letter == "\n"]
    return {path: Span(_position(start, breaks), _position(end, breaks)) for path, start, end in found}


def _position(offset: int, breaks: list[int]) -> Position:
    low, high = 0, len(breaks)
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if breaks[middle] < offset else (low, middle)
    return Position(low + 1, offset - (breaks[low - 1] + 1 if low else 0), offset)


def _walk(text: str) -> tuple[Places, Places]:
    """Where each value is, and where each name."""
    found: tuple[Places, Places] = ([], [])
    end = _value(text, _skip(text, 0), (), found)
    if _skip(text, end) != len(text):
        raise ValueError("more than one JSON value")
    return found


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None  # it matches the empty text, too
    return found.end()


def _value(text: str, at: int, path: Path, found: tuple[Places, Places]) -> int:
    """The offset behind the value that begins at `at`."""
    if len(path) > _DEEPEST:
        raise ValueError("nested too deep")
    opening = text[at : at + 1]
    if opening and opening in "{[":
        end = _container(text, at, path, found, "}" if opening == "{" else "]")
    else:
        scalar = _SCALAR.match(text, at)
        if scalar is None:
            raise ValueError(f"no JSON value at offset {at}")
        end = scalar.end()
    found[0].append((path, at, end))
    return end


def _container(text: str, at: int, path: Path, found: tuple[Places, Places], closing: str) -> int:
    at, number = _skip(text, at + 1), 0
    while text[at : at + 1] != closing:
        if number:
            at = _skip(text, _after(text, at, ","))
        step: str | int = number
        if closing == "}":
            name = _SCALAR.match(text, at)
            if name is None or text[at] != '"':
                raise ValueError(f"no member name at offset {at}")
            step = str(json.loads(name.group()))
            found[1].append(((*path, step), at, name.end()))
            at = _skip(text, _after(text, _skip(text, name.end()), ":"))
        at = _skip(text, _value(text, at, (*path, step), found))
        number += 1
    return at + 1


def _after(text: str, at: int, letter: str) -> int:
    if text[at : at + 1] != letter:
        raise ValueError(f"{letter!r} is missing at offset {at}")
    return at + 1
