"""Policy variables: `${key}`, `${key, 'default'}`, and `${*}`, `${?}`, `${$}` for the bare characters.

A template is a tuple of pattern tokens and variables. What replaces a variable stands for itself:
wild cards in it do not act. Rules: IAM User Guide, "IAM policy elements: Variables and tags".
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keystead.policy import pattern
from keystead.policy.request import Context

VERSION_WITH_VARIABLES: Final = "2012-10-17"
"""Under any other version `${…}` is literal text."""

_VARIABLE: Final = re.compile(r"\$\{(?:([^{}]*), '([^']*)'|([^{}]*))\}")
_CHARACTERS: Final = frozenset("*?$")


class Variable(msgspec.Struct, frozen=True):
    """One `${…}`: a condition key in lower case, and what stands in when it cannot be resolved."""

    key: str
    default: str | None = None


Template = tuple[pattern.Token | Variable, ...]


def written(variable: Variable) -> str:
    """The variable as a policy spells it."""
    return (
        f"${{{variable.key}}}" if variable.default is None else f"${{{variable.key}, '{variable.default}'}}"
    )


def parse(text: str, *, wild: bool) -> Template:
    """The template of a policy value; `wild` tells whether `*` and `?` outside variables act."""
    template: list[pattern.Token | Variable] = []
    position = 0
    for found in _VARIABLE.finditer(text):
        template += _plain(text[position : found.start()], wild=wild)
        template.append(_variable(found))
        position = found.end()
    template += _plain(text[position:], wild=wild)
    return tuple(template)


def plain(text: str, *, wild: bool) -> pattern.Tokens:
    """The tokens of a value in which `${…}` is literal text."""
    return pattern.joined(_plain(text, wild=wild))


def tokens_without_variables(template: Template) -> pattern.Tokens | None:
    """The tokens of a template that holds no variable, or None if it holds one."""
    parts = [part for part in template if not isinstance(part, Variable)]
    return pattern.joined(parts) if len(parts) == len(template) else None


def expand(template: Template, context: Context) -> pattern.Tokens | None:
    """The tokens with all variables replaced, or None if one cannot be resolved."""
    parts: list[pattern.Token] = []
    for part in template:
        value = resolve(part, context) if isinstance(part, Variable) else part
        if value is None:
            return None
        parts.append(value)
    return pattern.joined(parts)


def resolve(variable: Variable, context: Context) -> str | None:
    """The value of a single-valued key, else the default, else None."""
    value = context.get(variable.key)
    return value if isinstance(value, str) else variable.default


def _plain(text: str, *, wild: bool) -> pattern.Tokens:
    if wild:
        return pattern.tokens(text)
    return (text,) if text else ()


def _variable(found: re.Match[str]) -> str | Variable:
    key, default, bare = found.groups()
    if bare is not None:
        return bare if bare in _CHARACTERS else Variable(bare.lower())
    return Variable(key.lower(), default)
