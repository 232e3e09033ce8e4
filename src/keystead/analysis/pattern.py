"""Globs and ARN patterns as automata, and the classes of texts that they tell apart.

The twin of `policy.pattern`. All patterns of one dimension run side by side: a state is one integer, a bit for each
place in each pattern. Exploring the states from the start finds every set of patterns that one text can
match, with a shortest such text. Patterns without wild cards stay out of it (see `texts`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from keystead.analysis.budget import MEMORY, Budget
from keystead.analysis.shapes import ANY_TEXT, Shape, both, other_than
from keystead.errors import Undecided
from keystead.policy.pattern import ANY, Token, Tokens, split_arn


class Letters(msgspec.Struct, frozen=True):
    """A set of characters: those listed, or all but those."""

    listed: frozenset[str]
    others: bool = False

    def __contains__(self, letter: str) -> bool:
        return (letter in self.listed) != self.others


_EVERY: Final = Letters(frozenset(), others=True)
_NO_COLON: Final = Letters(frozenset(":"), others=True)


class Glob(msgspec.Struct, frozen=True):
    """A pattern: the characters it takes one after the other, and which may be repeated before each (and at the end)."""

    steps: tuple[Letters, ...]
    loops: tuple[Letters | None, ...]


def glob(tokens: Tokens) -> Glob:
    """The pattern of `policy.pattern.matcher`."""
    return _glob((token, _EVERY) for token in tokens)


def arn(tokens: Tokens) -> Glob | None:
    """The pattern of `policy.pattern.arn_matcher`; None if nothing is like it."""
    parts = split_arn(tokens)
    if parts is None:
        return None
    *heads, tail = parts
    joined = [(token, _NO_COLON) for part in heads for token in (*part, ":")]
    return _glob([*joined, *((token, _EVERY) for token in tail)])


def folded(text: str) -> Glob:
    """The texts that are this one when case does not count.

    Raises:
        Undecided: a character's case is not simple.
    """
    return Glob(tuple(map(_any_case, text)), (None,) * (len(text) + 1))


_LOWER_TO: Final = {"k": "\u212a", "\u00e5": "\u212b"}
"""Characters beyond U+00FF that become one of those below in lower case: the Kelvin and the Ångström sign."""
_SIMPLE: Final = 0xFF


def _any_case(letter: str) -> Letters:
    low = letter.lower()
    if ord(letter) > _SIMPLE or len(low) != 1:
        raise Undecided("A comparison that ignores case holds characters beyond U+00FF.")
    known = {low, low.upper(), _LOWER_TO.get(low, low)}
    return Letters(frozenset(one for one in known if one.lower() == low))


def _glob(tokens: Iterable[tuple[Token, Letters]]) -> Glob:
    steps: list[Letters] = []
    loops: list[Letters | None] = [None]
    for token, wild in tokens:
        if token == ANY:
            loops[-1] = wild
            continue
        taken = [Letters(frozenset(letter)) for letter in token] if isinstance(token, str) else [wild]
        steps += taken
        loops += [None] * len(taken)
    return Glob(tuple(steps), tuple(loops))


# --------------------------------------------------------------------------- automaton


class Reached(msgspec.Struct, frozen=True):
    """The state of all patterns, and of the shape, after some text."""

    state: int
    shape: object
    came: Sequence[tuple[int, str]]
    index: int

    @property
    def text(self) -> str:
        """The text."""
        letters, index = [], self.index
        while index:
            index, letter = self.came[index]
            letters.append(letter)
        return "".join(reversed(letters))


class Automaton:
    """Patterns that run side by side."""

    __slots__ = (
        "_absorbing",
        "_foreign",
        "_kept",
        "_letters_at",
        "_loop",
        "_own",
        "_step",
        "_telling",
        "accepting",
        "ends",
        "start",
    )

    def __init__(self, globs: Sequence[Glob]) -> None:
        letters = sorted({letter for one in globs for part in _parts(one) for letter in part.listed})
        self._foreign = next(
            letter
            for letter in map(chr, range(0x21, 0x110000))
            if letter not in letters and letter not in "*?"
        )
        self._step = dict.fromkeys((*letters, self._foreign), 0)
        self._loop = dict(self._step)
        self.start, self.accepting, self._absorbing = 0, 0, 0
        self.ends: list[int] = []
        self._own: dict[int, int] = {}
        self._kept: dict[int, int] = {0: -1}
        self._letters_at: dict[int, set[str]] = {}
        size = sum(len(one.steps) + 1 for one in globs)
        if size // 8 * len(self._step) > MEMORY:
            raise Undecided("The patterns of a policy are too long to analyze.")
        offset = 0
        for one in globs:
            self._add(one, offset)
            offset += len(one.steps) + 1
        foreign_step, foreign_loop = self._step[self._foreign], self._loop[self._foreign]
        self._telling = {
            letter: (self._step[letter] ^ foreign_step) | (self._loop[letter] ^ foreign_loop)
            for letter in letters
        }

    def _add(self, one: Glob, offset: int) -> None:
        end = 1 << (offset + len(one.steps))
        self.start |= 1 << offset
        self.ends.append(end)
        self.accepting |= end
        if one.loops[-1] == _EVERY:  # matched for good: how far it is elsewhere matters no more
            self._absorbing |= end
            self._own[end] = end - (1 << offset)
        for table, sets in ((self._step, one.steps), (self._loop, one.loops)):
            for index, letters in enumerate(sets):
                if letters is None:
                    continue
                self._letters_at.setdefault(offset + index, set()).update(letters.listed)
                for letter in table if letters.others else letters.listed:
                    if letter in letters:
                        table[letter] |= 1 << (offset + index)

    def advance(self, state: int, letter: str) -> int:
        """The state after one more character."""
        known = letter if letter in self._step else self._foreign
        after = ((state & self._step[known]) << 1) | (state & self._loop[known])
        matched = after & self._absorbing
        return after & (self._kept.get(matched) or self._keep(matched))

    def _keep(self, matched: int) -> int:
        """The places that still matter where these patterns are matched for good."""
        kept, left = -1, matched
        while left:
            end = left & -left
            kept &= ~self._own[end]
            left ^= end
        self._kept[matched] = kept
        return kept

    def run(self, text: str, state: int | None = None) -> int:
        """The state after a text."""
        reached = self.start if state is None else state
        for letter in text:
            reached = self.advance(reached, letter)
        return reached

    def explore(self, budget: Budget, shape: Shape = ANY_TEXT, start: int | None = None) -> Iterator[Reached]:
        """Every state that a text of this shape ends in, each with a shortest text, the shortest first.

        Raises:
            Undecided: there are too many.
        """
        begin = (self.start if start is None else start, shape.start)
        came: list[tuple[int, str]] = [(0, "")]
        size = self.accepting.bit_length() // 8
        order, seen, most, weight = [begin], {begin}, MEMORY // (200 + size), 1 + size // 500
        for index, (state, place) in enumerate(order):  # the list grows while it is walked
            if shape.accepts(place):
                yield Reached(state, place, came, index)
            letters = self._letters(state, place, shape)
            budget.spend((3 + len(letters)) * weight)
            for letter in letters:
                goes = shape.step(place, letter)
                after = (self.advance(state, letter), goes)
                if goes is not None and after not in seen:
                    seen.add(after)
                    order.append(after)
                    came.append((index, letter))
            if len(order) > most:
                raise Undecided("The patterns of a policy tell too many kinds of texts apart.")

    def _letters(self, state: int, place: object, shape: Shape) -> list[str]:
        """The characters that make a difference here, and one for all the rest, which comes first."""
        telling = self._live(state)
        telling.update(shape.telling(place))
        plain = next((letter for letter in shape.plain if letter not in telling), None)
        rest = [plain] if plain is not None else [self._foreign] if shape.foreign else []
        return [*rest, *sorted(telling)]

    def _live(self, state: int) -> set[str]:
        """The characters after which some pattern is elsewhere than after a foreign one."""
        if state.bit_count() > _FEW:
            return {letter for letter, bits in self._telling.items() if state & bits}
        live: set[str] = set()
        while state:
            top = state.bit_length() - 1
            live |= self._letters_at.get(top, set())
            state ^= 1 << top
        return live


_FEW: Final = 12
"""Places up to which it is quicker to look at each than at each character."""


def _parts(one: Glob) -> Iterator[Letters]:
    yield from one.steps
    yield from (letters for letters in one.loops if letters is not None)


# ------------------------------------------------------------------------------- texts


def around(before: Glob, inner: Glob, after: Glob) -> Glob:
    """The texts that go through three patterns one after the other; at most one may repeat at each seam."""
    first = before.loops[-1] or inner.loops[0]
    if not inner.steps:
        return Glob(
            before.steps + after.steps, (*before.loops[:-1], first or after.loops[0], *after.loops[1:])
        )
    last = inner.loops[-1] or after.loops[0]
    loops = (*before.loops[:-1], first, *inner.loops[1:-1], last, *after.loops[1:])
    return Glob(before.steps + inner.steps + after.steps, loops)


def without(one: Glob, letter: str) -> Glob:
    """The texts of a pattern in which wild cards do not stand for this character."""

    def narrowed(letters: Letters) -> Letters:
        return Letters(letters.listed | {letter}, others=True) if letters.others else letters

    return Glob(
        tuple(map(narrowed, one.steps)),
        tuple(None if letters is None else narrowed(letters) for letters in one.loops),
    )


def texts(
    groups: Sequence[Sequence[Glob]],
    known: Iterable[str],
    budget: Budget,
    *,
    within: Sequence[Glob] = (),
    shape: Shape = ANY_TEXT,
) -> list[str]:
    """Texts of which no group of patterns and no comparison with a known text tells any other text apart.

    A group matches what one of its patterns matches. Known texts speak for themselves. For the others, one text is
    found for each set of groups that can match one; `within` are patterns of which a text must match one.

    Raises:
        Undecided: there are too many.
    """
    own, many = frozenset(known), Groups([*groups, within])
    found = _classes(many, bool(within), budget, shape)
    if not own.isdisjoint(found.values()):  # a class whose text is a known one may have others
        found = _classes(many, bool(within), budget, both(shape, other_than(own)))
    return [*sorted(own), *found.values()]


class Groups:
    """Groups of patterns in one automaton; `last` is the bit of the last group."""

    __slots__ = ("_known", "_masks", "automaton", "last")

    def __init__(self, groups: Sequence[Sequence[Glob]]) -> None:
        globs = list(dict.fromkeys(one for group in groups for one in group))
        self.automaton = Automaton(globs)
        ends = dict(zip(globs, self.automaton.ends, strict=True))
        self._masks = [sum({ends[one] for one in group}) for group in groups]
        self.last = 1 << (len(groups) - 1) if groups else 0
        self._known: dict[int, int] = {}

    def matching(self, state: int) -> int:
        """The groups that match a text after which the state is this, as bits."""
        accepted = state & self.automaton.accepting
        if accepted not in self._known:
            self._known[accepted] = sum(1 << bit for bit, mask in enumerate(self._masks) if accepted & mask)
        return self._known[accepted]


def _classes(groups: Groups, limited: bool, budget: Budget, shape: Shape) -> dict[int, str]:
    found: dict[int, str] = {}
    for reached in groups.automaton.explore(budget, shape):
        matching = groups.matching(reached.state)
        if (matching & groups.last or not limited) and matching not in found:
            found[matching] = reached.text
    return found
