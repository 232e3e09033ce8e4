"""The least that a server of objects can do: what no gateway on this machine is faster than, for the same client.

`floor` sends what it has in memory, and takes what comes and drops it. `disk` sends from the page cache within the kernel, and
writes what comes to a file, which is given to the disk meanwhile and synced before the answer. Neither looks at anything but the
method and the length; there is no signature, no checksum, no record and no encryption.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from pathlib import Path

from keystead.objects.files import OsFiles

PIECE = 1 << 20
AHEAD = 2 << 20


class Memory:
    """One object, of which only the length is kept."""

    def __init__(self, _directory: Path) -> None:
        self._room = memoryview(bytearray(PIECE))
        self._body = b""

    def take(self, connection: socket.socket, size: int) -> None:
        """None; the body was received."""
        left = size
        while left:
            left -= connection.recv_into(self._room[:left])
        if len(self._body) != size:
            self._body = os.urandom(size)  # zeros would be one page, always in the nearest cache

    def length(self) -> int:
        """The object's."""
        return len(self._body)

    def give(self, connection: socket.socket) -> None:
        """None; the object was sent."""
        connection.sendall(self._body)


class Disk(Memory):
    """One object in a file."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._path, self._files = directory / "object", OsFiles()

    def take(self, connection: socket.socket, size: int) -> None:
        self._path.unlink(missing_ok=True)
        descriptor = self._files.create(self._path)
        got = begun = 0
        while got < size:
            piece = self._room[: connection.recv_into(self._room[: size - got])]
            self._files.write(descriptor, piece)
            got += len(piece)
            if got - begun >= AHEAD:
                self._files.begin_sync(descriptor, begun, got - begun)
                begun = got
        self._files.sync(descriptor)
        self._files.close(descriptor)
        self._files.sync_names(self._path.parent)

    def length(self) -> int:
        return self._path.stat().st_size

    def give(self, connection: socket.socket) -> None:
        with self._path.open("rb") as file:
            connection.sendfile(file)


KINDS = {"floor": Memory, "disk": Disk}


def serve(kind: str, directory: Path) -> None:
    """None, when stdin has ended; the endpoint is printed before."""
    directory.mkdir(parents=True)
    store = KINDS[kind](directory)
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_accept, args=(listener, store), daemon=True).start()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    print(json.dumps({"url": url, "key": "x", "secret": "y"}), flush=True)
    sys.stdin.read()
    os._exit(0)  # connections are still waited on


def _accept(listener: socket.socket, store: Memory) -> None:
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=_answer, args=(connection, store), daemon=True).start()


def _answer(connection: socket.socket, store: Memory) -> None:
    """None, once the client has closed."""
    while head := _head(connection):
        if head.startswith(b"GET"):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % store.length())
            store.give(connection)
        else:
            store.take(connection, _length(head))
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def _head(connection: socket.socket) -> bytes:
    """A request's line and headers, and not a byte of what follows; nothing at the end."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        seen = connection.recv(4096, socket.MSG_PEEK)
        if not seen:
            return b""
        end = seen.find(b"\r\n\r\n")
        head += connection.recv(len(seen) if end < 0 else end + 4)
    return head


def _length(head: bytes) -> int:
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n"))
    return next((int(value) for name, _, value in lines if name == b"content-length"), 0)
