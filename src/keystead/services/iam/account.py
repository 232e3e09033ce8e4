"""The account itself: its alias, its summary, and the password policy that it does not have."""

from __future__ import annotations

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import (
    ACCOUNTS,
    GROUPS,
    NAMES,
    OIDC_PROVIDERS,
    POLICIES,
    ROLES,
    USERS,
    Name,
    name_place,
    root_credentials_of,
)
from keystead.api.mfa import MFA_DEVICES
from keystead.api.operation import always
from keystead.identity import Account
from keystead.services.iam import quotas
from keystead.services.iam.paging import page_list
from keystead.services.iam.targets import on_account
from keystead.wire.models import iam as wire


def _account(call: Call) -> Account:
    account = call.tx.get(ACCOUNTS, call.account)
    assert account is not None  # whoever calls has one
    return account


def _place(alias: str) -> str:
    return name_place("account-alias", "", alias)


@operation("CreateAccountAlias", targets=on_account("CreateAccountAlias"), changes=True)
def create_account_alias(
    call: Call, request: wire.CreateAccountAliasRequest, _account_target: Target
) -> None:
    """Give the account an alias instead of the one it has; no other account has it."""
    alias, account = request.account_alias or "", _account(call)
    held = call.tx.get(NAMES, _place(alias))
    if held is not None and held.id != account.id:
        raise errors.EntityAlreadyExists(f"The account alias {alias} already exists.")
    if account.alias:
        call.tx.delete(NAMES, _place(account.alias))
    call.tx.put(NAMES, _place(alias), Name(account.id))
    call.tx.put(ACCOUNTS, account.id, msgspec.structs.replace(account, alias=alias))


@operation("DeleteAccountAlias", targets=on_account("DeleteAccountAlias"), changes=True)
def delete_account_alias(
    call: Call, request: wire.DeleteAccountAliasRequest, _account_target: Target
) -> None:
    """Take the account's alias away."""
    account = _account(call)
    if account.alias != request.account_alias:
        raise errors.NoSuchEntity(f"The account alias {request.account_alias} cannot be found.")
    call.tx.delete(NAMES, _place(account.alias))
    call.tx.put(ACCOUNTS, account.id, msgspec.structs.replace(account, alias=""))


@operation("ListAccountAliases", targets=on_account("ListAccountAliases"))
def list_account_aliases(
    call: Call, request: wire.ListAccountAliasesRequest, _account_target: Target
) -> wire.ListAccountAliasesResponse:
    """Return the account's alias, if it has one."""
    alias = _account(call).alias
    aliases, marker = page_list(call, request, [alias] if alias else [])
    return wire.ListAccountAliasesResponse(
        account_aliases=aliases, is_truncated=marker is not None, marker=marker
    )


@operation("GetAccountPasswordPolicy", targets=on_account("GetAccountPasswordPolicy"))
def get_account_password_policy(
    call: Call, _request: object, _account_target: Target
) -> wire.GetAccountPasswordPolicyResponse:
    """Refuse as AWS does where there is none: nobody has a password here."""
    raise errors.NoSuchEntity(f"The Password Policy with domain name {call.account} cannot be found.")


@operation("GetAccountSummary", targets=on_account("GetAccountSummary"), slow=always)
def get_account_summary(
    call: Call, _request: object, _account_target: Target
) -> wire.GetAccountSummaryResponse:
    """Return how many of each thing there are, and how many there may be."""
    return wire.GetAccountSummaryResponse(summary_map={**_QUOTAS, **_NONE, **_counts(call)})


def _counts(call: Call) -> dict[str, int]:
    here = f"{call.account}/"
    devices = [device for _, device in call.tx.scan(MFA_DEVICES, here)]
    policies = [policy for _, policy in call.tx.scan(POLICIES, here)]
    return {
        "Users": len(call.tx.scan(USERS, here)),
        "Groups": len(call.tx.scan(GROUPS, here)),
        "Roles": len(call.tx.scan(ROLES, here)),
        "Policies": len(policies),
        "PolicyVersionsInUse": sum(len(policy.versions) for policy in policies),
        "MFADevices": len(devices),
        "MFADevicesInUse": sum(1 for device in devices if device.user),
        "Providers": len(call.tx.scan(OIDC_PROVIDERS, here)),
        "AccountAccessKeysPresent": int(bool(root_credentials_of(call.tx, call.account))),
    }


_QUOTAS = {
    "UsersQuota": quotas.PER_ACCOUNT["user"][1],
    "GroupsQuota": quotas.PER_ACCOUNT["group"][1],
    "RolesQuota": quotas.PER_ACCOUNT["role"][1],
    "PoliciesQuota": quotas.PER_ACCOUNT["policy"][1],
    "AccessKeysPerUserQuota": quotas.KEYS_PER_USER[1],
    "GroupsPerUserQuota": quotas.GROUPS_PER_USER[1],
    "AttachedPoliciesPerUserQuota": quotas.ATTACHED_POLICIES,
    "AttachedPoliciesPerGroupQuota": quotas.ATTACHED_POLICIES,
    "AttachedPoliciesPerRoleQuota": quotas.ATTACHED_POLICIES,
    "UserPolicySizeQuota": 2048,
    "GroupPolicySizeQuota": 5120,
    "RolePolicySizeQuota": 10240,
    "PolicySizeQuota": 6144,
    "AssumeRolePolicySizeQuota": 2048,
    "VersionsPerPolicyQuota": 5,
    "PolicyVersionsInUseQuota": 10000,
    "GlobalEndpointTokenVersion": 2,
}
"""IAM User Guide, "IAM and AWS STS quotas"."""

_NONE = dict.fromkeys(
    (
        "AccountMFAEnabled",
        "AccountPasswordPresent",
        "AccountSigningCertificatesPresent",
        "InstanceProfiles",
        "InstanceProfilesQuota",
        "ServerCertificates",
        "ServerCertificatesQuota",
        "SigningCertificatesPerUserQuota",
    ),
    0,
)
"""What accounts have none of here."""

OPERATIONS = (
    create_account_alias,
    delete_account_alias,
    list_account_aliases,
    get_account_password_policy,
    get_account_summary,
)
