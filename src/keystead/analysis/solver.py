"""Boxes of requests, and what is left of one when others are taken away.

A box holds, for each dimension, the classes that it takes (the bits of an integer). Every condition speaks of one
dimension, so a statement is a box, and a policy the union of its Allow boxes without its Deny boxes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from keystead.analysis.budget import Budget

Box = tuple[int, ...]


class Part(msgspec.Struct, frozen=True):
    """A box by the dimensions that it narrows: pairs of dimension and classes."""

    narrowed: tuple[tuple[int, int], ...]

    def of(self, box: Box) -> Box | None:
        """What a box has in common with this one; None if that is nothing."""
        common = list(box)
        for dimension, classes in self.narrowed:
            common[dimension] &= classes
            if not common[dimension]:
                return None
        return tuple(common)

    def meets(self, box: Box) -> bool:
        """Whether they have something in common."""
        for dimension, classes in self.narrowed:  # noqa: SIM110 - the innermost loop: all() takes twice as long
            if not box[dimension] & classes:
                return False
        return True


def part(box: Box, full: Box) -> Part:
    """The box, by what it narrows."""
    return Part(tuple((d, classes) for d, classes in enumerate(box) if classes != full[d]))


def remainders(box: Box, taken: Iterable[Part], budget: Budget) -> Iterator[Box]:
    """Boxes, none overlapping another, that together are what no taken part has of a box.

    Raises:
        Undecided: it takes too much work.
    """
    parts = sorted((one for one in taken if one.meets(box)), key=lambda one: len(one.narrowed))
    waiting = [(box, 0)]
    while waiting:
        current, index = waiting.pop()
        budget.spend(2)
        while index < len(parts) and not parts[index].meets(current):
            index += 1
        budget.spend(index // 4)
        if index == len(parts):
            yield current
        else:
            waiting += [(piece, index + 1) for piece in _without(current, parts[index])]


def _without(box: Box, taken: Part) -> Iterator[Box]:
    """The box without the part, cut along one dimension after the other."""
    rest = box
    for dimension, classes in taken.narrowed:
        outside = rest[dimension] & ~classes
        if outside:
            yield (*rest[:dimension], outside, *rest[dimension + 1 :])
        rest = (*rest[:dimension], rest[dimension] & classes, *rest[dimension + 1 :])


def common(boxes: Sequence[Box], parts: Sequence[Part], budget: Budget) -> list[Box]:
    """The boxes that the union of `boxes` and the union of `parts` have in common."""
    budget.spend(len(boxes) * len(parts) // 2)
    found = dict.fromkeys(one for box in boxes for other in parts if (one := other.of(box)) is not None)
    return list(found)
