"""Tables as declared values, and how a record's key becomes a place in the ordered store.

A key is a text of parts joined with "/", made by `join`: every part but the last has "%" and "/"
escaped, the last one stands as it is. For one table the number of parts is fixed, so two different
tuples of parts never give the same key ("alias/a/b" as a last part is harmless), and
`join(a, b) + "/"` is a prefix of exactly the keys whose first parts are a and b.

Keys are not secret: the database holds the places of records in plain text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Generic, TypeVar
from urllib.parse import unquote

import msgspec

R = TypeVar("R", bound=msgspec.Struct)

Index = Callable[[str, R], Iterable[str]]

_encode = msgspec.msgpack.Encoder().encode
_SEPARATOR = b"\0"


def join(*parts: str) -> str:
    """The key of these parts; see the module's docstring for why it is injective."""
    *first, last = parts
    return "/".join([*(part.replace("%", "%25").replace("/", "%2F") for part in first), last])


def split(key: str, count: int) -> list[str]:
    """The `count` parts that `join` was given.

    Raises:
        ValueError: the key has fewer parts.
    """
    *first, last = key.split("/", count - 1)
    if len(first) != count - 1:
        raise ValueError(f"a key of fewer than {count} parts: {key!r}")
    return [*(unquote(part) for part in first), last]


def text(value: str) -> bytes:
    """`value` as it stands in a place: UTF-8, which sorts as the text does.

    Raises:
        ValueError: it holds a NUL, which separates the parts of a place, or an unpaired surrogate.
    """
    if "\0" in value:
        raise ValueError("a key cannot hold a NUL character")
    return value.encode()


def split_place(place: bytes) -> tuple[str, str]:
    """The table's name and the key of the record that is stored at `place`."""
    name, _, key = place[1:].partition(_SEPARATOR)
    return name.decode(), key.decode()


class Table(Generic[R]):
    """A name, the struct its records are, and for each index the texts a record is found by.

    An index function is pure: it is asked again for the old record when that is replaced or deleted.
    It must keep giving the same texts for records that are stored already; another rule is another index.

    A table is `evident` if every change of its records has an event: then the log keeps a digest of each
    record, and whoever put an old one back is found out. Where that is not so the declaration says why.

    With `remembered` false, records are read from the database each time: large ones would take the memory that many
    small ones share. Such a table has no indexes, which would have to read what is replaced.

    With `together` true, who asks for a record that is not in memory may be interrupted, and asks again when it is read
    together with what others asked for (`Rows.interrupting`). Such tables hold what requests name, and are read ahead (`ReadAhead`).
    """

    __slots__ = ("_decode", "_rows", "evident", "indexes", "name", "record", "remembered", "together")

    def __init__(
        self,
        name: str,
        record: type[R],
        indexes: Mapping[str, Index[R]] = MappingProxyType({}),
        *,
        evident: bool = True,
        remembered: bool = True,
        together: bool = False,
    ) -> None:
        assert remembered or not indexes
        self.name = name
        self.record = record
        self.indexes = indexes
        self.evident = evident
        self.remembered = remembered
        self.together = together
        self._decode = msgspec.msgpack.Decoder(record).decode
        self._rows = b"r" + text(name) + _SEPARATOR

    def __repr__(self) -> str:
        return f"Table({self.name!r})"

    def encode(self, record: R) -> bytes:
        """The record in MessagePack."""
        return _encode(record)

    def decode(self, value: bytes) -> R:
        """The record that `encode` was given.

        Raises:
            msgspec.DecodeError: it was written with another struct.
        """
        return self._decode(value)

    def place(self, key: str) -> bytes:
        """Where the record with this key is stored."""
        return self._rows + text(key)

    def key(self, place: bytes) -> str:
        """The key of the record that is stored at `place`."""
        return place[len(self._rows) :].decode()

    def rows(self, prefix: str) -> tuple[bytes, bytes]:
        """The places of all keys with this prefix: first (inclusive) and end (exclusive)."""
        return _range(self._rows + text(prefix))

    def entries(self, index: str, prefix: str) -> tuple[bytes, bytes]:
        """The places of all entries of the index whose text has this prefix."""
        return _range(self._entries(index) + text(prefix))

    def equal_entries(self, index: str, value: str) -> tuple[bytes, bytes]:
        """The places of all entries of the index whose text is `value`."""
        return _range(self._entries(index) + text(value) + _SEPARATOR)

    def entry(self, index: str, value: str, key: str) -> bytes:
        """Where the index says that the record with this key is found by `value`."""
        return self._entries(index) + text(value) + _SEPARATOR + text(key)

    def entries_of(self, key: str, record: R) -> frozenset[bytes]:
        """All places in all indexes that lead to this record."""
        return frozenset(
            self.entry(name, value, key) for name, rule in self.indexes.items() for value in rule(key, record)
        )

    def split_entry(self, index: str, place: bytes) -> tuple[str, str]:
        """The text and the record's key that an entry's place holds."""
        value, _, key = place[len(self._entries(index)) :].partition(_SEPARATOR)
        return value.decode(), key.decode()

    def _entries(self, index: str) -> bytes:
        if index not in self.indexes:
            raise KeyError(f"table {self.name!r} has no index {index!r}")
        return b"i" + text(self.name) + _SEPARATOR + text(index) + _SEPARATOR


def _range(prefix: bytes) -> tuple[bytes, bytes]:
    # UTF-8 never holds the byte 0xFF, so the last byte can always be one more.
    return prefix, prefix[:-1] + bytes([prefix[-1] + 1])
