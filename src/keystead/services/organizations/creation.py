"""CreateAccount, DescribeCreateAccountStatus, ListCreateAccountStatus.

AWS creates accounts in the background; here an account is there when the request is answered.
"""

from __future__ import annotations

from typing import Final

from keystead import arn, errors
from keystead.api import Call, Target, operation
from keystead.api.directory import ACCOUNTS
from keystead.api.identities import insert
from keystead.identity import Account, Organization, Role
from keystead.identity.names import ROLE, new_unique_id
from keystead.identity.organization import AccountCreation, new_account_id, new_creation_id
from keystead.services.organizations import limits
from keystead.services.organizations.access import managed
from keystead.services.organizations.paging import page
from keystead.services.organizations.refusals import constraint, invalid
from keystead.services.organizations.tables import CREATIONS
from keystead.services.organizations.tag_rules import new_tags
from keystead.services.organizations.targets import on_any, request_tags, with_tags
from keystead.services.organizations.tree import CREATED, join_organization, members, touch
from keystead.wire.models import organizations as wire

_ACCESS_ROLE: Final = "OrganizationAccountAccessRole"
_ADMINISTRATOR: Final = "arn:aws:iam::aws:policy/AdministratorAccess"
_SERVICE_LINKED: Final = "AWSServiceRoleFor"


@operation("CreateAccount", targets=with_tags(on_any("CreateAccount", request_tags)), changes=True)
def create_account(
    call: Call, request: wire.CreateAccountRequest, *_targets: Target
) -> wire.CreateAccountResponse:
    """Make an account in the root, with a role that trusts the management account and may do everything."""
    organization = touch(call.tx, managed(call))
    role = request.role_name or _ACCESS_ROLE
    if role.startswith(_SERVICE_LINKED):
        raise invalid("INVALID_ROLE_NAME")
    tags = new_tags(request.tags)
    if len(members(call.tx, organization)) >= limits.ACCOUNTS:
        raise constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED")
    name, email = request.account_name or "", request.email or ""
    if _known(call, email):
        return _answer(call, organization, name, failure="EMAIL_ALREADY_EXISTS")
    account = Account(id=new_account_id(call.entropy), name=name, created=call.now, email=email, tags=tags)
    call.tx.insert(ACCOUNTS, account.id, account)
    join_organization(call.tx, organization, account, organization.root, method=CREATED, now=call.now)
    insert(call.tx, _access_role(call, account.id, role))
    return _answer(call, organization, name, account=account.id)


def _known(call: Call, email: str) -> bool:
    """Whether an account of the deployment has the address; looks at all, as accounts are rarely made."""
    return any(account.email.lower() == email.lower() for _, account in call.tx.scan(ACCOUNTS, ""))


def _access_role(call: Call, account: str, name: str) -> Role:
    """Source: User Guide, "Accessing member accounts in an organization"."""
    return Role(
        account=account,
        name=name,
        id=new_unique_id(ROLE, call.entropy),
        created=call.now,
        trust='{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"'
        + arn.root_arn(call.account)
        + '"},"Action":"sts:AssumeRole"}]}',
        attached=(_ADMINISTRATOR,),
    )


def _answer(
    call: Call, organization: Organization, name: str, *, account: str = "", failure: str = ""
) -> wire.CreateAccountResponse:
    creation = AccountCreation(
        id=new_creation_id(call.entropy),
        organization=organization.id,
        name=name,
        requested=call.now,
        account=account,
        failure=failure,
    )
    call.tx.insert(CREATIONS, f"{organization.id}/{creation.id}", creation)
    return wire.CreateAccountResponse(create_account_status=_shown(creation))


def _shown(creation: AccountCreation) -> wire.CreateAccountStatus:
    return wire.CreateAccountStatus(
        id=creation.id,
        account_name=creation.name,
        state=creation.state,
        requested_timestamp=creation.requested,
        completed_timestamp=creation.requested,
        account_id=creation.account or None,
        failure_reason=creation.failure or None,
    )


@operation("DescribeCreateAccountStatus", targets=on_any("DescribeCreateAccountStatus"))
def describe_create_account_status(
    call: Call, request: wire.DescribeCreateAccountStatusRequest, _any: Target
) -> wire.DescribeCreateAccountStatusResponse:
    """Return what became of a request to create an account."""
    organization = managed(call)
    found = call.tx.get(CREATIONS, f"{organization.id}/{request.create_account_request_id}")
    if found is None:
        raise errors.CreateAccountStatusNotFound("You specified a create account request that doesn't exist.")
    return wire.DescribeCreateAccountStatusResponse(create_account_status=_shown(found))


@operation("ListCreateAccountStatus", targets=on_any("ListCreateAccountStatus"))
def list_create_account_status(
    call: Call, request: wire.ListCreateAccountStatusRequest, _any: Target
) -> wire.ListCreateAccountStatusResponse:
    """Return a page of the requests to create accounts, of all states or those asked for."""
    organization = managed(call)
    found = (creation for _, creation in call.tx.scan(CREATIONS, f"{organization.id}/"))
    wanted = [creation for creation in found if not request.states or creation.state in request.states]
    shown, token = page(call, request, wanted)
    return wire.ListCreateAccountStatusResponse(
        create_account_statuses=[_shown(creation) for creation in shown], next_token=token
    )


OPERATIONS = (create_account, describe_create_account_status, list_create_account_status)
