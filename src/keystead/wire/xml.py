"""XML as clients send it, read strictly: elements and text, nothing that expands or refers elsewhere.

A document type declaration is refused: without one there are no entities but XML's own five, so nothing can grow
when it is read (XML 1.0 sections 2.8 and 4.1).
"""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

import msgspec

from keystead.errors import Serialization

DEEPEST: Final = 32
MOST_ELEMENTS: Final = 100_000
"""Ten thousand parts of an upload, with all their members, are the most that anybody sends."""
_SEPARATOR: Final = "\n"


class Element(msgspec.Struct):
    """An element: its name without namespace, its attributes likewise, its text and its children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = []

    def first(self, name: str) -> Element | None:
        """The first child of that name."""
        return next((child for child in self.children if child.name == name), None)


def parse(document: bytes) -> Element:
    """The outermost element.

    Raises:
        Serialization: it is not well-formed, declares a document type, or is too deep or too large.
    """
    builder = _Builder()
    parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.characters
    parser.StartDoctypeDeclHandler = builder.refuse
    try:
        parser.Parse(document, True)
    except (expat.ExpatError, ValueError, LookupError):
        raise Serialization("The XML is not well-formed.") from None
    assert builder.root is not None  # expat wants exactly one
    return builder.root


class _Builder:
    """What expat calls."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if self._count > MOST_ELEMENTS or len(self._open) >= DEEPEST:
            raise ValueError
        named = {_local(key): value for key, value in attributes.items()}
        element = Element(_local(name), named, "", [])
        if self._open:
            self._open[-1].children.append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, _name: str) -> None:
        self._open.pop()

    def characters(self, text: str) -> None:
        self._open[-1].text += text

    def refuse(self, *_declaration: object) -> None:
        raise ValueError


def _local(name: str) -> str:
    return name.rpartition(_SEPARATOR)[2]
