"""A witness: it remembers the newest checkpoint of each log it was told of, and signs only what continues it."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path
from typing import Final

import msgspec
import structlog

from keystead.clock import Clock
from keystead.crypto import Secret
from keystead.entropy import Entropy
from keystead.errors import LogError
from keystead.tlog.checkpoint import WITNESS, Signer, VerifierKey
from keystead.tlog.witness import NOTHING, PATH, SIZE_TYPE, Refused, Seen, judge
from keystead.wire.http import Request, Response

_log = structlog.get_logger(__name__)

_SEED_BYTES: Final = 32
_TEXT: Final = ("content-type", "text/plain; charset=utf-8")
_STORED: Final = 507


class _Key(msgspec.Struct, frozen=True):
    """The key file: the witness's name and its Ed25519 seed."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return "<_Key>"


class Memory:
    """What a witness remembers, in files of one directory that one process at a time uses.

    Durability: `put` returns when what it was given is on the disk; a crash before leaves what was there.

    Raises:
        LogError: another witness uses the directory, or it cannot be written.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise LogError(f"{directory} cannot be written: {error.strerror}") from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise LogError(f"{directory} is used by another witness") from None

    def close(self) -> None:
        """None; another process may use the directory."""
        os.close(self._lock)

    def signer(self, name: str | None, entropy: Entropy) -> Signer:
        """The witness's key, made at the first start; `name` must not be another one later.

        Raises:
            LogError: the key file is damaged, has another name, or there is none and no name for one.
        """
        file = self._directory / "witness.key"
        if not file.exists():
            if name is None:
                raise LogError("a new witness needs a name: give --name, such as witness.example.com/w1")
            key = _Key(name, entropy.random(_SEED_BYTES))
            signer = Signer(key.name, WITNESS, Secret(key.seed))
            self._write(file, msgspec.json.encode(key))
            return signer
        try:
            key = msgspec.json.decode(file.read_bytes(), type=_Key)
        except msgspec.MsgspecError:
            raise LogError(f"{file} is damaged") from None
        if name not in {None, key.name}:
            raise LogError(f"this witness's name is {key.name}, not {name}")
        return Signer(key.name, WITNESS, Secret(key.seed))

    def get(self, origin: str) -> Seen:
        """What was last signed of a log.

        Raises:
            LogError: what is remembered is damaged.
        """
        file = self._file(origin)
        try:
            return msgspec.json.decode(file.read_bytes(), type=Seen)
        except FileNotFoundError:
            return NOTHING
        except (OSError, msgspec.MsgspecError):
            raise LogError(f"{file} is damaged") from None

    def put(self, origin: str, seen: Seen) -> None:
        """None, once it is durable.

        Raises:
            OSError: it may be there or not.
        """
        self._write(self._file(origin), msgspec.json.encode(seen))

    def _file(self, origin: str) -> Path:
        return self._directory / f"{sha256(origin.encode()).hexdigest()}.seen"

    def _write(self, file: Path, content: bytes) -> None:
        temporary = file.with_suffix(".new")
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as written:
            written.write(content)
            written.flush()
            os.fsync(descriptor)
        # A crash here leaves what was there before.
        temporary.rename(file)
        directory = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


class Witness:
    """Answers requests, one after the other on one thread: what it checked is what it continues from.

    `post` hands an answer over to where it is sent from.
    """

    def __init__(self, memory: Memory, signer: Signer, logs: Sequence[VerifierKey], clock: Clock) -> None:
        self._memory = memory
        self._signer = signer
        self._clock = clock
        self._logs = _by_origin(logs)
        self._thread = ThreadPoolExecutor(1, "keystead-witness")

    def handle(
        self,
        request: Request,
        answer: Callable[[Response], None],
        post: Callable[[Callable[[], object]], object],
    ) -> None:
        """None; the answer is given when what it says is durable."""
        future = self._thread.submit(self.answer, request)
        future.add_done_callback(lambda done: post(lambda: answer(done.result())))

    def close(self) -> None:
        """None, once nothing is being answered."""
        self._thread.shutdown()

    def answer(self, request: Request) -> Response:
        """The answer to one request."""
        if request.path != PATH:
            return _told(404, "not found")
        if request.method != "POST":
            return _told(405, "POST it")
        try:
            return Response(200, (_TEXT,), self._sign(request.body).encode())
        except Refused as refused:
            if refused.status == 409 and refused.size is not None:  # noqa: PLR2004  Conflict
                _log.info("refused", reason=str(refused), size=refused.size)
                return Response(409, (("content-type", SIZE_TYPE),), f"{refused.size}\n".encode())
            _log.info("refused", reason=str(refused), status=refused.status)
            return _told(refused.status, str(refused))
        except (OSError, LogError) as error:
            _log.error("the witness cannot remember", error=type(error).__name__)
            return _told(_STORED, "the witness cannot remember what it would sign")

    def _sign(self, body: bytes) -> str:
        checkpoint = judge(body, self._logs, self._memory.get)
        # Never before an earlier cosignature, also if the clock was set back.
        time = max(int(self._clock.now()), self._memory.get(checkpoint.origin).time)
        # A crash after this: the log asks again, and is told to continue from this checkpoint.
        self._memory.put(checkpoint.origin, Seen(checkpoint.size, checkpoint.root, time))
        return self._signer.sign(checkpoint.text, time)


def _by_origin(keys: Sequence[VerifierKey]) -> Mapping[str, list[VerifierKey]]:
    return {key.name: [other for other in keys if other.name == key.name] for key in keys}


def _told(status: int, text: str) -> Response:
    return Response(status, (_TEXT,), f"{text}\n".encode())
