"""What is asked for: the values that a decision is made from.

They describe a caller, a target and a call; nothing here knows where they came from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

Value = str | tuple[str, ...]
"""A context value: text for a single-valued key, a tuple for a multi-valued one (even of one)."""

PrincipalType = Literal[
    "user", "assumedRole", "federatedUser", "root", "service", "role", "webIdentity", "anonymous"
]
"""`role` is some session of a role whose session name is not known (simulation only); `webIdentity` somebody for
whom an identity provider vouches, who may at most assume a role; `anonymous` who signs nothing."""

Trust = Literal["keyPolicy", "standard"]
"""How a resource policy relates to identity policies of its own account.

`keyPolicy`: they count only if the resource policy has an Allow for the account.
`standard`: an Allow in either is enough.
"""


class Context(Protocol):
    """The condition keys of one check; a plain dict with lower-case keys is one."""

    def get(self, key: str, /) -> Value | None:
        """The value of the key (its name in lower case), or None if the key is absent."""
        ...


class Principal(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Who calls.

    `arn` is what GetCallerIdentity reports (the session ARN for sessions; empty for services).
    `account` is empty for services and web identities. Texts are empty, and the rest None, where there is nothing to say.
    `unique_id` is that of the user, or of the session's role; `issuer_id` that of the user who issued a
    federated session (`user_id` is what `aws:userid` says). `provider` is the ARN of a web identity's provider.
    """

    type: PrincipalType
    arn: str = ""
    account: str = ""
    role_arn: str = ""
    issuer_arn: str = ""
    service: str = ""
    provider: str = ""
    user_id: str = ""
    unique_id: str = ""
    issuer_id: str = ""
    tags: Mapping[str, str] = {}
    org_id: str = ""
    org_path: str = ""
    mfa_present: bool | None = None
    mfa_age: str = ""
    token_issue_time: str = ""
    source_identity: str = ""
    management_account: bool = False
    service_linked_role: bool = False


class ResourceDescription(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """Attributes of the target; for a KMS key those that condition keys speak of.

    A text that is empty, a tuple or map without members, and None all mean "yields no condition key".
    """

    trust: Trust = "standard"
    key_manager: Literal["CUSTOMER", "AWS"] = "CUSTOMER"
    tags: Mapping[str, str] = {}
    aliases: tuple[str, ...] = ()
    key_spec: str = ""
    key_usage: str = ""
    origin: str = ""
    multi_region: bool | None = None
    multi_region_key_type: str = ""
    org_id: str = ""
    org_path: str = ""
    management_account: bool = False


class Constraints(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The constraints of a grant; None means that the grant has no such constraint."""

    encryption_context_equals: Mapping[str, str] | None = None
    encryption_context_subset: Mapping[str, str] | None = None
    source_arn: str | None = None


class Grant(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One grant on one key.

    `grantee` and `retiring` are ARNs or service principal names (`retiring` empty if there is none);
    `grantee_id` and `retiring_id` the unique ids of the user or role that they named when the grant was
    made, without which they name by ARN alone.
    `issuing_account` is a 12-digit id. A grant that is not `active` counts only by its token.
    """

    grant_id: str
    key_arn: str
    grantee: str
    operations: frozenset[str]
    issuing_account: str
    retiring: str = ""
    grantee_id: str = ""
    retiring_id: str = ""
    constraints: Constraints = Constraints()
    token: str = ""
    active: bool = True


class ChildGrant(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What a CreateGrant call asks to hand on; a parent grant must not be exceeded."""

    operations: frozenset[str] = frozenset()
    constraints: Constraints = Constraints()


class AuthorizationRequest(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One authorization check: one action on one resource.

    `account` owns the resource (for `*`: the account that the call is made in).
    `encryption_context` is what grant constraints are tested against.
    `from_ciphertext`: the caller did not name the key, the ciphertext did.
    """

    principal: Principal
    action: str
    resource: str
    account: str
    context: Context
    description: ResourceDescription = ResourceDescription()
    grant_tokens: frozenset[str] = frozenset()
    encryption_context: Mapping[str, str] = {}
    child: ChildGrant = ChildGrant()
    from_ciphertext: bool = False
