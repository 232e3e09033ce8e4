"""Signature Version 4 against botocore's signers, and against tampering."""

from __future__ import annotations

import pickle
from urllib.parse import quote, urlsplit

import boto3
import msgspec
import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.errors import InvalidSignature
from keystead.wire import sigv4
from keystead.wire.http import Request
from keystead.wire.models import sts
from keystead.wire.protocols import query

ID, SECRET, TOKEN = (
    "AKIDEXAMPLE0000000000"[:20],
    "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
    "token/with+signs==",
)
HOST = "kms.us-east-1.example.com:4599"
BODY = b'{"KeyId":"alias/a"}'
TARGET_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Encrypt"}


def key_for(claim: sigv4.Claim, secret: str = SECRET) -> sigv4.SigningKey:
    return sigv4.SigningKey(sigv4.signing_key(secret, claim.day, claim.region, claim.service))


def received(request: AWSRequest, body: bytes) -> Request:
    """The request as a door hands it in."""
    sent = request.prepare()
    parts = urlsplit(sent.url)
    headers = {"host": parts.netloc}
    for name, value in sent.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        headers[name.lower()] = text.encode().decode("latin-1")
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(sent.method, target, headers, body, "192.0.2.1", secure=True)


def signed(
    auth: type[SigV4Auth] = SigV4Auth,
    *,
    method: str = "POST",
    path: str = "/",
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = BODY,
    token: str | None = None,
    **options: int,
) -> Request:
    body = b"" if issubclass(auth, SigV4QueryAuth) else body  # botocore moves a body into the query
    credentials = Credentials(ID, SECRET, token)
    url = f"https://{HOST}{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method, url, data=body, headers=TARGET_HEADERS if headers is None else headers)
    auth(credentials, "kms", "us-east-1", **options).add_auth(request)
    return received(request, body)


def refused(request: Request, now: float | None = None, *, key: sigv4.SigningKey | None = None) -> str:
    claim = sigv4.parse(request)
    with pytest.raises(InvalidSignature) as caught:
        sigv4.verify(claim, request, key or key_for(claim), claim.time if now is None else now)
    assert caught.value.message is not None
    return caught.value.message


# ------------------------------------------------------------------- agreement with botocore

SEGMENT = st.one_of(
    st.sampled_from(["", ".", "..", "a"]),
    st.text(min_size=1, max_size=5).map(lambda t: quote(_clean(t), safe="~")),
)
PATHS = (
    st.lists(SEGMENT, max_size=4)
    .map(lambda parts: "/" + "/".join(parts))
    .filter(
        lambda path: not path.startswith("//")  # a URL with this path would have another host
    )
)
FIELD = st.text(max_size=4).map(lambda t: quote(_clean(t), safe="-_.~"))
QUERIES = st.lists(st.tuples(FIELD.filter(bool), FIELD), max_size=4).map(
    lambda pairs: "&".join(f"{name}={value}" for name, value in pairs)
)
HEADERS = st.dictionaries(
    st.sampled_from(["X-Amz-Target", "X-Amz-Meta", "Content-Type", "Accept", "X-Other"]),
    st.text(
        st.characters(codec="latin-1", categories=["L", "N", "P", "S"], include_characters=" "), max_size=9
    ).map(str.strip),
    max_size=3,
)


