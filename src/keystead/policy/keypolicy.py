"""Key policies: the one that a key starts with, and what may be stored."""

from __future__ import annotations

from typing import Final

from keystead.arn import root_arn
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import EVERYONE, parse
from keystead.policy.principal import UNBOUND, Bound, account_of


def default_key_policy(account: str) -> str:
    """The key policy of a key created without one, as GetKeyPolicy returns it (with newlines)."""
    return _DEFAULT.replace("ROOT", root_arn(account))


_DEFAULT: Final = """{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "ROOT"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
}"""


def compile_key_policy(text: str, bound: Bound = UNBOUND) -> CompiledPolicy:
    """A stored key policy, compiled; what AWS KMS accepts without effect never matches.

    `bound` ties principals that it names to the unique ids they had when it was written.

    Raises:
        errors.MalformedPolicyDocument: the text cannot be read as a policy.
    """
    return compile_policy(parse(text, action_required=False), "default", bound)


def named_principals(text: str) -> frozenset[str]:
    """The ARNs of users, roles and sessions that a key policy names; those who know the accounts check them.

    Raises:
        errors.MalformedPolicyDocument: the text cannot be read as a policy.
    """
    statements = parse(text, action_required=False).statements
    elements = [element for item in statements for element in (item.principal, item.not_principal)]
    entries = {entry for element in elements if element is not None for entry in element.aws}
    return frozenset(entry for entry in entries if entry != EVERYONE and account_of(entry) is None)
