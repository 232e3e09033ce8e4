"""What may wait and what may not: short requests are tried on the event loop, and go to a thread if they would wait.

A turn through a thread costs more than a small object: two changes of threads, and a struggle for the interpreter.
Whatever waits (for KMS, for a store of blobs) asks here first, so that it cannot hold up the loop, whoever calls it.
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import get_ident
from typing import Final

from keystead.errors import KeysteadError

_BODILESS: Final = frozenset({"GET", "HEAD", "DELETE"})
_MOST_DIGITS: Final = 9


class WouldWaitError(KeysteadError):
    """What is asked for takes a wait, and this is the event loop's thread. Raised before anything was changed."""


class Home:
    """The event loop's thread, which is the one that makes this."""

    __slots__ = ("_thread",)

    def __init__(self) -> None:
        self._thread = get_ident()

    def leave(self) -> None:
        """Return if this thread may wait.

        Raises:
            WouldWaitError: it is the event loop's.
        """
        if get_ident() == self._thread:
            raise WouldWaitError


def is_brief(method: str, headers: Mapping[str, str], most: int) -> bool:
    """Whether a request to S3 comes with nothing that is worth handing over before it has arrived: `most` bytes at most.

    Who expects a word before it sends its body is handed over, so that it gets it from whoever reads the body.
    """
    if "transfer-encoding" in headers or "expect" in headers:
        return False
    length = headers.get("content-length", "0")
    if method in _BODILESS:
        return length == "0"
    return method == "PUT" and len(length) <= _MOST_DIGITS and int(length) <= most