def _clean(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


@settings(max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from([SigV4Auth, SigV4QueryAuth]),
    st.fixed_dictionaries(
        {
            "method": st.sampled_from(["GET", "POST", "PUT"]),
            "path": PATHS,
            "query": QUERIES,
            "headers": HEADERS,
            "body": st.binary(max_size=20),
            "token": st.none() | st.just(TOKEN),
        }
    ),
)
def test_what_botocore_signs_verifies(auth, parts) -> None:
    request = signed(auth, **parts)
    claim = sigv4.parse(request)
    assert (claim.access_key_id, claim.region, claim.service) == (ID, "us-east-1", "kms")
    assert claim.session_token == parts["token"]
    assert (claim.expires is None) == (auth is SigV4Auth)
    sigv4.verify(claim, request, key_for(claim), claim.time)
    assert refused(request, key=key_for(claim, SECRET + "x")) == sigv4.MISMATCH


@settings(max_examples=40)
@given(
    st.sampled_from([S3SigV4Auth, S3SigV4QueryAuth]),
    PATHS,
    QUERIES,
)
def test_what_botocore_signs_for_s3_verifies_by_its_rules(auth, path, query) -> None:
    request = signed(auth, method="PUT", path=path, query=query, headers={}, body=b"")
    claim = sigv4.parse(request)
    sigv4.verify(claim, request, key_for(claim), claim.time, sigv4.S3)


def test_a_presigned_url_that_boto3_makes_for_sts_verifies() -> None:
    """What sign-ins with AWS credentials (Vault, Kubernetes) send."""
    session = boto3.Session(ID, SECRET, TOKEN, "us-east-1")
    made = session.client("sts").generate_presigned_url("get_caller_identity", ExpiresIn=60, HttpMethod="GET")
    url = urlsplit(made)
    request = Request("GET", f"/?{url.query}", {"host": url.netloc}, b"", "192.0.2.1", secure=True)
    claim = sigv4.parse(request)
    assert (claim.service, claim.expires, claim.session_token) == ("sts", 60, TOKEN)
    sigv4.verify(claim, request, key_for(claim), claim.time + 60)
    fields = query.parameters(request)
    assert query.decode(sts.SERVICE, fields["Action"], fields) == sts.GetCallerIdentityRequest()


def test_unsigned_payloads_are_for_s3_only() -> None:
    request = signed(S3SigV4QueryAuth, method="PUT", headers={}, body=b"")
    assert refused(request) == sigv4.MISMATCH
    other = msgspec.structs.replace(request, body=b"other")
    claim = sigv4.parse(other)
    sigv4.verify(claim, other, key_for(claim), claim.time, sigv4.S3)
    declared = signed(headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"})
    assert refused(declared) == sigv4.MISMATCH


def test_a_declared_body_hash_must_be_the_bodys() -> None:
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    request = signed(headers={"X-Amz-Content-SHA256": digest}, body=b"")
    claim = sigv4.parse(request)
    sigv4.verify(claim, request, key_for(claim), claim.time)
    assert refused(msgspec.structs.replace(request, body=b"x")) == sigv4.MISMATCH


def test_the_published_signing_key() -> None:
    """The example in the AWS General Reference, "Deriving the signing key"."""
    key = sigv4.signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")
    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_the_published_signature() -> None:
    """The example in the AWS General Reference, "Signature Version 4 signing process"."""
    request = Request(
        "GET",
        "/?Action=ListUsers&Version=2010-05-08",
        {
            "host": "iam.amazonaws.com",
            "content-type": "application/x-www-form-urlencoded; charset=utf-8",
            "x-amz-date": "20150830T123600Z",
            "authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
            "SignedHeaders=content-type;host;x-amz-date, "
            "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
        },
        b"",
        "192.0.2.1",
        secure=True,
    )
    sigv4.verify(sigv4.parse(request), request, key_for(sigv4.parse(request)), 1_440_938_160)


# ---------------------------------------------------------------------------------- tampering


def flips(text: str) -> list[str]:
    return [text[:i] + chr(ord(text[i]) ^ 1) + text[i + 1 :] for i in range(len(text))]


@pytest.mark.parametrize("expires", [None, 60])
def test_every_flipped_bit_of_the_body_is_refused(expires: int | None) -> None:
    request = signed(body=b"{}x")
    claim = claim_at(request, expires)

    def refused_with(body: bytes) -> bool:
        try:
            sigv4.verify(claim, msgspec.structs.replace(request, body=body), key_for(claim), AT)
        except InvalidSignature as error:
            return error.message == sigv4.MISMATCH
        return False

    assert not refused_with(request.body)
    for place in range(len(request.body) * 8):
        body = bytearray(request.body)
        body[place // 8] ^= 1 << place % 8
        assert refused_with(bytes(body))
    assert refused_with(request.body + b" ")
    assert refused_with(b"")


def test_every_changed_character_of_a_signed_header_is_refused() -> None:
    request = signed(token=TOKEN)
    claim = sigv4.parse(request)
    for name in claim.signed_headers:
        if name == "x-amz-date":
            continue
        for value in flips(request.headers[name]):
            changed = msgspec.structs.replace(request, headers={**request.headers, name: value})
            assert refused(changed) == sigv4.MISMATCH
        without = {key: value for key, value in request.headers.items() if key != name}
        changed = msgspec.structs.replace(request, headers=without)
        assert refused(changed) == sigv4.MISMATCH


@pytest.mark.parametrize("auth", [SigV4Auth, SigV4QueryAuth])
def test_every_changed_character_of_the_signature_is_refused(auth) -> None:
    request = signed(auth)
    claim = sigv4.parse(request)
    for text in [*flips(claim.signature), claim.signature.upper(), claim.signature[:-1], "", "\u00e9" * 64]:
        forged = msgspec.structs.replace(claim, signature=text)
        with pytest.raises(InvalidSignature):
            sigv4.verify(forged, request, key_for(claim), claim.time)


@pytest.mark.parametrize("auth", [SigV4Auth, SigV4QueryAuth])
def test_method_and_target_are_signed(auth) -> None:
    request = signed(auth, path="/a/b", query="x=1&y=2")
    for change in (
        {"method": "PUT"},
        {"target": request.target.replace("x=1", "x=2")},
        {"target": request.target.replace("/a/b", "/a/c")},
        {"target": request.target + ("&z=1" if "?" in request.target else "?z=1")},
    ):
        assert refused(msgspec.structs.replace(request, **change)) == sigv4.MISMATCH


def test_another_scope_is_another_signature() -> None:
    request = signed()
    claim = sigv4.parse(request)
    for old, new in (("us-east-1", "us-east-2"), ("/kms/", "/sts/"), ("content-type;", "")):
        text = request.headers["authorization"].replace(old, new)
        changed = msgspec.structs.replace(request, headers={**request.headers, "authorization": text})
        assert refused(changed, key=key_for(claim)) == sigv4.MISMATCH
        assert refused(changed) == sigv4.MISMATCH


def test_the_scopes_day_must_be_the_dates() -> None:
    request = signed()
    day = sigv4.parse(request).day
    text = request.headers["authorization"].replace(f"/{day}/", "/20010101/")
    changed = msgspec.structs.replace(request, headers={**request.headers, "authorization": text})
    assert refused(changed).startswith(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: "
        f"'20010101' != '{day}', from '{day}T"
    )


def test_host_must_be_signed() -> None:
    request = signed()
    text = request.headers["authorization"].replace(";host", "")
    changed = msgspec.structs.replace(request, headers={**request.headers, "authorization": text})
    assert refused(changed) == "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."


@pytest.mark.parametrize("auth", [SigV4Auth, SigV4QueryAuth])
@pytest.mark.parametrize("name", ["x-amz-target", "x-amz-security-token", "x-amz-content-sha256", "x-amz-"])
def test_a_header_that_was_slipped_in_is_refused(auth, name: str) -> None:
    request = signed(auth, headers={})
    changed = msgspec.structs.replace(request, headers={**request.headers, name: "x"})
    assert refused(changed) == f"There were headers present in the request which were not signed: {name}"


@pytest.mark.parametrize("name", ["x-amzn-trace-id", "user-agent", "amz-sdk-request", "accept-encoding"])
def test_headers_that_proxies_and_clients_add_need_no_signature(name: str) -> None:
    request = signed()
    changed = msgspec.structs.replace(request, headers={**request.headers, name: "x"})
    claim = sigv4.parse(changed)
    sigv4.verify(claim, changed, key_for(claim), claim.time)


def test_a_header_that_is_no_bytes_is_refused() -> None:
    request = signed()
    changed = msgspec.structs.replace(request, headers={**request.headers, "content-type": "\u20ac"})
    assert refused(changed) == sigv4.MISMATCH


# -------------------------------------------------------------------------------------- time

AT = 1_440_938_160  # 2015-08-30T12:36:00Z


def claim_at(request: Request, expires: int | None = None) -> sigv4.Claim:
    """The request's claim moved to a fixed time, with the signature that is right for it."""
    old = sigv4.parse(request)
    scope = msgspec.structs.replace(old.scope, day="20150830", text="20150830/us-east-1/kms/aws4_request")
    claim = msgspec.structs.replace(old, scope=scope, date="20150830T123600Z", time=AT, expires=expires)
    return msgspec.structs.replace(
        claim, signature=sigv4.signature(claim, request, key_for(claim).begin(claim))
    )


@pytest.mark.parametrize("now", [AT - 300, AT - 0.5, AT, AT + 300])
def test_a_clock_may_be_five_minutes_off(now: float) -> None:
    request = signed()
    claim = claim_at(request)
    sigv4.verify(claim, request, key_for(claim), now)


@pytest.mark.parametrize(
    ("expires", "now", "said"),
    [
        (
            None,
            AT + 300.5,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123600Z (20150830T124100Z - 5 min.)",
        ),
        (
            None,
            AT + 301,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)",
        ),
        (
            None,
            AT - 301,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
        ),
        (
            60,
            AT + 61,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123701Z - 1 min.)",
        ),
        (
            90,
            AT + 91,
            "Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T123731Z - 90 sec.)",
        ),
        (
            604_800,
            AT - 301,
            "Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)",
        ),
    ],
)
def test_too_late_and_too_early(expires: int | None, now: float, said: str) -> None:
    request = signed()
    claim = claim_at(request, expires)
    with pytest.raises(InvalidSignature) as caught:
        sigv4.verify(claim, request, key_for(claim), now)
    assert caught.value.message == said


@pytest.mark.parametrize("expires", [1, 60, 604_800])
def test_a_presigned_request_lives_as_long_as_it_says(expires: int) -> None:
    request = signed(SigV4QueryAuth, expires=expires)
    claim = sigv4.parse(request)
    assert claim.expires == expires
    for now in (claim.time - 300, claim.time, claim.time + expires):
        sigv4.verify(claim, request, key_for(claim), now)
    assert refused(request, claim.time + expires + 1).startswith("Signature expired: ")
    longer = request.target.replace(f"X-Amz-Expires={expires}", f"X-Amz-Expires={expires % 604_800 + 1}")
    assert refused(msgspec.structs.replace(request, target=longer)) == sigv4.MISMATCH


# ------------------------------------------------------------------------------------ custody


def test_a_signing_key_stays_where_it_is() -> None:
    key = sigv4.SigningKey(b"k" * 32)
    for each in (key, key.begin(sigv4.parse(signed()))):
        assert repr(each) == "<SigningKey>"
        with pytest.raises(TypeError):
            pickle.dumps(each)


def test_a_claim_prints_neither_signature_nor_token() -> None:
    claim = sigv4.parse(signed(token=TOKEN))
    assert claim.signature not in repr(claim)
    assert TOKEN not in repr(claim)
    assert ID in repr(claim)
