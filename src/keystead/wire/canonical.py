"""The canonical request of Signature Version 4: one text for every way to write the same request.

Source: IAM User Guide, "Create a signed AWS API request", step 1 ("Create a canonical request").
"""

from __future__ import annotations

import re
from functools import lru_cache
from operator import itemgetter
from urllib.parse import quote, unquote_to_bytes

from keystead.wire.http import Request
from keystead.wire.signing import Form

UNRESERVED = "-_.~"
_MEMOISED = 512  # entries, and characters of the longest: what strangers can fill stays small

# Not str.split: 0x85 and 0xA0 are white space to it, and bytes of UTF-8 characters here.
_SPACES = re.compile("[ \t]+")


def canonical_request(request: Request, signed: Form, payload: str, *, path_as_sent: bool) -> bytes:
    """The canonical request.

    `signed` is `form_of` the signed headers, `payload` the body's SHA-256 in hex, or what stands for it.

    Raises:
        KeyError: a signed header is not in the request.
        UnicodeEncodeError: a header holds a character that is no byte.
    """
    values, form = signed
    # One line for each signed header, runs of white space made one space, an empty line, and the names in one line.
    lines = form % values(request.headers)
    if "  " in lines or "\t" in lines:  # no name of a header has any, so they are in values
        lines = _SPACES.sub(" ", lines)
    target = request.target
    if target == "/":  # every AWS JSON and Query call
        place = "/\n"
    else:
        path, _, query = target.partition("?")
        place = f"{path if path_as_sent else canonical_path(path)}\n{canonical_query(query)}"
    # Doors decode headers as Latin-1, so this gives back the very bytes that came.
    return f"{request.method}\n{place}\n{lines}{payload}".encode("latin-1")


def canonical_path(path: str) -> str:
    """`path` (as sent, so encoded once) without dot segments and empty ones, encoded once more."""
    kept: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in {"", "."}:
            kept.append(part)
    slash = "/" if kept and path.endswith("/") else ""
    return f"/{quote('/'.join(kept), safe='/' + UNRESERVED)}{slash}"


def canonical_query(query: str) -> str:
    """Names and values encoded alike, sorted, without the signature itself."""
    pairs = []
    for field in query.split("&"):
        name, _, value = field.partition("=")
        if field and name != "X-Amz-Signature":
            pairs.append((_encoded(name), _encoded(value)))
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def form_of(names: tuple[str, ...]) -> Form:
    """How the canonical request has the headers with these names, of which there is at least one."""
    return _known_form(names) if sum(map(len, names)) <= _MEMOISED else _form(names)


def _form(names: tuple[str, ...]) -> Form:
    spelt = [name.replace("%", "%%") for name in names]
    lines = "".join([f"{name}:%s\n" for name in spelt])
    return itemgetter(*names), f"{lines}\n{';'.join(spelt)}\n"


_known_form = lru_cache(_MEMOISED)(_form)


def _encoded(text: str) -> str:
    """`text` decoded and encoded again, so that all ways to write it are one."""
    return _known_encoded(text) if len(text) <= _MEMOISED else _encode(text)


def _encode(text: str) -> str:
    return quote(unquote_to_bytes(text), safe=UNRESERVED)


_known_encoded = lru_cache(_MEMOISED)(_encode)
