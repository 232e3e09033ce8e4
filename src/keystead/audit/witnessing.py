"""Asking witnesses to cosign a checkpoint: all at once, and waiting for none longer than agreed."""

from __future__ import annotations

import http.client
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

import msgspec
import structlog

from keystead.errors import LogError, SettingsError
from keystead.tlog.checkpoint import (
    WITNESS,
    VerifierKey,
    parse_checkpoint,
    parse_note,
    parse_signatures,
    parse_vkey,
    verify_signature,
)
from keystead.tlog.witness import PATH, Submission, encode_submission

PATIENCE: Final = 5.0
"""Seconds that one checkpoint waits for witnesses, and that each wait for bytes of one lasts."""

_log = structlog.get_logger(__name__)
_LONGEST_ANSWER: Final = 64 << 10
_LONGEST_REASON: Final = 200
"""Characters."""
_ATTEMPTS: Final = 2

Prove = Callable[[int], list[bytes]]
"""Old size → the proof that the tree of the checkpoint continues that of this size. Called on other threads."""


class WitnessAddress(msgspec.Struct, frozen=True):
    """Where a witness is asked (its submission prefix), and what its cosignatures are checked with."""

    url: str
    key: VerifierKey


def parse_address(text: str) -> WitnessAddress:
    """The witness that a setting `URL VKEY` names.

    Raises:
        SettingsError: it is malformed.
    """
    url, _, vkey = text.strip().partition(" ")
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise SettingsError(f"witnesses: a witness is 'URL VKEY' with an http or https URL, not {text!r}")
    try:
        key = parse_vkey(vkey.strip())
    except LogError as error:
        raise SettingsError(f"witnesses: {url}: {error}") from None
    if key.kind != WITNESS:
        raise SettingsError(f"witnesses: {url}: a witness's key is of type {WITNESS}")
    return WitnessAddress(url.rstrip("/"), key)


class _Peer:
    """One witness: what it is known to have signed last, and whether it is still being asked."""

    def __init__(self, address: WitnessAddress) -> None:
        self.address = address
        self.known = 0
        self.asking = False


class Witnesses:
    """The witnesses of one log. One thread at a time calls `cosign`.

    A witness that does not answer is left to its own thread, and asked again when that has given up.
    """

    def __init__(self, addresses: Sequence[WitnessAddress], patience: float = PATIENCE) -> None:
        self._peers = [_Peer(address) for address in addresses]
        self._patience = patience

    @classmethod
    def configured(cls, texts: Sequence[str]) -> Witnesses:
        """The witnesses that the setting `witnesses` names.

        Raises:
            SettingsError: one of them is malformed.
        """
        return cls([parse_address(text) for text in texts])

    def cosign(self, note: str, prove: Prove) -> list[str]:
        """The signature lines (each ending in a newline) of the witnesses that signed in time, every one verified.

        Raises:
            LogError: `note` is no checkpoint.
        """
        size = parse_checkpoint(parse_note(note).text).size
        answers: queue.SimpleQueue[list[str]] = queue.SimpleQueue()

        def ask(peer: _Peer) -> None:
            lines = self._asked(peer, note, size, prove)
            peer.asking = (
                False  # before whoever waits for the lines can ask again; the thread may take longer to end
            )
            answers.put(lines)

        asked = [peer for peer in self._peers if not peer.asking]
        for peer in asked:
            peer.asking = True
            name = f"keystead-{peer.address.key.name}"
            threading.Thread(target=ask, args=(peer,), name=name, daemon=True).start()
        return self._gather(answers, len(asked))

    def _gather(self, answers: queue.SimpleQueue[list[str]], count: int) -> list[str]:
        found, end = list[str](), time.monotonic() + self._patience
        for _ in range(count):
            try:
                found += answers.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                _log.warning("a witness did not answer in time")
                break
        return found

    def _asked(self, peer: _Peer, note: str, size: int, prove: Prove) -> list[str]:
        """The witness's lines; none whatever goes wrong, which is logged."""
        try:
            return self._ask(peer, note, size, prove)
        except Exception as error:  # noqa: BLE001 - a witness, whatever it answers, must not stop the log
            name, kind = peer.address.key.name, type(error).__name__
            _log.warning("a witness did not sign", witness=name, error=kind, reason=_shown(str(error)))
            return []

    def _ask(self, peer: _Peer, note: str, size: int, prove: Prove) -> list[str]:
        name = peer.address.key.name
        for _ in range(_ATTEMPTS):
            proof = prove(peer.known) if 0 < peer.known < size else []
            body = encode_submission(Submission(peer.known, tuple(proof), note))
            status, answer = post(peer.address.url + PATH, body, self._patience)
            if status == 200:  # noqa: PLR2004  OK
                peer.known = size
                return cosignatures(peer.address.key, note, answer)
            known = answer.strip()
            if status != 409 or not known.isdecimal():  # noqa: PLR2004  Conflict
                _log.warning("a witness refused", witness=name, status=status, reason=_shown(answer))
                return []
            peer.known = int(known)
            if peer.known > size:
                _log.error("a witness knows a larger log than this", witness=name, size=peer.known)
                return []
        _log.error("a witness knows another log of this size or keeps changing its mind", witness=name)
        return []


def _shown(text: str) -> str:
    """Of what a witness said its first line, as much of it as a log should hold."""
    return "".join(filter(str.isprintable, text.strip().partition("\n")[0][:_LONGEST_REASON]))


def cosignatures(key: VerifierKey, note: str, answer: str) -> list[str]:
    """Of a witness's answer the lines by its key, which are good.

    Raises:
        LogError: there is none, or one by this key is wrong.
    """
    text = parse_note(note).text
    lines = answer.splitlines(keepends=True)
    found = []
    for line, signature in zip(lines, parse_signatures(answer), strict=True):
        if (signature.name, signature.id) == (key.name, key.id):
            verify_signature(key, text, signature.data)
            found.append(line)
    if not found:
        raise LogError("no signature by the witness's key")
    return found


def post(url: str, body: bytes, patience: float) -> tuple[int, str]:
    """Status and body of the answer to a POST.

    Raises:
        OSError, http.client.HTTPException: there was no answer.
        LogError: the answer is too long or no text.
    """
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=patience)
    try:
        connection.request("POST", parts.path, body, {"Content-Type": "text/plain; charset=utf-8"})
        response = connection.getresponse()
        answer = response.read(_LONGEST_ANSWER + 1)
    finally:
        connection.close()
    try:
        if len(answer) <= _LONGEST_ANSWER:
            return response.status, answer.decode()
    except UnicodeDecodeError:
        pass
    raise LogError("a witness's answer is too long or no text")
