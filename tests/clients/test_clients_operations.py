"""Every operation that boto3 and the aws command offer, called with success, or refused as documented."""

import json
import os

import botocore.session
import pytest
from botocore.exceptions import ClientError
from operations import CALLS, REFUSED, Scene

pytestmark = pytest.mark.client

MODEL = botocore.session.get_session().get_service_model("kms")


@pytest.fixture(scope="module")
def scene(server):
    return Scene(server)


def call(scene, name):
    request = CALLS[name](scene)
    method = getattr(scene.kms, botocore.xform_name(name))
    return method(**request)


def test_the_table_has_the_operations_that_boto3_has():
    assert set(CALLS) == set(MODEL.operation_names)
    assert len(CALLS) >= 56


@pytest.mark.parametrize("name", sorted(set(CALLS) - set(REFUSED)))
def test_each_operation_succeeds(scene, name):
    answer = call(scene, name)
    metadata = answer.pop("ResponseMetadata")
    assert metadata["HTTPStatusCode"] == 200
    assert metadata["RequestId"]
    shape = MODEL.operation_model(name).output_shape
    assert set(answer) <= set(shape.members if shape else ())
    assert not set(shape.required_members if shape else ()) - set(answer)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_is_refused_is_refused_as_documented(scene, name):
    with pytest.raises(ClientError) as caught:
        call(scene, name)
    assert caught.value.response["Error"]["Code"] == REFUSED[name]


def option(name):
    return "--" + botocore.xform_name(name, "-")


def words(operation, request, directory):
    """The request as a person types it: bytes from files, structures as JSON, a word for each flag."""
    typed = ["kms", botocore.xform_name(operation, "-")]
    for name, value in request.items():
        if isinstance(value, bytes):
            (directory / name).write_bytes(value)
            typed += [option(name), f"fileb://{directory / name}"]
        else:
            typed += [option(name), value if isinstance(value, str) else json.dumps(value)]
    return typed


@pytest.fixture
def aws(server, monkeypatch, tmp_path, capsys):
    """`aws(operation, request)`: exit status, output and error of the aws command, run in this process."""
    clidriver = pytest.importorskip("awscli.clidriver", reason="awscli is not installed")
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    # The first generation of the command would fetch an argument that looks like a URL.
    (tmp_path / "config").write_text("[default]\ncli_follow_urlparam = false\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    def run(operation, request):
        status = clidriver.create_clidriver().main([*words(operation, request, tmp_path), "--output", "json"])
        return status, *capsys.readouterr()

    return run


@pytest.mark.parametrize("name", sorted(CALLS))
def test_the_aws_command_performs_each_operation(scene, aws, name):
    status, out, err = aws(name, CALLS[name](scene))
    if name in REFUSED:
        assert (status, out) == (255, "")
        assert f"({REFUSED[name]}) when calling the {name} operation" in err
    else:
        assert (status, err) == (0, "")
        assert set(json.loads(out or "{}")) <= set(
            getattr(MODEL.operation_model(name).output_shape, "members", ())
        )


def test_every_call_left_its_event(scene, server):
    before = len(server.events())
    scene.kms.list_keys(Limit=1)
    assert [event["eventName"] for event in server.events()[before:]] == ["ListKeys"]


@pytest.mark.parametrize("size", [1, 4096])
def test_plaintexts_of_every_length_come_back(scene, size):
    key, plaintext = scene.key(), os.urandom(size)
    blob = scene.kms.encrypt(KeyId=key, Plaintext=plaintext)["CiphertextBlob"]
    assert scene.kms.decrypt(CiphertextBlob=blob)["Plaintext"] == plaintext


def test_paginators_walk_to_the_end(fresh_server):
    kms = fresh_server.client("kms")
    made = {kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(7)}
    pages = list(kms.get_paginator("list_keys").paginate(PaginationConfig={"PageSize": 3}))
    assert [len(page["Keys"]) for page in pages] == [3, 3, 1]
    assert {key["KeyId"] for page in pages for key in page["Keys"]} == made
