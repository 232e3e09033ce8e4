"""Presigned URLs: how clusters and secret stores have a caller prove who it is, without its secret."""

import urllib.error
import urllib.request
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.signers import RequestSigner

pytestmark = pytest.mark.client

CLUSTER = "X-K8s-Aws-Id"
ARN = b"<Arn>arn:aws:iam::000000000000:root</Arn>"


def fetch(url, method="GET", **headers):
    request = urllib.request.Request(url, method=method, headers=headers)
    if method == "POST":
        request.data = b""
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_whoever_has_the_url_learns_who_signed_it(server, method):
    url = server.client("sts").generate_presigned_url("get_caller_identity", HttpMethod=method)
    assert server.secret_access_key not in url
    status, body = fetch(url, method)
    assert status == 200
    assert ARN in body


def test_a_url_is_for_its_method_its_host_and_nothing_else(server):
    url = server.client("sts").generate_presigned_url("get_caller_identity", HttpMethod="GET")
    for changed in (url.replace("Expires=3600", "Expires=7200"), url[:-1] + ("0" if url[-1] != "0" else "1")):
        status, body = fetch(changed)
        assert status == 403
        assert b"<Code>SignatureDoesNotMatch</Code>" in body
    assert fetch(url, "POST")[0] == 403
    host = f"localhost:{urlsplit(url).port}"
    assert fetch(url, Host=host)[0] == 403


def test_a_token_for_a_cluster_is_bound_to_the_cluster(server):
    credential = server.credential()
    session = boto3.Session(credential.access_key_id, credential.secret, region_name="us-east-1")
    sts = server.client("sts")
    signer = RequestSigner(
        sts.meta.service_model.service_id, "us-east-1", "sts", "v4", session.get_credentials(), session.events
    )
    request = {
        "method": "GET",
        "url": f"{server.url}/?Action=GetCallerIdentity&Version=2011-06-15",
        "body": {},
        "headers": {CLUSTER: "production"},
        "context": {},
    }
    url = signer.generate_presigned_url(request, region_name="us-east-1", expires_in=60, operation_name="")
    status, body = fetch(url, **{CLUSTER: "production"})
    assert status == 200
    assert ARN in body
    assert fetch(url, **{CLUSTER: "another"})[0] == 403
    assert fetch(url)[0] == 403
