"""Whether a bucket policy is public: whether it lets in whoever comes.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", "The meaning of public": a policy is
public unless each Allow names fixed principals, or fixes one of a list of condition keys to values without wildcards.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from keystead.policy.document import EVERYONE, Condition, Statement, parse

_FIXING: Final = frozenset(
    f"aws:{name}"
    for name in [
        "principalarn",
        "principalorgid",
        "principalorgpaths",
        "principalaccount",
        "sourceaccount",
        "sourcearn",
        "sourceip",
        "sourceowner",
        "sourcevpc",
        "sourcevpce",
        "userid",
    ]
) | {"s3:dataaccesspointaccount", "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id"}
_OPERATORS: Final = ("stringequals", "stringlike", "arnequals", "arnlike", "ipaddress")
_ANYWHERE: Final = frozenset({"0.0.0.0/0", "::/0"})


@lru_cache(1024)
def is_public(policy: str) -> bool:
    """Whether a policy, which can be read, is public."""
    return any(item.effect == "Allow" and _opens(item) for item in parse(policy).statements)


def _opens(statement: Statement) -> bool:
    principal = statement.principal
    anybody = principal is None or EVERYONE in principal.aws
    return anybody and not any(map(_fixes, statement.conditions))


def _fixes(condition: Condition) -> bool:
    operator = condition.operator.lower().removeprefix("foranyvalue:")
    return (
        condition.key.lower() in _FIXING
        and operator in _OPERATORS
        and bool(condition.values)
        and not any("*" in text or "?" in text or "${" in text for text in condition.values)
        and not _ANYWHERE.intersection(condition.values)
    )
