"""Terraform with its AWS provider, unchanged, on identities: apply, what that allows, no difference, destroy."""

import json
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

CHANGED = """
resource "aws_iam_role" "key_admin" {
  max_session_duration = 3600
  description          = "Described anew"
  tags                 = { Later = "added" }
}

resource "aws_iam_user" "alice" {
  path = "/moved/"
}

resource "aws_iam_openid_connect_provider" "pipeline" {
  client_id_list  = ["other"]
  thumbprint_list = ["89abcdef0123456789abcdef0123456789abcdef"]
}

data "aws_iam_policy_document" "use" {
  statement {
    actions   = ["kms:Encrypt"]
    resources = [aws_kms_key.files.arn]
  }
}
"""
"""What the second apply changes, as a file that overrides the example."""


@pytest.fixture
def example():
    """The configuration that `terraform` works on."""
    return Path(__file__).parents[2] / "examples" / "terraform-identities"


def client(deployment, service, pair=None):
    """A client of the deployment's root, or of whom the pair of access key id and secret belongs to."""
    pair = pair or (deployment["AWS_ACCESS_KEY_ID"], deployment["AWS_SECRET_ACCESS_KEY"])
    return boto3.client(
        service,
        region_name="us-east-1",
        endpoint_url=deployment["AWS_ENDPOINT_URL"],
        aws_access_key_id=pair[0],
        aws_secret_access_key=pair[1],
    )


def test_the_example_applies_is_enforced_settles_and_goes(terraform, deployment):
    terraform("init", "-no-color", "-input=false")
    terraform("apply", "-auto-approve", "-no-color", "-input=false")
    outputs = {name: entry["value"] for name, entry in json.loads(terraform("output", "-json")).items()}
    iam, alice = client(deployment, "iam"), client(deployment, "kms", outputs["alice"])
    assert iam.get_role(RoleName="KeyUser")["Role"]["RoleId"] == outputs["key_user"][1]
    alice.encrypt(KeyId=outputs["key"], Plaintext=b"by the policy of her group")
    with pytest.raises(ClientError, match="no identity-based policy allows the kms:DescribeKey"):
        alice.describe_key(KeyId=outputs["key"])
    # Terraform says with its exit status, 2, when something would change.
    settled = ("plan", "-detailed-exitcode", "-no-color", "-input=false")
    terraform(*settled)
    terraform("apply", "-auto-approve", "-no-color", "-input=false", override=CHANGED)
    assert iam.get_role(RoleName="KeyAdmin")["Role"]["Description"] == "Described anew"
    assert iam.get_user(UserName="alice")["User"]["Path"] == "/moved/"
    alice.encrypt(KeyId=outputs["key"], Plaintext=b"her key is still hers")
    with pytest.raises(ClientError, match="no identity-based policy allows the kms:GenerateDataKey"):
        alice.generate_data_key(KeyId=outputs["key"], KeySpec="AES_256")
    terraform(*settled)
    terraform("destroy", "-auto-approve", "-no-color", "-input=false")
    assert iam.list_roles()["Roles"] == iam.list_users()["Users"] == iam.list_groups()["Groups"] == []
    assert iam.list_policies(Scope="Local")["Policies"] == []
    assert iam.list_open_id_connect_providers()["OpenIDConnectProviderList"] == []
    for one in (iam, alice):
        one.close()
