"""Building a tree again from the hashes of its leaves, to hold it against what is stored of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from keystead.tlog.grow import root_over
from keystead.tlog.merkle import complete_root
from keystead.tlog.tile import WIDTH, Tile

TileCheck = Callable[[Tile, Sequence[bytes]], None]
"""Hears of each tile of level 1 and above which hashes it must hold."""


class Rebuilt:
    """A tree that grows by a level 0 tile at a time. It keeps the right edge only."""

    def __init__(self, check: TileCheck) -> None:
        self._check = check
        self._edges: list[list[bytes]] = [[]]
        self._full: list[int] = [0]  # of each level, how many tiles were filled

    def add(self, hashes: Sequence[bytes]) -> None:
        """Nothing; the next 256 leaves have these hashes. Fewer are the last."""
        self._edges[0] = list(hashes)
        level = 0
        while len(self._edges[level]) == WIDTH:
            if level:
                self._check(Tile(level, self._full[level]), self._edges[level])
            above = complete_root(self._edges[level])
            self._edges[level] = []
            self._full[level] += 1
            level += 1
            if level == len(self._edges):
                self._edges.append([])
                self._full.append(0)
            self._edges[level].append(above)

    def root(self, more: Sequence[bytes] = ()) -> bytes:
        """The root of what was added, and `more` than that: up to 256 hashes of leaves after a full tile."""
        if not more:
            return root_over(self._edges)
        if len(more) < WIDTH:
            return root_over([list(more), *self._edges[1:]])
        ahead = Rebuilt(lambda _tile, _hashes: None)
        ahead._edges = [list(edge) for edge in self._edges]
        ahead._full = list(self._full)
        ahead.add(more)
        return root_over(ahead._edges)

    def finish(self) -> None:
        """Nothing, once the partial tiles of level 1 and above were heard of, too."""
        for level, edge in enumerate(self._edges):
            if level and edge:
                self._check(Tile(level, self._full[level], len(edge)), edge)
