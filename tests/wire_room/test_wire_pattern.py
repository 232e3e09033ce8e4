"""Java's regular expressions, as the models have them."""

from __future__ import annotations

import sys
import unicodedata

from keystead.wire.pattern import compiled


def test_letters_separators_and_numbers_are_those_of_unicode() -> None:
    matches = compiled(r"[\p{L}\p{Z}\p{N}_.:/=+\-@]").fullmatch
    for point in range(sys.maxunicode + 1):
        text = chr(point)
        wanted = unicodedata.category(text)[0] in "LZN" or text in "_.:/=+-@"
        assert (matches(text) is not None) == wanted, hex(point)


def test_other_patterns_are_ascii() -> None:
    assert compiled(r"\w+").fullmatch("a\u00e9") is None
    assert compiled(r"\d").fullmatch("\u0661") is None
