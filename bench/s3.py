"""What encryption costs a client of S3: one gateway that seals and one that does not, on one disk, and others beside them.

    python bench/s3.py [--bytes N] [--rounds N]

Each server is a process of its own; the rounds alternate between them, and a client in this process sends signed URLs
over kept connections. `plain` is the same server with nothing but sealing and opening taken out. For each kind of request
it prints the median on the clock, the mean of the server's CPU time (which is counted in steps of 10 ms), and both as a multiple
of `plain`; also how many times as fast as moto it is. Objects ask for SSE-KMS with a bucket key. `floor` and `disk` are the least that any server can do
(`s3_floor.py`). Small objects have a bench of their own (`s3_small.py`).
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import s3_floor

KINDS = ("plain", "sealed", "moto", "floor", "disk")
MIB = 1 << 20
SMALL = 4096
HEADERS = {
    "x-amz-server-side-encryption": "aws:kms",
    "x-amz-server-side-encryption-bucket-key-enabled": "true",
}
_TICKS = os.sysconf("SC_CLK_TCK")


# ------------------------------------------------------------------------------ servers


def serve(kind: str, directory: str) -> None:
    """None, when stdin has ended; the endpoint and its environment are printed before."""
    if kind == "moto":
        from moto.server import ThreadedMotoServer  # noqa: PLC0415  only in this child

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
        server.start()
        host, port = server.get_host_and_port()
        print(json.dumps({"url": f"http://{host}:{port}", "key": "x", "secret": "y"}), flush=True)
        sys.stdin.read()
        return
    if kind in s3_floor.KINDS:
        s3_floor.serve(kind, Path(directory))
        return
    import asyncio  # noqa: PLC0415  only in this child

    import uvloop  # noqa: PLC0415  as above

    from keystead.cli.running import SWITCH_INTERVAL  # noqa: PLC0415  as above
    from keystead.services.s3 import reading, writing  # noqa: PLC0415  as above
    from keystead.testing import RunningServer  # noqa: PLC0415  as above

    # As the command runs it.
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    sys.setswitchinterval(SWITCH_INTERVAL)

    if kind == "plain":
        writing.seal = lambda _key, _place, chunks, _entropy: iter(chunks)  # type: ignore[assignment]
        reading.unseal = plain_bytes  # type: ignore[assignment]
    if kind == "over":
        write_over()
    with RunningServer(Path(directory)) as running:
        told = {"url": running.url, "key": running.access_key_id, "secret": running.secret_access_key}
        print(json.dumps(told), flush=True)
        sys.stdin.read()


def plain_bytes(_key: Any, _place: Any, _size: int, read: Any, start: int, length: int) -> Iterator[Any]:
    """The bytes of a blob as they are."""
    yield from read(start, length)


def write_over() -> None:
    """None; from now on blobs begin anew in the same file every 16 MiB, so that any number of bytes finds room and none is read."""
    from keystead.objects.files import OsFiles  # noqa: PLC0415  only in a child

    again = 16 * MIB
    begin_sync = OsFiles.begin_sync

    def write(_files: Any, descriptor: int, data: Any) -> None:
        rest = memoryview(data)
        while rest:
            if os.lseek(descriptor, 0, os.SEEK_CUR) >= again:
                os.lseek(descriptor, 0, os.SEEK_SET)
            rest = rest[os.write(descriptor, rest) :]

    def begin(files: Any, descriptor: int, start: int, length: int) -> None:
        begin_sync(files, descriptor, start % again, length)

    OsFiles.write = write  # type: ignore[assignment,method-assign]
    OsFiles.begin_sync = begin  # type: ignore[assignment,method-assign]


class Served:
    """A server in a process of its own, and signed URLs to it."""

    def __init__(self, kind: str, process: subprocess.Popen[str]) -> None:
        import boto3  # noqa: PLC0415  slow to load, and not for the children
        from botocore.config import Config  # noqa: PLC0415  as above

        assert process.stdout is not None
        told = json.loads(next(line for line in process.stdout if line.startswith("{")))  # moto says more
        self.kind, self.pid = kind, process.pid
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=told["url"],
            region_name="us-east-1",
            aws_access_key_id=told["key"],
            aws_secret_access_key=told["secret"],
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )
        self.s3.create_bucket(Bucket="bench")
        self.connection = self.connect()

    def connect(self) -> http.client.HTTPConnection:
        """A new connection."""
        place = urlsplit(self.s3.meta.endpoint_url)
        return http.client.HTTPConnection(str(place.hostname), place.port, timeout=120)

    def path(self, operation: str, key: str) -> str:
        """A signed path that `call` may ask for."""
        named: dict[str, Any] = {"Bucket": "bench", "Key": key}
        if operation == "put_object":
            named |= {"ServerSideEncryption": "aws:kms", "BucketKeyEnabled": True}
        url = urlsplit(self.s3.generate_presigned_url(operation, Params=named))
        return f"{url.path}?{url.query}"

    def cpu(self) -> float:
        """Seconds of the processor's that the server has used."""
        return cpu_of(self.pid)


