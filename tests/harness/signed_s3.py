"""Requests to S3 that no client makes, signed as the root of the server's account."""

from __future__ import annotations

import hashlib
import http.client

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from keystead.testing.server import RunningServer


def sent(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Status and body of the answer to a signed request, with headers as they are given (`_` for `-`)."""
    credential = server.credential()
    given_ = {name.replace("_", "-"): value for name, value in headers.items()}
    given_.setdefault("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    request = AWSRequest(method, f"{server.url}{path}", headers=given_)
    auth = S3SigV4Auth(Credentials(credential.access_key_id, credential.secret), "s3", "us-east-1")
    auth.payload = lambda _request: given_["x-amz-content-sha256"]
    auth.add_auth(request)
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(method, path, body=body, headers=dict(request.headers.items()))
    answer = client.getresponse()
    found = answer.status, answer.read()
    client.close()
    return found
