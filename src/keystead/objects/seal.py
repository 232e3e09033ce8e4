"""Objects as sealed streams: from chunks of plaintext to chunks for a store, and back from any place on.

At no time more than a few frames are in memory, whatever the object's size. Encryption and decryption of a frame run
outside the interpreter's lock.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain
from typing import TypeAlias

import msgspec

from keystead.crypto import frames
from keystead.crypto.derive import KEY_BYTES
from keystead.crypto.frames import FRAME_BITS, HEADER_BYTES, TAG_BYTES, Buffer, Frames, frame_count
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret
from keystead.entropy import Entropy
from keystead.errors import BlobDamaged, BlobForeign, DecryptionFailed
from keystead.objects.pieces import Cutter
from keystead.wire.rooms import Rooms

Read: TypeAlias = Callable[[int, int], Iterator[Buffer]]
"""The bytes of a blob: `read(start, length)`, as `Blobs.read` with the name given."""


class Place(msgspec.Struct, frozen=True):
    """Where a stream belongs; it opens nowhere else. `part` is 0 for an object that was put in one piece."""

    bucket: str
    key: str
    version: str
    part: int = 0

    def canonical(self) -> bytes:
        """One byte string for one place: each text with its length before it, then the part; numbers are 4 bytes.

        Raises:
            ValueError: A text holds a lone surrogate, which UTF-8 cannot express.
        """
        texts = [text.encode() for text in (self.bucket, self.key, self.version)]
        return b"".join(len(text).to_bytes(4, "big") + text for text in texts) + self.part.to_bytes(4, "big")


class ObjectKey(Opaque):
    """The data key of an object, 32 bytes; with `outer` two, of two layers that are independent of each other."""

    __slots__ = ("_layers",)

    def __init__(self, inner: Secret, outer: Secret | None = None) -> None:
        self._layers = (inner,) if outer is None else (inner, outer)
        if any(len(layer.expose(SECRET_ACCESS)) != KEY_BYTES for layer in self._layers):
            raise ValueError(f"a data key has {KEY_BYTES} bytes")

    @property
    def layers(self) -> tuple[Secret, ...]:
        """The keys, innermost first."""
        return self._layers


def seal(
    key: ObjectKey,
    place: Place,
    plaintext: Iterable[Buffer],
    entropy: Entropy,
    frame_bits: int = FRAME_BITS,
) -> Iterator[Buffer]:
    """The sealed stream of `plaintext`, in chunks: the header, then frames.

    `plaintext` may come in chunks of any size, which nobody changes any more. What it raises goes through.
    """
    where = place.canonical()
    chunks: Iterable[Buffer] = plaintext
    for content, layer in enumerate(key.layers):
        salt = entropy.random(frames.SALT_BYTES)
        header, sealer = frames.begin(layer, where, salt, content=content, frame_bits=frame_bits)
        chunks = _sealed(header, sealer, chunks)
    return iter(chunks)


def _sealed(header: bytes, sealer: Frames, chunks: Iterable[Buffer]) -> Iterator[Buffer]:
    yield header
    size = sealer.frame_bytes
    cutter, rooms = Cutter(chunks, size), Rooms(size + TAG_BYTES)
    number, frame = 0, cutter.take(size)
    # A frame is the last if nothing follows, which takes a look at what follows.
    while following := cutter.take(size):
        room = rooms.take(size + TAG_BYTES)
        sealer.seal_into(number, frame, room, last=False)
        yield room
        del room  # it can be used again when whoever took it has let go of it, too
        number, frame = number + 1, following
    yield sealer.seal(number, frame, last=True)


def sealed_size(size: int, layers: int = 1, frame_bits: int = FRAME_BITS) -> int:
    """The bytes of the blob of an object of `size` bytes."""
    for _ in range(layers):
        size = frames.sealed_size(size, frame_bits)
    return size


def unseal(
    key: ObjectKey,
    place: Place,
    size: int,
    read: Read,
    start: int = 0,
    length: int | None = None,
    frame_bits: int = FRAME_BITS,
) -> Iterator[Buffer]:
    """`length` bytes of the object from `start` on (by default all), in chunks of at most a frame.

    `size` and `frame_bits` are the object's, from a trusted place: with another size its last frame does not open. A
    chunk is given only when its whole frame was verified. The first is read before this returns, so that a failure
    there can be told in place of an answer. Chunks are not changed while anything looks at them.

    Raises:
        BlobForeign: Another key, object, version or part.
        BlobDamaged: A frame is not the one that was sealed there.
        BlobTruncated: The store gave less than there was.
        ValueError: The range is not within the object.
    """
    end = size if length is None else start + length
    if not 0 <= start <= end <= size:
        raise ValueError("the range is not within the object")
    where = place.canonical()
    for content in reversed(range(len(key.layers))):
        held = sealed_size(size, content, frame_bits)
        read = partial(_opened, key.layers[content], where, content, held, frame_bits, read)
    chunks = read(start, end - start)
    first = next(chunks)
    return chain((first,), chunks) if first else chunks


def _opened(
    key: Secret,
    place: bytes,
    content: int,
    size: int,
    frame_bits: int,
    read: Read,
    start: int,
    length: int,
) -> Iterator[Buffer]:
    """`length` bytes from `start` on of what one layer holds, `size` bytes in all; at least one chunk."""
    frame_bytes = 1 << frame_bits
    final = frame_count(size, frame_bytes) - 1
    first = min(start // frame_bytes, final)
    until = max(first, (start + length - 1) // frame_bytes)
    most = frame_bytes + TAG_BYTES
    begin = HEADER_BYTES + first * most
    finish = HEADER_BYTES + min((until + 1) * frame_bytes, size) + (until + 1) * TAG_BYTES
    if first == 0:  # the header stands before what is read anyway
        cutter = Cutter(read(0, finish), most)
        opener = _resumed(key, place, content, frame_bits, cutter)
    else:
        opener = _resumed(key, place, content, frame_bits, Cutter(read(0, HEADER_BYTES), most))
        cutter = Cutter(read(begin, finish - begin), most)
    rooms = Rooms(frame_bytes)
    for number in range(first, until + 1):
        offset = number * frame_bytes
        frame = cutter.exactly(min(frame_bytes, size - offset) + TAG_BYTES)
        plaintext = _verified(opener, number, frame, rooms, last=number == final)
        del frame
        yield plaintext[max(0, start - offset) : start + length - offset]
        del plaintext  # its room can be used again when whoever took it has let go of it, too


def _resumed(key: Secret, place: bytes, content: int, frame_bits: int, cutter: Cutter) -> Frames:
    try:
        return frames.resume(
            key, place, bytes(cutter.exactly(HEADER_BYTES)), content=content, frame_bits=frame_bits
        )
    except DecryptionFailed:
        raise BlobForeign("the blob is of another key, object, version or part") from None


def _verified(opener: Frames, number: int, frame: Buffer, rooms: Rooms, *, last: bool) -> Buffer:
    try:
        if last:
            return opener.open(number, frame, last=last)
        room = rooms.take(len(frame) - TAG_BYTES)
        opener.open_into(number, frame, room, last=last)
        return room  # noqa: TRY300  what failed has raised
    except DecryptionFailed:
        raise BlobDamaged("a frame of the blob is not as it was sealed") from None
