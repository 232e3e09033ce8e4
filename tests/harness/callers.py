"""Registered services that call for somebody, as clients of a running server."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from typing import Any, Self

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from keystead.api.accounts import put_service_credential
from keystead.api.forward import FORWARDED
from keystead.entropy import SystemEntropy
from keystead.identity.credential import new_access_key


def service_client(
    server: Any, service: str, api: str = "kms", region: str = "us-east-1", **options: Any
) -> Any:
    """A boto3 client with an access key of its own for a service principal, which is registered by that."""
    pair = new_access_key(SystemEntropy())
    server.store.run(lambda tx: put_service_credential(tx, service, *pair, server.clock.now()))
    return client_with(server, *pair, api=api, region=region, **options)


def client_with(
    server: Any, access_key_id: str, secret: str, token: str | None = None, *, api: str = "kms", region: str
) -> Any:
    """A boto3 client with these credentials."""
    import boto3
    from botocore.config import Config

    client = boto3.client(
        api,
        endpoint_url=server.url,
        region_name=region,
        aws_access_key_id=access_key_id,
        aws_secret_access_key=secret,
        aws_session_token=token,
        config=Config(retries={"total_max_attempts": 1}, parameter_validation=False),
    )
    server._clients.append(client)
    return client


def signed_for(
    credentials: Credentials, service: str, region: str = "us-east-1", *, body: bytes = b"", **headers: str
) -> dict[str, Any]:
    """A request that somebody signed for a service, as the service forwards it."""
    request = AWSRequest("PUT", f"https://{service}.{region}.example.com/thing", headers=headers, data=body)
    SigV4Auth(credentials, service, region).add_auth(request)
    return {
        "method": "PUT",
        "target": "/thing",
        "headers": {
            "host": f"{service}.{region}.example.com",
            **{k.lower(): v for k, v in request.headers.items()},
        },
        "payload": request.headers.get("X-Amz-Content-SHA256", hashlib.sha256(body).hexdigest()),
    }


def session_client(server: Any, answer: Any, api: str = "sts") -> Any:
    """A boto3 client with the credentials that STS answered."""
    given = answer["Credentials"]
    pair = given["AccessKeyId"], given["SecretAccessKey"]
    return client_with(server, *pair, given["SessionToken"], api=api, region="us-east-1")


def refused(call: Any, *given: Any, **members: Any) -> tuple[str, str]:
    """Code and message with which a client's method is refused."""
    with pytest.raises(ClientError) as caught:
        call(*given, **members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


class forwarded_by:  # noqa: N801  reads as a phrase where it is used
    """A block in which a service's client forwards a request that its caller has signed for it."""

    def __init__(
        self,
        server: Any,
        client: Any,
        service: str,
        *,
        account: str | None = None,
        credentials: Credentials | None = None,
        region: str = "us-east-1",
    ) -> None:
        root = server.credential(account)
        credentials = credentials or Credentials(root.access_key_id, root.secret)
        self.client = client
        self.request = signed_for(credentials, service.partition(".")[0], region)

    def _add(self, request: Any, **_: Any) -> None:
        request.headers[FORWARDED] = b64encode(json.dumps(self.request).encode()).decode()

    def __enter__(self) -> Self:
        self.client.meta.events.register("before-sign.*.*", self._add)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.meta.events.unregister("before-sign.*.*", self._add)