def cpu_of(pid: int) -> float:
    """Seconds of the processor's that a process has used, in all of its threads."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def put(connection: http.client.HTTPConnection, path: str, body: bytes) -> None:
    """None; the object is kept."""
    connection.request("PUT", path, body, HEADERS)
    answer = connection.getresponse()
    if answer.read() or answer.status != http.client.OK:
        raise AssertionError(answer.status)


def get(connection: http.client.HTTPConnection, path: str, size: int) -> None:
    """None; the object's bytes were read and dropped."""
    connection.request("GET", path)
    answer, into, got = connection.getresponse(), memoryview(bytearray(MIB)), 0
    while read := answer.readinto(into):
        got += read
    if got != size:
        raise AssertionError(answer.status, got)


# ------------------------------------------------------------------------------ rounds


def measured(server: Served, act: Callable[[], None]) -> tuple[float, float]:
    """Seconds on the clock, and of the server's processor time, that `act` takes."""
    wall, cpu = time.perf_counter(), server.cpu()
    act()
    return time.perf_counter() - wall, server.cpu() - cpu


def large(servers: list[Served], size: int, rounds: int) -> dict[str, Any]:
    """What was measured for one object of `size` bytes, put and got over one connection."""
    body = os.urandom(size)
    taken: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for number in range(rounds + 1):  # the first warms up
        for server in servers:
            paths = server.path("put_object", "large"), server.path("get_object", "large")
            found = {
                "put": measured(server, lambda: put(server.connection, paths[0], body)),  # noqa: B023  runs at once
                "get": measured(server, lambda: get(server.connection, paths[1], size)),  # noqa: B023  as above
            }
            for what, both in found.items():
                if number:
                    taken.setdefault((what, server.kind), []).append(both)
    typical = {
        key: (statistics.median(wall for wall, _ in rows), statistics.fmean(cpu for _, cpu in rows))
        for key, rows in taken.items()
    }
    return {
        f"{what} {kind}": {
            "MiB/s": round(size / MIB / wall),
            "server cpu ms": round(1000 * cpu),
            "times plain": round(wall / typical[what, "plain"][0], 2),
            "cpu times plain": round(cpu / typical[what, "plain"][1], 2),
            "times as fast as moto": round(typical[what, "moto"][0] / wall, 2),
        }
        for (what, kind), (wall, cpu) in typical.items()
    }


@contextmanager
def running(kind: str, directory: Path, core: int | None = None) -> Iterator[Served]:
    """A block with that server, on one core if it is named."""
    command = [sys.executable, __file__, "--serve", kind, str(directory / kind)]
    command = command if core is None else ["taskset", "-c", str(core), *command]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield Served(kind, process)
        assert process.stdin is not None
        process.stdin.close()


def main() -> None:
    """Print what was measured, as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--serve", nargs=2, metavar=("KIND", "DIRECTORY"), help=argparse.SUPPRESS)
    parser.add_argument("--bytes", type=int, default=64 * MIB)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(*arguments.serve)
        return
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = [stack.enter_context(running(kind, directory)) for kind in KINDS]
        result = {f"{arguments.bytes // MIB} MiB": large(servers, arguments.bytes, arguments.rounds)}
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
