import json
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer

MANAGEMENT = "111122223333"
SCP, RCP = "SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY"


class Organization(SimpleNamespace):
    """An organization and the shortest ways to ask for what tests need."""

    def unit(self, name, parent=None):
        made = self.client.create_organizational_unit(ParentId=parent or self.root, Name=name)
        return made["OrganizationalUnit"]["Id"]

    def account(self, name, parent=None):
        email = f"{name.replace(' ', '.')}@example.com"
        status = self.client.create_account(Email=email, AccountName=name)["CreateAccountStatus"]
        account = status["AccountId"]
        if parent is not None:
            self.client.move_account(AccountId=account, SourceParentId=self.root, DestinationParentId=parent)
        return account

    def policy(self, name, statement, kind=SCP):
        content = json.dumps({"Version": "2012-10-17", "Statement": statement})
        made = self.client.create_policy(Name=name, Description="", Type=kind, Content=content)
        return made["Policy"]["PolicySummary"]["Id"]

    def attach(self, policy, target):
        self.client.attach_policy(PolicyId=policy, TargetId=target)

    def detach(self, policy, target):
        self.client.detach_policy(PolicyId=policy, TargetId=target)


def organization(server):
    client = server.client("organizations")
    made = client.create_organization(FeatureSet="ALL")["Organization"]
    root = client.list_roots()["Roots"][0]["Id"]
    for kind in (SCP, RCP):
        client.enable_policy_type(RootId=root, PolicyType=kind)
    return Organization(server=server, client=client, id=made["Id"], root=root)


@pytest.fixture(scope="module")
def org():
    """One organization with both policy types enabled; tests make units and accounts of their own."""
    with RunningServer(account_id=MANAGEMENT) as server:
        yield organization(server)


@pytest.fixture
def fresh_org():
    """An organization of a test's own."""
    with RunningServer(account_id=MANAGEMENT) as server:
        yield organization(server)


@pytest.fixture
def refused():
    """Calls an operation that is to be refused, and returns its code, message and reason."""

    def call(operation, *arguments, **request):
        with pytest.raises(ClientError) as refusal:
            operation(*arguments, **request)
        response = refusal.value.response
        return SimpleNamespace(
            code=response["Error"]["Code"],
            message=response["Error"]["Message"],
            reason=response.get("Reason"),
            status=response["ResponseMetadata"]["HTTPStatusCode"],
        )

    return call
