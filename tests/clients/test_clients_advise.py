"""What `keystead advise` writes is applied by Terraform as it is, and the example of a custom key likewise."""

import json
import os
import subprocess
import sys
from pathlib import Path

import boto3
import pytest

pytestmark = [pytest.mark.client, pytest.mark.slow, pytest.mark.timeout(600)]

ROOT = Path(__file__).parents[2]
TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "000000000000"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip
WRITE = json.dumps({
    "Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
})  # fmt: skip


@pytest.fixture
def client(deployment):
    made = []

    def call(service, credentials=None):
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        given = [deployment["AWS_ACCESS_KEY_ID"], deployment["AWS_SECRET_ACCESS_KEY"], None]
        if credentials is not None:
            given = [credentials[name] for name in names]
        made.append(
            boto3.client(
                service,
                region_name=deployment["AWS_REGION"],
                endpoint_url=deployment["AWS_ENDPOINT_URL"],
                aws_access_key_id=given[0],
                aws_secret_access_key=given[1],
                aws_session_token=given[2],
            )
        )
        return made[-1]

    yield call
    for one in made:
        one.close()


@pytest.fixture
def app(client):
    """Credentials of a role that keeps objects under the default key."""
    iam = client("iam")
    for name in ("App", "Reader"):
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=TRUST)
        iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=WRITE)
    iam.create_user(UserName="operator")
    assume = WRITE.replace("s3:*", "sts:AssumeRole")
    iam.put_user_policy(UserName="operator", PolicyName="own", PolicyDocument=assume)
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    sts = client("sts", {**key, "SessionToken": None})
    role = "arn:aws:iam::000000000000:role/App"
    given = sts.assume_role(RoleArn=role, RoleSessionName="app")["Credentials"]
    s3 = client("s3", given)
    s3.create_bucket(Bucket="letters")
    for number in range(3):
        s3.put_object(Bucket="letters", Key=str(number), Body=b"dear", ServerSideEncryption="aws:kms")
    return given


@pytest.fixture
def keystead(deployment, tmp_path):
    def call(*words, **variables):
        program = str(Path(sys.executable).with_name("keystead"))
        done = subprocess.run(
            [program, *words],
            env={**deployment, **variables},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    return call


@pytest.fixture
def example(keystead, app, tmp_path, request):
    """The configuration that `terraform` works on: the written one, or that of the examples."""
    if getattr(request, "param", "") == "example":
        return ROOT / "examples/custom-key"
    keystead("advise", "alias/aws/s3", "--write", str(tmp_path / "plan"))
    return tmp_path / "plan/s3-data"


def test_the_written_migration_is_applied_and_the_data_moves(terraform, keystead, client, app, tmp_path):
    terraform("init", "-input=false", "-no-color")
    terraform("apply", "-input=false", "-auto-approve", "-no-color")
    assert "No changes" in terraform("plan", "-input=false", "-no-color")
    arn = json.loads(terraform("output", "-json"))["key_arn"]["value"]
    as_app = {
        "AWS_ACCESS_KEY_ID": app["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": app["SecretAccessKey"],
        "AWS_SESSION_TOKEN": app["SessionToken"],
    }
    said = keystead("s3", "reencrypt", "letters", "--key-id", arn, "--read", **as_app)
    assert "3 changed" in said
    assert client("s3", app).head_object(Bucket="letters", Key="0")["SSEKMSKeyId"] == arn
    told = json.loads(keystead("advise", "--output", "json"))
    assert told["default"][0]["objects"] == []
    mine = next(one for one in told["custom"] if one["key"] == arn)
    assert [one["rule"] for one in mine["advice"]] == []
    written = tmp_path / "plan/s3-data/template.json"
    assert "Nothing is wrong" in keystead("analyze", "template", str(written))
    checkov = os.environ.get("KEYSTEAD_CHECKOV") or str(ROOT / ".venv-checkov/bin/checkov")
    if Path(checkov).exists():
        words = ["--directory", str(written.parent), "--quiet", "--compact", "--skip-download"]
        done = subprocess.run([checkov, *words], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("example", ["example"], indirect=True)
def test_the_example_of_a_custom_key_is_applied_and_analyzed(terraform, keystead, client, tmp_path):
    client("iam").create_role(RoleName="KeyAdmin", AssumeRolePolicyDocument=TRUST)
    roles = [f"-var={name}=arn:aws:iam::000000000000:role/{role}" for name, role in
             (("admin_role", "KeyAdmin"), ("user_role", "App"))]  # fmt: skip
    terraform("init", "-input=false", "-no-color")
    terraform("plan", "-input=false", "-no-color", "-out=plan.bin", *roles)
    plan = tmp_path / "plan.json"
    plan.write_text(terraform("show", "-json", "plan.bin"))
    assert "Nothing is wrong" in keystead("analyze", "template", str(plan))
    terraform("apply", "-input=false", "-auto-approve", "-no-color", *roles)
    assert "No changes" in terraform("plan", "-input=false", "-no-color", *roles)
    assert "Nothing is wrong" in keystead(
        "analyze", "template", str(ROOT / "examples/custom-key/template.yaml")
    )
