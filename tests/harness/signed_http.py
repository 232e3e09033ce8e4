"""A client that signs by itself, so that a test can spoil any part of a request, byte by byte."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import socket
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

PATIENCE = 300.0  # seconds before a test calls a lost answer lost
JSON = "application/x-amz-json-1.1"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        return self.document.get("__type", "")

    @property
    def message(self) -> str | None:
        return self.document.get("message")

    def error(self) -> tuple[int, str]:
        return self.status, self.code


@dataclass(frozen=True)
class Prepared:
    """A request ready to be sent, once or more often."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def raw(self) -> bytes:
        lines = [f"{self.method} {self.target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        lines += [f"Content-Length: {len(self.body)}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + self.body

    def changed(self, **parts: Any) -> Prepared:
        return replace(self, **parts)

    def with_header(self, name: str, value: str | None) -> Prepared:
        headers = {known: text for known, text in self.headers.items() if known.lower() != name.lower()}
        if value is not None:
            headers[name] = value
        return replace(self, headers=headers)


def signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = ("AWS4" + secret).encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@dataclass(frozen=True)
class Client:
    """Signs requests to 127.0.0.1:`port`; `now` gives the server's idea of the time."""

    port: int
    access_key_id: str
    secret: str
    region: str = "us-east-1"
    service: str = "kms"
    now: Callable[[], float] = time.time

    def prepare(
        self,
        operation: str | None,
        body: Mapping[str, Any] | bytes = b"",
        *,
        headers: Mapping[str, str] | None = None,
        method: str = "POST",
        target: str = "/",
        when: float | None = None,
    ) -> Prepared:
        """A request with a good signature over all its headers, Content-Length excepted."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now() if when is None else when))
        given = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": JSON,
            "X-Amz-Date": date,
            "Amz-Sdk-Invocation-Id": str(uuid.uuid4()),
        }
        if operation is not None:
            given["X-Amz-Target"] = f"TrentService.{operation}"
        given.update(headers or {})
        given["Authorization"] = self.authorization(method, target, given, body, date)
        return Prepared(method, target, given, body)

    def authorization(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes, date: str
    ) -> str:
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        names, signature = self._signature(
            method, target, headers, hashlib.sha256(body).hexdigest(), date, scope
        )
        return f"AWS4-HMAC-SHA256 Credential={self.access_key_id}/{scope}, SignedHeaders={names}, Signature={signature}"

    def presign(
        self,
        operation: str,
        body: Mapping[str, Any],
        *,
        expires: int = 60,
        when: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Prepared:
        """The same as a presigned request: the signature is in the query."""
        text = json.dumps(body).encode()
        date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now() if when is None else when))
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        given = {
            "Host": f"127.0.0.1:{self.port}",
            "Content-Type": JSON,
            "X-Amz-Target": f"TrentService.{operation}",
            **(headers or {}),
        }
        names = ";".join(sorted(name.lower() for name in given))
        query = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key_id}/{scope}",
            "X-Amz-Date": date,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": names,
        }
        target = "/?" + "&".join(
            f"{name}={quote(value, safe='-_.~')}" for name, value in sorted(query.items())
        )
        _, signature = self._signature("POST", target, given, hashlib.sha256(text).hexdigest(), date, scope)
        return Prepared("POST", f"{target}&X-Amz-Signature={signature}", given, text)

    def _signature(
        self, method: str, target: str, headers: Mapping[str, str], payload: str, date: str, scope: str
    ) -> tuple[str, str]:
        lower = {name.lower(): " ".join(value.split()) for name, value in headers.items()}
        names = ";".join(sorted(lower))
        path, _, query = target.partition("?")
        lines = "".join(f"{name}:{lower[name]}\n" for name in sorted(lower))
        query = "&".join(sorted(query.split("&")))
        canonical = f"{method}\n{path}\n{query}\n{lines}\n{names}\n{payload}"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{date}\n{scope}\n{digest}"
        key = signing_key(self.secret, scope[:8], self.region, self.service)
        return names, hmac.digest(key, to_sign.encode(), "sha256").hex()

    def send(self, prepared: Prepared) -> Answer:
        return self.send_raw(prepared.raw())

    def send_raw(self, data: bytes) -> Answer:
        with self.connect() as sock:
            sock.sendall(data)
            return read_answer(sock)

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), PATIENCE)

    def call(self, operation: str, body: Mapping[str, Any] | bytes = b"", **options: Any) -> Answer:
        return self.send(self.prepare(operation, body, **options))

    def must(self, operation: str, body: Mapping[str, Any] | bytes = b"") -> dict[str, Any]:
        """The document of a success."""
        answer = self.call(operation, body)
        assert answer.status == 200, (operation, answer.status, answer.body[:300])
        return answer.document if answer.body else {}

    def other(self, **parts: Any) -> Client:
        return replace(self, **parts)


def read_answer(sock: socket.socket) -> Answer:
    response = http.client.HTTPResponse(sock)
    try:
        response.begin()
        body = response.read()
        return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, body)
    finally:
        response.close()


def get(port: int, path: str) -> Answer:
    """The answer to a plain GET without authentication."""
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as sock:
        sock.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
        return read_answer(sock)
