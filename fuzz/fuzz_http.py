"""Feed the request reader mutated streams: it must not raise, and must read them alike however they are cut.

Run `python fuzz/fuzz_http.py [SECONDS] [SEED]`, or hand `check` to a coverage-guided fuzzer.
"""

from __future__ import annotations

import random
import re
import sys
import time

from keystead.http.limits import Limits
from keystead.http.reader import Arrival, Reader
from keystead.http.refusal import Refusal

LIMITS = Limits(max_body=300, max_header_bytes=600, max_headers=8, max_target=60)
SEEDS = (
    b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET http://x/a?b HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: A.B\r\nContent-Length: 3\r\n\r\nabc",
    b"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
    b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\nT: u\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
)
PIECES = (
    b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b",", b"0\r\n\r\n", b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n", b"Host: y\r\n", b"Connection: close\r\n",
    b"HTTP/1.1", b"HTTP/1.0", b"9" * 30, b"a" * 100,
)  # fmt: skip


def read(pieces: list[bytes]) -> list[Arrival | Refusal]:
    """What the reader makes of a connection's bytes."""
    reader = Reader(LIMITS, "192.0.2.1", secure=False)
    found: list[Arrival | Refusal] = []
    for piece in pieces:
        likeness = reader.likeness
        request = None if likeness is None else likeness.read(piece)
        if request is not None and likeness is not None:
            found.append((request, likeness.closing_line))
            continue
        rest = piece
        while rest and not reader.finished:
            rest = reader.feed(rest)
            found += reader.ready
            reader.ready.clear()
    return found


def check(data: bytes) -> None:
    """Nothing; `data` is read alike whole, byte by byte and request by request, and within the limits.

    Raises:
        AssertionError: it is not.
    """
    whole = read([data])
    single = read([data[at : at + 1] for at in range(len(data))])
    apart = read(re.split(rb"(?=POST |GET )", data))
    requests = [item for item in whole if not isinstance(item, Refusal)]
    for found in (single, apart):
        assert requests == [item for item in found if not isinstance(item, Refusal)]
        assert len(whole) == len(found)
    assert len(whole) - len(requests) <= 1
    for request, _ in requests:
        assert len(request.body) <= LIMITS.max_body
        assert len(request.headers) <= LIMITS.max_headers
        assert request.target.startswith("/")
        assert request.target.isascii()
        assert not any(c in "".join((*request.headers, *request.headers.values())) for c in "\r\n\0")


def mutate(chance: random.Random) -> bytes:
    """A stream of a few requests, damaged in a few places."""
    seeds = chance.choices(SEEDS, k=chance.randint(1, 3))
    data = bytearray(b"".join(seed * chance.choice((1, 1, 3)) for seed in seeds))
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(data) + 1)
        end = at + chance.choice((0, 0, 1, 2, 8))
        data[at:end] = chance.choice((chance.choice(PIECES), chance.randbytes(1), b"", data[:at][-20:]))
    return bytes(data)


def main() -> None:
    """Mutate and check for some seconds."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else time.time_ns()  # noqa: PLR2004 - the second argument
    chance = random.Random(seed)  # noqa: S311 - a seed reproduces what was found
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutate(chance)
        try:
            check(data)
        except BaseException:
            sys.stderr.write(f"seed {seed}, stream {count}: {data!r}\n")
            raise
        count += 1
    sys.stdout.write(f"{count} streams, seed {seed}\n")


if __name__ == "__main__":
    main()
