"""How requests are signed: header, URL, chunks, trailers; and each of them spoilt."""

from __future__ import annotations

import base64
import hashlib
import http.client
import urllib.error
import urllib.request
import zlib
from typing import Any

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from signed_http import signing_key

from keystead.testing.server import RunningServer

V4 = Config(signature_version="s3v4", retries={"total_max_attempts": 1})


def fetched(url: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data=body, method=method)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_presigned_url_is_good_for_what_it_was_signed_for(
    s3: Any, bucket: str, made: Any, server: RunningServer
) -> None:
    signer = made(config=V4)
    put = signer.generate_presigned_url("put_object", {"Bucket": bucket, "Key": "k ü"}, ExpiresIn=60)
    get = signer.generate_presigned_url("get_object", {"Bucket": bucket, "Key": "k ü"}, ExpiresIn=60)
    for _ in range(2):  # as often as it is used
        assert fetched(put, "PUT", b"by url")[0] == 200
    assert fetched(get) == (200, b"by url")
    for wrong in (
        get.replace("k%20", "l%20"),
        get[:-1] + ("0" if get[-1] != "0" else "1"),
        get.replace("Expires=60", "Expires=99"),
    ):
        status, body = fetched(wrong)
        assert (status, b"<Code>SignatureDoesNotMatch</Code>" in body) == (403, True)
    assert fetched(get, "DELETE")[0] == 403


CHUNK = b"0123456789abcdef" * 4096


class Chunked:
    """A PUT in signed chunks, as its parts, so that a test can spoil one."""

    def __init__(
        self, server: RunningServer, bucket: str, chunks: list[bytes], *, trailing: bool, signed: bool = True
    ) -> None:
        credential = server.credential()
        said = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if signed else "STREAMING-UNSIGNED-PAYLOAD"
        headers = {
            "x-amz-content-sha256": said + ("-TRAILER" if trailing else ""),
            "x-amz-decoded-content-length": str(sum(map(len, chunks))),
            "content-encoding": "aws-chunked",
        }
        if trailing:
            headers["x-amz-trailer"] = "x-amz-checksum-crc32"
        request = AWSRequest("PUT", f"{server.url}/{bucket}/k", headers=headers)
        auth = S3SigV4Auth(Credentials(credential.access_key_id, credential.secret), "s3", "us-east-1")
        auth.payload = lambda _request: headers["x-amz-content-sha256"]
        auth.add_auth(request)
        self.headers = dict(request.headers.items())
        self.host = f"127.0.0.1:{server.port}"
        self.date = self.headers["X-Amz-Date"]
        self.key = signing_key(credential.secret, self.date[:8], "us-east-1", "s3")
        self.last = self.headers["Authorization"].rpartition("Signature=")[2]
        self.path = f"/{bucket}/k"
        self.body = b"".join(self._chunk(chunk, signed) for chunk in [*chunks, b""])
        if trailing:
            self.body = self.body[:-2] + self._trailers(zlib.crc32(b"".join(chunks)), signed)

    def _sign(self, label: str, text: str) -> str:
        import hmac

        scope = f"{self.date[:8]}/us-east-1/s3/aws4_request"
        whole = f"{label}\n{self.date}\n{scope}\n{self.last}\n{text}"
        self.last = hmac.digest(self.key, whole.encode(), "sha256").hex()
        return self.last

    def _chunk(self, chunk: bytes, signed: bool) -> bytes:
        head = f"{len(chunk):x}"
        if signed:
            nothing = hashlib.sha256(b"").hexdigest()
            digests = f"{nothing}\n{hashlib.sha256(chunk).hexdigest()}"
            head += f";chunk-signature={self._sign('AWS4-HMAC-SHA256-PAYLOAD', digests)}"
        return f"{head}\r\n".encode() + chunk + b"\r\n"

    def _trailers(self, crc: int, signed: bool) -> bytes:
        line = f"x-amz-checksum-crc32:{base64.b64encode(crc.to_bytes(4, 'big')).decode()}"
        text = f"{line}\r\n"
        if signed:
            digest = hashlib.sha256(f"{line}\n".encode()).hexdigest()
            text += f"x-amz-trailer-signature:{self._sign('AWS4-HMAC-SHA256-TRAILER', digest)}\r\n"
        return f"{text}\r\n".encode()

    def send(self, body: bytes | None = None) -> tuple[int, bytes]:
        client = http.client.HTTPConnection(self.host)
        client.request("PUT", self.path, body=self.body if body is None else body, headers=self.headers)
        answer = client.getresponse()
        found = answer.status, answer.read()
        client.close()
        return found


