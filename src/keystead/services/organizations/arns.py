"""The ARNs of what an organization consists of.

Source: Service Authorization Reference, "Resource types defined by AWS Organizations".
"""

from __future__ import annotations

from keystead.identity import Organization, OrgPolicy
from keystead.identity.organization import AWS_POLICIES, SERVICE_CONTROL


def node_arn(organization: Organization | None, account: str, node: str) -> str:
    """The ARN of a root, unit or account; `account` manages what is not there yet."""
    kind = "root" if node.startswith("r-") else "ou" if node.startswith("ou-") else "account"
    return _arn(organization, account, kind, node)


def policy_arn(organization: Organization | None, account: str, policy: str, found: OrgPolicy | None) -> str:
    """The ARN of a policy, AWS's own or the organization's."""
    kind = (SERVICE_CONTROL if found is None else found.type).lower()
    if policy in AWS_POLICIES:
        return f"arn:aws:organizations::aws:policy/{kind}/{policy}"
    return _arn(organization, account, "policy", f"{kind}/{policy}")


def handshake_arn(organization: Organization | None, account: str, handshake: str) -> str:
    """The ARN of an invitation."""
    return _arn(organization, account, "handshake", f"invite/{handshake}")


def _arn(organization: Organization | None, account: str, kind: str, rest: str) -> str:
    owner, name = (organization.management, organization.id) if organization is not None else (account, "-")
    return f"arn:aws:organizations::{owner}:{kind}/{name}/{rest}"
