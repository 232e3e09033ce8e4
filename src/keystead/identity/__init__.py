"""Accounts and the credentials that speak for them, as values.

Owns who a caller is. Refuses to know what a caller may do and how requests are signed.
"""

from keystead.identity.account import Account
from keystead.identity.caller import Caller
from keystead.identity.credential import Credential

__all__ = ["Account", "Caller", "Credential"]
