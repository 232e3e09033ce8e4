"""Accounts, their users, groups and roles, and the credentials that speak for them, as values.

Owns who a caller is and how principals are named. Refuses to know what a caller may do, what a policy
means, how requests are signed and where anything is stored.
"""

from keystead.identity.account import Account
from keystead.identity.caller import Caller, Issuer
from keystead.identity.credential import Credential
from keystead.identity.group import Group
from keystead.identity.managed_policy import ManagedPolicy, PolicyVersion
from keystead.identity.oidc import OidcProvider
from keystead.identity.organization import Organization, OrgPolicy, Unit
from keystead.identity.role import Role
from keystead.identity.session import Session
from keystead.identity.user import User

__all__ = [
    "Account",
    "Caller",
    "Credential",
    "Group",
    "Issuer",
    "ManagedPolicy",
    "OidcProvider",
    "OrgPolicy",
    "Organization",
    "PolicyVersion",
    "Role",
    "Session",
    "Unit",
    "User",
]
