"""A form that a browser sends with a file in it: its fields at once, the file as it comes (RFC 7578).

What a client sends is read once and in bounded memory: fields up to 20 KB, the file in the pieces of the connection.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from keystead import errors
from keystead.wire.http import Body

MOST_FIELDS: Final = 20 * 1024
"""Bytes before the file (Amazon S3 API Reference, "POST Object")."""
_MOST_BEHIND: Final = 64 * 1024
"""Bytes behind the file that are still read, so that the connection stays."""
_FILE: Final = "file"
_TYPE: Final = re.compile(
    r'multipart/form-data\s*;.*?\bboundary=(?:"([^"\r\n]{1,70})"|([^\s";,]{1,70}))', re.IGNORECASE
)
_PARAMETER: Final = re.compile(r';\s*(name|filename)="([^"\r\n]*)"', re.IGNORECASE)
"""Browsers escape nothing but quotes and line ends, as `%22` and the like (HTML Standard, "Multipart form data")."""


def boundary_of(content_type: str) -> bytes | None:
    """What parts of a form are told apart by; None if the type is another one."""
    found = _TYPE.match(content_type)
    return None if found is None else (found[1] or found[2]).encode("latin-1")


class FormBody:
    """The file of a form, as the body of a request (`wire.http.Body`); `fields` are by their names in lower case."""

    def __init__(self, source: Body, boundary: bytes) -> None:
        self.length: int | None = None
        self.kept: Any = None
        self.fields: Mapping[str, str] = {}
        self.filename = ""
        self._source = source
        self._mark = b"\r\n--" + boundary
        self._left = bytearray(b"\r\n")
        self._over = False
        self._size = 0
        self._range = (0, 1 << 62)

    def begin(self) -> None:
        """None; the fields are there, and the file is what is read next.

        Raises:
            errors.MalformedPost: it is no such form, or none with a file at its end.
            errors.PostFieldsTooLarge: the fields are.
            errors.RequestTimeout: they do not arrive.
        """
        fields: dict[str, str] = {}
        self._until(self._mark, [MOST_FIELDS])
        budget = [MOST_FIELDS]
        while True:
            name, filename = self._head(budget)
            if name == _FILE:
                self.fields, self.filename = fields, filename
                return
            fields[name] = _text(self._until(self._mark, budget))

    def limit(self, least: int, most: int) -> None:
        """None; a file of another size is refused."""
        self._range = (least, most)

    def read(self) -> bytes:
        """The next piece of the file, empty at its end.

        Raises:
            errors.EntityTooLarge, errors.EntityTooSmall: its size is not in the range.
            errors.IncompleteBody: the form ends in the midst of it.
            errors.RequestTimeout: it does not arrive.
        """
        while not self._over:
            piece = self._piece()
            if piece:
                self._size += len(piece)
                if self._size > self._range[1]:
                    raise errors.EntityTooLarge
                return piece
        if self._size < self._range[0]:
            raise errors.EntityTooSmall("Your proposed upload is smaller than the minimum allowed size")
        return b""

    def _piece(self) -> bytes:
        """What surely belongs to the file, of what has arrived."""
        end = self._left.find(self._mark)
        if end < 0:
            # The mark may have begun at the end of what is here.
            end = max(0, len(self._left) - len(self._mark) + 1)
            if not end:
                self._more()
                return b""
        else:
            self._over = True
        piece = bytes(self._left[:end])
        del self._left[:end]
        if self._over:
            self._drain()
        return piece

    def _drain(self) -> None:
        behind = len(self._left)
        self._left.clear()
        while behind < _MOST_BEHIND and (piece := self._source.read()):
            behind += len(piece)

    def _more(self) -> None:
        piece = self._source.read()
        if not piece:
            raise errors.IncompleteBody
        self._left += piece

    def _until(self, mark: bytes, budget: list[int]) -> bytes:
        """What stands before the next `mark`, which is passed over; it counts against the budget."""
        while (end := self._left.find(mark)) < 0:
            if len(self._left) > budget[0] + len(mark):
                raise errors.PostFieldsTooLarge
            self._more()
        budget[0] -= end
        if budget[0] < 0:
            raise errors.PostFieldsTooLarge
        found = bytes(self._left[:end])
        del self._left[: end + len(mark)]
        return found

    def _head(self, budget: list[int]) -> tuple[str, str]:
        """Name and file's name of the part that begins here."""
        if self._until(b"\r\n", budget).strip(b" \t"):  # behind the last part are two dashes
            raise errors.MissingPostFile
        # A part's headers end with an empty line; one without any begins with it.
        head = _text(b"\r\n" + self._until(b"\r\n\r\n", budget))
        line = next((x for x in head.split("\r\n") if x.lower().startswith("content-disposition:")), "")
        found = {key.lower(): value for key, value in _PARAMETER.findall(line)}
        if "name" not in found:
            raise errors.MalformedPost
        return found["name"].lower(), re.split(r"[/\\]", found.get("filename", ""))[-1]


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise errors.MalformedPost from None
