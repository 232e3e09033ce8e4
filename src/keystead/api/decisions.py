"""Refusals, kept for who asks why: what was asked, what was known, and every policy that had a say.

They are a help, not evidence: a bounded number is kept, newest last, in two files for each worker that are
used in turn. Each is sealed and bound to its id, since it holds policies and encryption contexts.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from keystead import errors
from keystead.keyring import Keyring
from keystead.policy import Decision
from keystead.policy.record import RecordedPolicies, RecordedRequest

log = structlog.get_logger("keystead.decisions")

DIRECTORY: Final = "decisions"
KIND: Final = "decision"
LARGEST_FILE: Final = 8 * 1024 * 1024
"""Bytes after which the older of a worker's two files is begun anew."""


class Refused(msgspec.Struct, frozen=True):
    """A refusal where it happens: the question, the policies and the answer."""

    request: RecordedRequest
    policies: RecordedPolicies
    decision: Decision


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A refusal as it is kept; `id` is the request id of the call, `time` in epoch seconds."""

    id: str
    time: float
    operation: str
    account: str
    """The caller's account; empty for a service."""
    refused: Refused


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Refusal).decode


class Decisions:
    """The refusals of all workers on one data directory; only those of `worker` are written here."""

    def __init__(self, directory: Path, worker: str, keyring: Keyring) -> None:
        self._directory = directory / DIRECTORY
        self._worker = worker
        self._keyring = keyring

    def note(self, refusal: Refusal) -> None:
        """None; the refusal is kept, unless the disk refuses it (which is logged and does no harm)."""
        sealed = self._keyring.seal_token(KIND, _encode(refusal), refusal.id)
        line = f"{refusal.id} {base64.b64encode(sealed).decode()}\n".encode()
        try:
            self._append(line)
        except OSError as error:
            log.warning("a decision is not kept", reason=error.strerror)

    def find(self, decision_id: str) -> Refusal | None:
        """The refusal with that id, None if there is none or no longer."""
        wanted = decision_id.encode() + b" "
        for line in self._lines():
            if line.startswith(wanted):
                return self._opened(decision_id, line[len(wanted) :])
        return None

    def latest(self) -> Refusal | None:
        """The newest refusal that any worker has kept."""
        ends = [line for file in self._files() if (line := _last_line(file))]
        found = [
            refusal
            for line in ends
            if (refusal := self._opened(line.partition(b" ")[0].decode(), line.partition(b" ")[2]))
            is not None
        ]
        return max(found, key=lambda refusal: refusal.time, default=None)

    def _append(self, line: bytes) -> None:
        self._directory.mkdir(mode=0o700, exist_ok=True)
        newer, older = self._directory / f"{self._worker}.new", self._directory / f"{self._worker}.old"
        with contextlib.suppress(FileNotFoundError):
            if newer.stat().st_size + len(line) > LARGEST_FILE:
                newer.replace(older)
        handle = os.open(newer, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            os.write(handle, line)
        finally:
            os.close(handle)

    def _files(self) -> list[Path]:
        return sorted(self._directory.glob("*.new")) + sorted(self._directory.glob("*.old"))

    def _lines(self) -> Iterator[bytes]:
        for path in self._files():
            with contextlib.suppress(FileNotFoundError), path.open("rb") as file:
                yield from file

    def _opened(self, decision_id: str, sealed: bytes) -> Refusal | None:
        """The refusal in a line; None for one that was cut off or is not ours."""
        try:
            return _decode(
                self._keyring.open_token(KIND, base64.b64decode(sealed.strip(), validate=True), decision_id)
            )
        except (binascii.Error, ValueError, errors.DecryptionFailed, msgspec.MsgspecError):
            return None


def _last_line(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        lines = path.read_bytes().splitlines()
        return lines[-1] if lines else b""
    return b""
