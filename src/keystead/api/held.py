"""Secrets that are held for a short while, so that not every use asks for them again."""

from __future__ import annotations

import threading
from collections import OrderedDict

import msgspec

from keystead.crypto.secret import Secret


class Held(msgspec.Struct, frozen=True):
    """A secret, what it takes to have it again, whose it is, and until when (epoch seconds) it may be held."""

    secret: Secret
    wrapped: bytes
    owner: str
    until: float


class HeldSecrets:
    """At most `most` secrets by name, those used last; safe to use from several threads.

    What is held here says nothing of who may use it: whoever asks decides that each time.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: OrderedDict[str | bytes, tuple[Held, int]] = OrderedDict()
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return "HeldSecrets()"

    def get(self, name: str | bytes, now: float, uses: int | None = None) -> Held | None:
        """The secret, unless its time is over or it was given `uses` times."""
        with self._lock:
            found = self._held.get(name)
            if found is None:
                return None
            held, given = found
            if held.until <= now or (uses is not None and given >= uses):
                del self._held[name]
                return None
            self._held[name] = held, given + 1
            self._held.move_to_end(name)
            return held

    def put(self, name: str | bytes, held: Held) -> None:
        """None; the secret is held under that name."""
        with self._lock:
            self._held[name] = held, 1
            while len(self._held) > self._most:
                self._held.popitem(last=False)

    def forget(self, name: str | bytes) -> None:
        """None; nothing is held under that name."""
        with self._lock:
            self._held.pop(name, None)
