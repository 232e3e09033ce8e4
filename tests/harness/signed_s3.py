"""Requests to S3 that no client makes, signed as the root of the server's account."""

from __future__ import annotations

import hashlib
import http.client
import re

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from keystead.testing.server import RunningServer


def sent(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, bytes]:
    """Status and body of the answer to a signed request, with headers as they are given (`_` for `-`)."""
    answer = answered(server, method, path, body, **headers)
    return answer.status, answer.read()


def answered(
    server: RunningServer, method: str, path: str, body: bytes = b"", **headers: str
) -> http.client.HTTPResponse:
    """The answer itself; its connection ends with it."""
    credential = server.credential()
    given_ = {name.replace("_", "-"): value for name, value in headers.items()}
    given_.setdefault("x-amz-content-sha256", hashlib.sha256(body).hexdigest())
    request = AWSRequest(method, f"{server.url}{path}", headers=given_)
    auth = S3SigV4Auth(Credentials(credential.access_key_id, credential.secret), "s3", "us-east-1")
    auth.payload = lambda _request: given_["x-amz-content-sha256"]
    auth.add_auth(request)
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request(method, path, body=body, headers={**request.headers, "connection": "close"})
    return client.getresponse()


def told(answer: bytes) -> tuple[str, str, dict[str, str]]:
    """The code, the message and what else an error says."""
    found = dict(re.findall(r"<(\w+)>([^<]*)</\1>", answer.decode()))
    for name in ("RequestId", "HostId"):
        found.pop(name)
    return found.pop("Code"), found.pop("Message"), found
