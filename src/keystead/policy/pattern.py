"""Globs and ARN patterns, matched without regular expressions.

A pattern is a tuple of tokens: text that stands for itself, `ANY` (`*`) and `ONE` (`?`).
No policy text ever becomes a regular expression: `.`, `+`, `(` and newlines are ordinary, and the
time to match is bounded by pattern length times text length whatever the policy says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

ANY: Final = 0
"""Token for `*`: any run of characters, also none."""
ONE: Final = 1
"""Token for `?`: exactly one character."""

Token = str | int
Tokens = tuple[Token, ...]
Match = Callable[[str], bool]

_WILD: Final = {"*": ANY, "?": ONE}
_ARN_PARTS: Final = 6


def tokens(text: str) -> Tokens:
    """The tokens of a glob."""
    if "*" not in text and "?" not in text:
        return (text,) if text else ()
    return joined(_WILD.get(character, character) for character in text)


def joined(parts: Iterable[Token]) -> Tokens:
    """The same tokens with neighbouring texts and neighbouring stars made one."""
    result: list[Token] = []
    for part in parts:
        last = result[-1] if result else None
        if isinstance(part, str) and isinstance(last, str):
            result[-1] = last + part
        elif part != "" and not (part == ANY and last == ANY):
            result.append(part)
    return tuple(result)


def matcher(pattern: Tokens) -> Match:
    """A function that tells whether a whole text is like the pattern."""
    if not pattern:
        return lambda text: not text
    if len(pattern) == 1 and isinstance(pattern[0], str):
        return _equal(pattern[0])
    if pattern == (ANY,):
        return lambda _text: True
    if len(pattern) == 2 and isinstance(pattern[0], str) and pattern[1] == ANY:  # noqa: PLR2004 - text, star
        return _prefix(pattern[0])
    return _general(pattern)


def glob(text: str) -> Match:
    """A function that tells whether a whole text is like the glob."""
    return matcher(tokens(text))


def arn_matcher(pattern: Tokens) -> Match:
    """A function that tells whether an ARN is like the pattern, part by part.

    Both are split at their first five colons, so that a star does not cross those. A text with fewer
    than six parts is no ARN, is like nothing, and as a pattern nothing is like it.
    """
    parts = split_arn(pattern)
    if parts is None:
        return lambda _text: False
    if all(len(part) < 2 and (not part or isinstance(part[0], str)) for part in parts[:5]):  # noqa: PLR2004 - all text
        return matcher(pattern)  # the five colons are literal: the whole is as good as the parts
    telling = tuple((index, matcher(part)) for index, part in enumerate(parts) if part != (ANY,))

    def match(text: str) -> bool:
        values = text.split(":", _ARN_PARTS - 1)
        if len(values) != _ARN_PARTS:
            return False
        for index, matches in telling:  # noqa: SIM110 - all() over a generator takes twice as long, on every request
            if not matches(values[index]):
                return False
        return True

    return match


def split_arn(pattern: Tokens) -> list[Tokens] | None:
    """The six parts of an ARN pattern, or None if it has fewer."""
    parts: list[list[Token]] = [[]]
    for token in pattern:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        first, *others = token.split(":", _ARN_PARTS - len(parts))
        parts[-1].append(first)
        parts.extend([other] for other in others)
    return [joined(part) for part in parts] if len(parts) == _ARN_PARTS else None


def _equal(expected: str) -> Match:
    return lambda text: text == expected


def _prefix(start: str) -> Match:
    return lambda text: text.startswith(start)


class _Segment:
    """A run of texts and single-character wild cards: it has a fixed length."""

    __slots__ = ("_plain", "_texts", "length")

    def __init__(self, pattern: Sequence[Token]) -> None:
        texts, offset = [], 0
        for token in pattern:
            if isinstance(token, str):
                texts.append((offset, token))
                offset += len(token)
            else:
                offset += 1
        self.length = offset
        self._texts = tuple(texts)
        self._plain = pattern[0] if len(pattern) == 1 and isinstance(pattern[0], str) else None

    def at(self, text: str, position: int) -> bool:
        """Whether the segment stands at this position."""
        return all(text.startswith(part, position + offset) for offset, part in self._texts)

    def find(self, text: str, start: int, end: int) -> int:
        """The first position in text[start:end] where the segment stands, or -1."""
        if self._plain is not None:
            return text.find(self._plain, start, end)
        positions = range(start, end - self.length + 1)
        return next((position for position in positions if self.at(text, position)), -1)


def _segments(pattern: Tokens) -> Iterator[_Segment]:
    run: list[Token] = []
    for token in pattern:
        if token == ANY:
            yield _Segment(run)
            run = []
        else:
            run.append(token)
    yield _Segment(run)


def _general(pattern: Tokens) -> Match:
    """Match the ends where they must stand, and the rest leftmost first: no backtracking is needed."""
    first, *others = _segments(pattern)
    if not others:
        return lambda text: len(text) == first.length and first.at(text, 0)
    *middle, last = others
    shortest = first.length + last.length + sum(segment.length for segment in middle)

    def match(text: str) -> bool:
        end = len(text) - last.length
        if len(text) < shortest or not first.at(text, 0) or not last.at(text, end):
            return False
        position = first.length
        for segment in middle:
            position = segment.find(text, position, end)
            if position < 0:
                return False
            position += segment.length
        return True

    return match
