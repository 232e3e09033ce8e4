"""What sealing objects costs, beside a plain copy to the same disk, and what memory it takes.

    python bench/objects.py [--bytes N] [--rounds N] [--directory DIR]

Each round writes and reads the same bytes twice, plain and sealed, one after the other, both with the same calls and a
sync at the end; the median of the rounds' ratios is printed. `cpu` is the processor's time, which a busy machine blurs
less than the clock's. The last part seals and opens a stream of 1 GiB that is never in memory as a whole, and prints the growth of the
process's largest size.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.objects import (
    DirectoryBlobs,
    MemoryBlobs,
    ObjectKey,
    Place,
    new_name,
    seal,
    sealed_size,
    unseal,
)

ENTROPY = SystemEntropy()
PLACE = Place("bucket", "key", "version")
ONE = ObjectKey(Secret(ENTROPY.random(32)))
TWO = ObjectKey(Secret(ENTROPY.random(32)), Secret(ENTROPY.random(32)))
CHUNK = 1 << 18
MIB = 1 << 20
SMALL = 4096


def chunks(body: bytes) -> Iterator[memoryview]:
    """`body` as a connection brings it."""
    view = memoryview(body)
    return (view[at : at + CHUNK] for at in range(0, len(body), CHUNK))


def measured(act: Callable[[], object]) -> tuple[float, float]:
    """Seconds on the clock, and of the processor, that `act` takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    act()
    return time.perf_counter() - wall, time.process_time() - cpu


def consume(pieces: Iterator[bytes]) -> None:
    """None; everything was looked at and dropped."""
    for _ in pieces:
        pass


class Copies:
    """The same bytes, plain and sealed, in one directory."""

    def __init__(self, directory: Path, body: bytes) -> None:
        self.blobs = DirectoryBlobs(directory)
        self.body = body

    def put_plain(self) -> str:
        """The name of a plain copy."""
        name = new_name(ENTROPY)
        self.blobs.put(name, chunks(self.body))
        return name

    def put_sealed(self, key: ObjectKey) -> str:
        """The name of a sealed copy."""
        name = new_name(ENTROPY)
        self.blobs.put(name, seal(key, PLACE, chunks(self.body), ENTROPY))
        return name

    def get_plain(self, name: str) -> None:
        """None, when the plain copy was read."""
        consume(self.blobs.read(name, 0, len(self.body)))

    def get_sealed(self, name: str, key: ObjectKey) -> None:
        """None, when the sealed copy was read and verified."""
        consume(unseal(key, PLACE, len(self.body), lambda at, size: self.blobs.read(name, at, size)))


def round_of(copies: Copies) -> dict[str, tuple[float, float]]:
    """One time for each kind of copy."""
    found: dict[str, tuple[float, float]] = {}
    names: dict[str, str] = {}

    def put(kind: str, act: Callable[[], str]) -> None:
        found[f"put {kind}"] = measured(lambda: names.update({kind: act()}))

    put("plain", copies.put_plain)
    put("one layer", lambda: copies.put_sealed(ONE))
    put("two layers", lambda: copies.put_sealed(TWO))
    found["get plain"] = measured(lambda: copies.get_plain(names["plain"]))
    found["get one layer"] = measured(lambda: copies.get_sealed(names["one layer"], ONE))
    found["get two layers"] = measured(lambda: copies.get_sealed(names["two layers"], TWO))
    for name in names.values():
        copies.blobs.delete(name)
    return found


def against_plain(directory: Path, size: int, rounds: int) -> dict[str, object]:
    """Medians of throughput and of the ratios to a plain copy."""
    copies = Copies(directory, ENTROPY.random(size))
    round_of(copies)  # the first fills caches
    taken = [round_of(copies) for _ in range(rounds)]
    result: dict[str, object] = {}
    for what in taken[0]:
        plain = f"{what.split()[0]} plain"
        result[what] = {
            "MiB/s": round(size / MIB / statistics.median(one[what][0] for one in taken)),
            "times plain": round(statistics.median(one[what][0] / one[plain][0] for one in taken), 2),
            "cpu ms": round(1000 * statistics.median(one[what][1] for one in taken), 1),
        }
    return result


def in_memory(size: int, rounds: int) -> dict[str, float]:
    """MiB that are sealed and opened in a second of the processor's, without any disk."""
    body, store, name = ENTROPY.random(size), MemoryBlobs(), new_name(ENTROPY)
    store.put(name, seal(ONE, PLACE, [body], ENTROPY))

    def sealed() -> None:
        for _ in seal(ONE, PLACE, chunks(body), ENTROPY):
            pass

    def opened() -> None:
        consume(unseal(ONE, PLACE, size, lambda at, length: store.read(name, at, length)))

    return {
        f"{act.__name__} MiB/cpu s": round(
            size / MIB / statistics.median(measured(act)[1] for _ in range(rounds))
        )
        for act in (sealed, opened)
    }


def small(directory: Path, count: int) -> dict[str, float]:
    """Objects of 4 KiB a second, put durably and got, in one thread."""
    copies = Copies(directory, ENTROPY.random(SMALL))
    names: list[str] = []
    put, _ = measured(lambda: names.extend(copies.put_sealed(ONE) for _ in range(count)))
    get, _ = measured(lambda: [copies.get_sealed(name, ONE) for name in names])
    for name in names:
        copies.blobs.delete(name)
    return {"durable puts/s": round(count / put), "gets/s": round(count / get)}


def growth(directory: Path, size: int) -> float:
    """MiB by which the process's largest size grew while a stream of `size` bytes was sealed, kept and opened."""
    blobs, name, piece = DirectoryBlobs(directory), new_name(ENTROPY), bytes(CHUNK)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    written = blobs.put(name, seal(ONE, PLACE, (piece for _ in range(size // CHUNK)), ENTROPY))
    if written != sealed_size(size):
        raise AssertionError(written)
    consume(unseal(ONE, PLACE, size, lambda at, length: blobs.read(name, at, length)))
    blobs.delete(name)
    return round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024, 1)


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--bytes", type=int, default=64 * MIB)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--directory", type=Path, help="on the disk to measure; a temporary one by default")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.directory) as made:
        result = {
            "memory growth MiB, 1 GiB stream": growth(Path(made), 1 << 30),
            "in memory": in_memory(arguments.bytes, arguments.rounds),
            f"{arguments.bytes // MIB} MiB": against_plain(Path(made), arguments.bytes, arguments.rounds),
            "4 KiB": small(Path(made), 300),
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