@pytest.mark.parametrize(("trailing", "signed"), [(False, True), (True, True), (True, False)])
@pytest.mark.parametrize("chunks", [[], [b"x"], [CHUNK, CHUNK, b"end"]])
def test_bodies_in_chunks(
    server: RunningServer, s3: Any, bucket: str, chunks: list[bytes], trailing: bool, signed: bool
) -> None:
    assert Chunked(server, bucket, chunks, trailing=trailing, signed=signed).send()[0] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"".join(chunks)
    assert "ContentEncoding" not in s3.head_object(Bucket=bucket, Key="k")


def test_chunks_may_be_small(server: RunningServer, s3: Any, bucket: str) -> None:
    assert Chunked(server, bucket, [b"a", b"b"], trailing=False).send()[0] == 200
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"ab"


@pytest.mark.parametrize("trailing", [False, True])
def test_nothing_of_a_spoilt_body_is_kept(
    server: RunningServer, s3: Any, bucket: str, trailing: bool
) -> None:
    request = Chunked(server, bucket, [CHUNK, CHUNK], trailing=trailing)
    body = request.body
    half = len(body) // 2
    spoilt = {
        body.replace(b"0123", b"1123", 1): b"SignatureDoesNotMatch",
        body.replace(b"chunk-signature=", b"chunk-signature=0", 1): b"SignatureDoesNotMatch",
        body[:half]: b"IncompleteBody",
        body.replace(b"10000;", b"10001;", 1): b"",
        b"10000\r\n" + body: b"IncompleteBody",
        body.replace(b"chunk-signature=", b"extra=1;chunk-signature=", 1): b"SignatureDoesNotMatch",
        body.replace(b"\r\n", b";extra=1\r\n", 1): b"IncompleteBody",
        body + b"x" * 9000: b"IncompleteBody",
    }
    for wrong, code in spoilt.items():
        status, answer = request.send(wrong)
        assert status in {400, 403}, answer
        assert code in answer
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0
    assert request.send()[0] == 200


def test_a_wrong_checksum_in_a_trailer_is_found(server: RunningServer, s3: Any, bucket: str) -> None:
    request = Chunked(server, bucket, [CHUNK], trailing=True, signed=False)
    right = base64.b64encode(zlib.crc32(CHUNK).to_bytes(4, "big"))
    status, answer = request.send(request.body.replace(right, b"AAAAAA=="))
    assert (status, b"<Code>BadDigest</Code>" in answer) == (400, True)
    status, answer = request.send(request.body.replace(b"x-amz-checksum-crc32:" + right + b"\r\n", b""))
    assert (status, b"<Code>MalformedTrailerError</Code>" in answer) == (400, True)


def test_a_body_that_is_not_what_was_signed_is_refused(server: RunningServer, s3: Any, bucket: str) -> None:
    request = AWSRequest("PUT", f"{server.url}/{bucket}/k", data=b"signed")
    credential = server.credential()
    S3SigV4Auth(Credentials(credential.access_key_id, credential.secret), "s3", "us-east-1").add_auth(request)
    client = http.client.HTTPConnection("127.0.0.1", server.port)
    client.request("PUT", f"/{bucket}/k", body=b"others", headers=dict(request.headers.items()))
    answer = client.getresponse()
    assert (answer.status, b"XAmzContentSHA256Mismatch" in answer.read()) == (400, True)
    client.close()
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 0


def test_another_secret_is_refused(server: RunningServer, s3: Any, bucket: str, made: Any) -> None:
    import boto3
    from botocore.exceptions import ClientError

    credential = server.credential()
    for key, secret, code in (
        (credential.access_key_id, "x" * 40, "SignatureDoesNotMatch"),
        ("AKIAIOSFODNN7EXAMPLE", "x" * 40, "InvalidAccessKeyId"),
    ):
        client = boto3.client(
            "s3",
            endpoint_url=server.url,
            region_name="us-east-1",
            aws_access_key_id=key,
            aws_secret_access_key=secret,
        )
        with pytest.raises(ClientError) as caught:
            client.list_buckets()
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 403
        client.close()


def test_virtual_hosts_name_buckets(server: RunningServer, s3: Any, bucket: str) -> None:
    s3.put_object(Bucket=bucket, Key="k", Body=b"x")
    for host in (f"{bucket}.localhost:{server.port}", f"{bucket}.s3.us-east-1.amazonaws.com"):
        client = http.client.HTTPConnection("127.0.0.1", server.port)
        request = AWSRequest("GET", f"http://{host}/k")
        credential = server.credential()
        S3SigV4Auth(Credentials(credential.access_key_id, credential.secret), "s3", "us-east-1").add_auth(
            request
        )
        client.request("GET", "/k", headers={"Host": host, **dict(request.headers.items())})
        answer = client.getresponse()
        assert (answer.status, answer.read()) == (200, b"x")
        client.close()
