"""Client certificates, shown in real TLS by boto3 and the command line, for sessions of roles that trust them."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NoConnection
from callers import refused
from cryptography import x509
from cryptography.x509.oid import NameOID
from issuers import Authority, server_names

from keystead.api.accounts import put_service_credential
from keystead.api.anchors import Anchors, anchor_id
from keystead.errors import SettingsError
from keystead.http import server_context
from keystead.testing import RunningServer
from keystead.testing.people import allow

ACCOUNT = "000000000000"
SVID = "spiffe://example.org/ns/prod/sa/web"
SERVICE = "rolesanywhere.amazonaws.com"
ACTIONS = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")


@pytest.fixture(scope="module")
def authority():
    return Authority("Workloads CA")


@pytest.fixture(scope="module")
def server(authority, tmp_path_factory):
    directory = tmp_path_factory.mktemp("tls")
    certificate, key = authority.issue(names=server_names(), client=False)
    for name, content in (("ca.pem", authority.pem), ("cert.pem", certificate), ("key.pem", key)):
        (directory / name).write_bytes(content)
    files = {name: str(directory / f"{file}.pem") for name, file in FILES.items()}
    with RunningServer(**files) as running:
        yield running


FILES = {"tls_cert": "cert", "tls_key": "key", "client_ca": "ca"}


@pytest.fixture(scope="module")
def shown(server, tmp_path_factory):
    """Write a certificate and its key to files; the pair of paths."""
    count = iter(range(1000))

    def write(issued):
        directory = tmp_path_factory.mktemp(f"client{next(count)}")
        paths = directory / "cert.pem", directory / "key.pem"
        for path, content in zip(paths, issued, strict=True):
            path.write_bytes(content)
        return tuple(map(str, paths))

    return write


def svid(authority, uri=SVID, **members):
    members.setdefault("usage", "signing")
    return authority.issue(names=[x509.UniformResourceIdentifier(uri)], **members)


def named(authority, common_name, **members):
    subject = [(NameOID.ORGANIZATION_NAME, "Example, Inc."), (NameOID.COMMON_NAME, common_name)]
    return authority.issue(subject=subject, **members)


def trust(*actions, **conditions):
    statement = {"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": list(actions or ACTIONS)}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


def sts(server, files=None):
    config = Config(signature_version=UNSIGNED, client_cert=files, retries={"total_max_attempts": 1})
    client = boto3.client(
        "sts",
        endpoint_url=server.url,
        region_name="us-east-1",
        verify=server.settings.client_ca,
        config=config,
    )
    server._clients.append(client)
    return client


def assume(server, files, role, name="pod-1", **members):
    arn = getattr(role, "arn", role)
    return sts(server, files).assume_role(RoleArn=arn, RoleSessionName=name, **members)


def session_of(server, answer, service="kms"):
    given = answer["Credentials"]
    client = boto3.client(
        service,
        endpoint_url=server.url,
        region_name="us-east-1",
        verify=server.settings.client_ca,
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )
    server._clients.append(client)
    return client


DENIED = ("AccessDenied", "Not authorized to perform sts:AssumeRole")


def test_a_spiffe_id_becomes_a_session_of_the_role_that_trusts_it(server, authority, shown):
    policies = {"keys": allow("kms:ListKeys", StringEquals={"aws:PrincipalTag/x509SAN/URI": SVID})}
    role = server.role("Web", policies, trust=trust(StringEquals={"aws:PrincipalTag/x509SAN/URI": SVID}))
    files = shown(svid(authority))
    answer = assume(server, files, role)
    who = session_of(server, answer, "sts").get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/Web/pod-1"
    session_of(server, answer).list_keys()
    with pytest.raises(ClientError, match="AccessDenied"):
        session_of(server, answer).create_key()
    other = shown(svid(authority, "spiffe://example.org/ns/prod/sa/other"))
    assert refused(assume, server, other, role)[0] == "AccessDenied"


def test_a_common_name_becomes_the_source_identity(server, authority, shown):
    asked = {
        "aws:PrincipalTag/x509Subject/CN": "batch-7",
        "aws:PrincipalTag/x509Subject/O": "Example, Inc.",
        "aws:PrincipalTag/x509Issuer/CN": "Workloads CA",
        "aws:RequestTag/x509Subject/CN": "batch-7",
        "sts:SourceIdentity": "batch-7",
        "aws:SourceAccount": ACCOUNT,
    }
    keys = allow("kms:ListKeys", StringEquals={"aws:SourceIdentity": "batch-7"})
    role = server.role("Batch", {"keys": keys}, trust=trust(StringEquals=asked))
    answer = assume(server, shown(named(authority, "batch-7")), role)
    assert answer["SourceIdentity"] == "batch-7"
    session_of(server, answer).list_keys()
    assert refused(assume, server, shown(named(authority, "batch-8")), role)[0] == "AccessDenied"


def test_each_permission_is_asked_for(server, authority, shown):
    files = shown(named(authority, "batch-9"))
    for missing in ACTIONS:
        role = server.role(
            f"Without{missing[4:]}", trust=trust(*(each for each in ACTIONS if each != missing))
        )
        code, message = refused(assume, server, files, role)
        assert code == "AccessDenied"
        assert missing in message


def test_a_trust_policy_can_ask_for_the_anchor(server, authority, shown):
    files = shown(svid(authority))
    open_role = server.role("AnyAnchor", trust=trust())
    event_before = len(server.events())
    assume(server, files, open_role)
    (event,) = (e for e in server.events()[event_before:] if e["eventName"] == "AssumeRole")
    assert event["userIdentity"] == {"type": "AWSService", "invokedBy": SERVICE}
    assert event["recipientAccountId"] == ACCOUNT
    certificate = event["additionalEventData"]["clientCertificate"]
    assert certificate["uri"] == SVID
    assert certificate["issuer"] == "CN=Workloads CA"
    arn = f"arn:aws:rolesanywhere:us-east-1:{ACCOUNT}:trust-anchor/{anchor_id(authority.certificate)}"
    assert event["additionalEventData"]["trustAnchorArn"] == arn
    right = server.role("RightAnchor", trust=trust(ArnEquals={"aws:SourceArn": arn}))
    wrong = server.role("WrongAnchor", trust=trust(ArnEquals={"aws:SourceArn": arn[:-4] + "0000"}))
    assume(server, files, right)
    assert refused(assume, server, files, wrong)[0] == "AccessDenied"


def test_who_is_not_trusted_learns_nothing_of_roles(server, authority, shown):
    files = shown(svid(authority))
    others = server.role("ForUsers", trust=trust(StringEquals={"aws:PrincipalTag/x509SAN/URI": "x"}))
    answers = {
        refused(assume, server, files, each) for each in (others, f"arn:aws:iam::{ACCOUNT}:role/Missing")
    }
    assert len({message.replace("Missing", "ForUsers") for _, message in answers}) == 1


def test_the_certificate_alone_says_who_calls(server, authority, shown):
    role = server.role("Claimed", trust=trust())
    files = shown(svid(authority))
    tag = {"Key": "x509SAN/URI", "Value": "spiffe://example.org/admin"}
    for members in ({"Tags": [tag]}, {"SourceIdentity": "admin"}, {"SerialNumber": "arn:aws:iam::1:mfa/x"}):
        assert refused(assume, server, files, role, **members)[0] == "ValidationError"


def test_external_ids_session_policies_and_durations_hold_here_too(server, authority, shown):
    role = server.role(
        "Bounded", {"all": allow("kms:*")}, trust=trust(StringEquals={"sts:ExternalId": "reports"})
    )
    files = shown(svid(authority))
    assert refused(assume, server, files, role)[0] == "AccessDenied"
    policy = json.dumps(allow("kms:ListKeys"))
    kms = session_of(server, assume(server, files, role, ExternalId="reports", Policy=policy))
    kms.list_keys()
    with pytest.raises(ClientError, match="session policy"):
        kms.create_key()
    assert (
        refused(assume, server, files, role, ExternalId="reports", DurationSeconds=7200)[0]
        == "ValidationError"
    )


def test_without_a_certificate_or_for_other_operations_a_signature_is_needed(server, authority, shown):
    role = server.role("Signed", trust=trust())
    assert refused(assume, server, None, role)[0] == "MissingAuthenticationToken"
    with pytest.raises(ClientError, match="MissingAuthenticationToken"):
        sts(server, shown(svid(authority))).get_caller_identity()


def test_a_signature_counts_before_a_certificate(server, authority, shown):
    person = server.user("signer", {"own": allow("sts:GetCallerIdentity")})
    role = server.role("ForCertificates", trust=trust())
    config = Config(client_cert=shown(svid(authority)))
    client = person.client("sts", verify=server.settings.client_ca, config=config)
    with pytest.raises(ClientError) as caught:
        client.assume_role(RoleArn=role.arn, RoleSessionName="pod-1")
    assert person.arn in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize(
    "uris",
    [
        (SVID, "spiffe://example.org/other"),
        (SVID, "https://example.org"),
        ("spiffe://example.org",),
        ("spiffe://example.org/",),
        ("spiffe://example.org/a//b",),
        ("spiffe://example.org/a/../b",),
        ("spiffe://example.org/a/",),
        ("spiffe://Example.org/a",),
        ("spiffe://example.org:8443/a",),
        ("spiffe://user@example.org/a",),
        ("spiffe://example.org/a?b",),
        ("SPIFFE://example.org/a",),
    ],
)
def test_a_certificate_with_a_spiffe_id_holds_exactly_one_of_a_workload(server, authority, shown, uris):
    role = server.role("Strict", trust=trust())
    names = [x509.UniformResourceIdentifier(uri) for uri in uris]
    code, message = refused(assume, server, shown(authority.issue(names=names, usage="signing")), role)
    assert (code, "SPIFFE" in message) == ("AccessDenied", True)


def test_a_certificate_with_a_spiffe_id_says_that_it_is_for_signing_only(server, authority, shown):
    role = server.role("Strict", trust=trust())
    for usage in (None, "issuing"):
        assert refused(assume, server, shown(svid(authority, usage=usage)), role)[0] == "AccessDenied"


def test_certificates_of_strangers_and_those_that_have_ended_open_nothing(server, authority, shown):
    role = server.role("Careful", trust=trust())
    stranger = Authority("Workloads CA")
    for issued in (svid(stranger), svid(authority, days=(-2, -1)), svid(authority, client=False)):
        with pytest.raises((NoConnection, HTTPClientError)):
            assume(server, shown(issued), role)


def test_an_intermediate_authority_counts_if_it_is_named_itself(server, authority, shown):
    """The handshake lets its certificates in, since the root has issued it; the server asks for the anchor."""
    between = authority.subordinate("Between CA")
    certificate, key = svid(between)
    code, message = refused(
        assume, server, shown((certificate + between.pem, key)), server.role("Deep", trust=trust())
    )
    assert (code, "trust anchor" in message) == ("AccessDenied", True)


def test_an_intermediate_authority_that_is_named_needs_no_root(authority, shown, tmp_path):
    between = authority.subordinate("Between CA")
    certificate, key = between.issue(names=server_names(), client=False)
    for name, content in (("ca", between.pem), ("cert", certificate), ("key", key)):
        (tmp_path / f"{name}.pem").write_bytes(content)
    with RunningServer(**{name: str(tmp_path / f"{file}.pem") for name, file in FILES.items()}) as server:
        config = Config(signature_version=UNSIGNED, client_cert=shown(svid(between)))
        role = server.role("Deep", trust=trust())
        (tmp_path / "both.pem").write_bytes(authority.pem + between.pem)
        client = boto3.client(
            "sts",
            endpoint_url=server.url,
            region_name="us-east-1",
            verify=str(tmp_path / "both.pem"),
            config=config,
        )
        client.assume_role(RoleArn=role.arn, RoleSessionName="pod-1")
        client.close()


def test_a_certificate_counts_only_while_it_and_its_anchor_do(authority):
    """Asked at every call, since a connection may outlive both."""
    leaf = x509.load_pem_x509_certificate(svid(authority, days=(-1, 60))[0])
    now, day = time.time(), 86_400
    anchors = Anchors(authority.pem)
    found = [anchors.issuer_of(leaf, now + days * day) for days in (-2, 0, 29, 31, 61)]
    assert found == [None, anchor_id(authority.certificate), anchor_id(authority.certificate), None, None]


def test_the_session_ends_with_the_role(server, authority, shown):
    role = server.role("Revocable", {"keys": allow("kms:ListKeys")}, trust=trust())
    kms = session_of(server, assume(server, shown(svid(authority)), role))
    kms.list_keys()
    iam = server.client("iam", verify=server.settings.client_ca)
    iam.delete_role_policy(RoleName="Revocable", PolicyName="keys")
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.list_keys()
    iam.delete_role(RoleName="Revocable")
    with pytest.raises(ClientError, match="UnrecognizedClient"):
        kms.list_keys()


def keystead(*words, **environment):
    command = [sys.executable, "-c", "from keystead.cli.main import main; main()", *words]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "KEYSTEAD_"))}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=clean | environment)


def test_every_aws_client_gets_its_credentials_by_the_certificate(server, authority, shown, tmp_path):
    role = server.role("Process", {"keys": allow("kms:ListKeys")}, trust=trust())
    certificate, key = shown(svid(authority))
    words = [
        *("credentials", "--role-arn", role.arn, "--certificate", certificate, "--private-key", key),
        *("--endpoint-url", server.url, "--ca", server.settings.client_ca, "--duration", "900"),
    ]
    done = keystead(*words)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert set(answer) == {"Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration"}
    process = f"{sys.executable} -c 'from keystead.cli.main import main; main()' {' '.join(words)}"
    config = tmp_path / "config"
    config.write_text(f"[profile workload]\nregion = us-east-1\ncredential_process = {process}\n")
    aws = subprocess.run(
        [sys.executable, "-m", "awscli", "sts", "get-caller-identity", "--query", "Arn", "--output", "text"],
        capture_output=True,
        text=True,
        check=False,
        env={
            "PATH": os.environ["PATH"],
            "AWS_CONFIG_FILE": str(config),
            "AWS_PROFILE": "workload",
            "AWS_ENDPOINT_URL": server.url,
            "AWS_CA_BUNDLE": server.settings.client_ca,
        },
    )
    assert aws.stdout.strip() == f"arn:aws:sts::{ACCOUNT}:assumed-role/Process/workload", aws.stderr


def test_the_command_says_in_one_line_why_there_are_no_credentials(server, authority, shown):
    certificate, key = shown(svid(authority))
    arn = f"arn:aws:iam::{ACCOUNT}:role/Nothing"
    words = ["credentials", "--role-arn", arn, "--certificate", certificate, "--private-key", key]
    done = keystead(*words, AWS_ENDPOINT_URL=server.url, AWS_CA_BUNDLE=server.settings.client_ca)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("keystead: AccessDenied: ")
    plain = keystead(*words, "--endpoint-url", "http://127.0.0.1:1")
    assert (plain.returncode, "https" in plain.stderr) == (1, True)


def test_files_that_cannot_be_used_are_named(server, tmp_path):
    given = server.settings
    (tmp_path / "none.pem").write_text("nothing\n")
    with pytest.raises(SettingsError, match="client_ca"):
        server_context(given.tls_cert, given.tls_key, str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="client_ca"):
        server_context(given.tls_cert, given.tls_key, str(tmp_path / "missing.pem"))
    with pytest.raises(SettingsError, match="tls_key: there is no file"):
        server_context(given.tls_cert, str(tmp_path / "missing.pem"))


def test_who_shows_no_certificate_is_served_as_ever(server):
    context = ssl.create_default_context(cafile=server.settings.client_ca)
    with (
        socket.create_connection(("127.0.0.1", server.port)) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        assert tls.recv(4096).startswith(b"HTTP/1.1 200")


def test_no_service_can_be_the_one_that_stands_for_certificates(server):
    with pytest.raises(SettingsError, match="stands for client certificates"):
        server.store.run(
            lambda tx: put_service_credential(tx, SERVICE, "AKIAEXAMPLE000000001", "x" * 40, 0.0)
        )
