"""How principals are named: ARNs with paths, and the unique ids that outlive names.

Source: IAM User Guide, "IAM identifiers".
"""

from __future__ import annotations

import base64
from typing import Final

from keystead.entropy import Entropy

USER: Final = "AIDA"
GROUP: Final = "AGPA"
ROLE: Final = "AROA"
POLICY: Final = "ANPA"
SESSION_KEY: Final = "ASIA"

ROLES_ANYWHERE: Final = "rolesanywhere.amazonaws.com"
"""The service principal that stands for holders of client certificates in trust policies; nobody else is it."""


def new_unique_id(prefix: str, entropy: Entropy) -> str:
    """A fresh unique id: the prefix of its kind and 17 of A-Z, 2-7 (85 random bits)."""
    return prefix + base64.b32encode(entropy.random(11)).decode()[:17]


def new_session_key_id(entropy: Entropy) -> str:
    """A fresh access key id of temporary credentials: `ASIA` and 16 of A-Z, 2-7."""
    return SESSION_KEY + base64.b32encode(entropy.random(10)).decode()


def iam_arn(account: str, kind: str, path: str, name: str) -> str:
    """The ARN of a user, group, role or policy; `path` begins and ends with `/`."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def session_arn(account: str, role_name: str, session_name: str) -> str:
    """The ARN of a role's session; it has no path."""
    return f"arn:aws:sts::{account}:assumed-role/{role_name}/{session_name}"


def federated_arn(account: str, name: str) -> str:
    """The ARN of a federated user's session."""
    return f"arn:aws:sts::{account}:federated-user/{name}"
