"""The parts of a request's address as the REST protocols read them: each decoded once."""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from keystead.errors import UnreadableAddress

MOST_FIELDS: Final = 200


def fields_of(query: str) -> dict[str, str]:
    """The query's parameters, decoded; of those with one name the first counts.

    Raises:
        UnreadableAddress: too many, or not UTF-8.
    """
    if query.count("&") >= MOST_FIELDS:
        raise UnreadableAddress
    fields: dict[str, str] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            fields.setdefault(_decoded(name), _decoded(value))
    return fields


def _decoded(text: str) -> str:
    """A name or a value of a query; most are written as they are."""
    if "%" not in text and "+" not in text:
        return text
    try:
        return unquote(text.replace("+", " "), errors="strict")
    except UnicodeDecodeError:
        raise UnreadableAddress from None


def path_label(text: str) -> str:
    """A part of the path, decoded once.

    Raises:
        UnreadableAddress: it is not UTF-8.
    """
    try:
        return unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise UnreadableAddress from None
