"""AWS Organizations: accounts in a tree of units, and the policies that bind them there.

Refuses to know anything of keys and identities; what its policies mean is decided where every call is.
"""

from keystead.services.organizations.service import ORGANIZATIONS

__all__ = ["ORGANIZATIONS"]
