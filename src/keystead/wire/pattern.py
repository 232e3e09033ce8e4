"""The models' regular expressions, which are Java's, in Python."""

from __future__ import annotations

import re

_SEPARATORS = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
_LETTERS_AND_NUMBERS = r"\p{L}\p{Z}\p{N}_"
"""The only classes of Unicode that the models name, always these together."""


def compiled(pattern: str) -> re.Pattern[str]:
    r"""The expression; `\w` and `\d` are ASCII, as in Java.

    Python's own `\w` is letters, numbers and the underscore of Unicode (`re`, "Regular Expression Syntax"),
    so it stands for the classes that Python lacks; separators are few (Unicode, general category Z).

    Raises:
        re.error: Python has no such expression.
    """
    if _LETTERS_AND_NUMBERS not in pattern:
        return re.compile(pattern, re.ASCII)
    return re.compile(pattern.replace(_LETTERS_AND_NUMBERS, rf"\w{_SEPARATORS}"))
