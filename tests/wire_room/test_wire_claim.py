"""What a request claims, and what is said when it claims badly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.errors import ApiError, IncompleteSignature, InvalidSignature, MissingAuthenticationToken
from keystead.wire.claim import parse
from keystead.wire.http import Request

DATE = "20150830T123600Z"
AT = 1_440_938_160
CREDENTIAL = "Credential=AKID/20150830/us-east-1/kms/aws4_request"
SIGNED = "SignedHeaders=host;x-amz-date"
SIGNATURE = "Signature=" + "0123456789abcdef" * 4
GOOD = f"AWS4-HMAC-SHA256 {CREDENTIAL}, {SIGNED}, {SIGNATURE}"
QUERY = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": "AKID%2F20150830%2Fus-east-1%2Fsts%2Faws4_request",
    "X-Amz-Date": DATE,
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
    "X-Amz-Signature": "0123456789abcdef" * 4,
}


def header(
    authorization: str | None, signed_at: str | None = DATE, target: str = "/", **more: str
) -> Request:
    headers = {"host": "h", "authorization": authorization, "x-amz-date": signed_at, **more}
    given = {name: value for name, value in headers.items() if value is not None}
    return Request("POST", target, given, b"", "192.0.2.1", secure=False)


def presigned(**changes: str | None) -> Request:
    fields = QUERY | {name.replace("_", "-"): value for name, value in changes.items()}
    query = "&".join(f"{name}={value}" for name, value in fields.items() if value is not None)
    return header(None, None, f"/?Action=GetCallerIdentity&{query}")


def said(request: Request, kind: type[ApiError] = IncompleteSignature) -> str:
    with pytest.raises(kind) as caught:
        parse(request)
    assert caught.value.message is not None
    return caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"AWS4-HMAC-SHA256 {CREDENTIAL},{SIGNED},{SIGNATURE}",
        f"AWS4-HMAC-SHA256 {SIGNATURE}, {SIGNED}, {CREDENTIAL}",
        f"AWS4-HMAC-SHA256   {SIGNED} , {CREDENTIAL} ,, {SIGNATURE} ",
    ],
)
def test_the_header_form(text: str) -> None:
    claim = parse(header(text, **{"x-amz-security-token": "token"}))
    assert (claim.access_key_id, claim.day, claim.region, claim.service) == (
        "AKID",
        "20150830",
        "us-east-1",
        "kms",
    )
    assert claim.scope.text == "20150830/us-east-1/kms/aws4_request"
    assert claim.signed_headers == ("host", "x-amz-date")
    assert claim.signature == "0123456789abcdef" * 4
    assert (claim.date, claim.time, claim.expires, claim.session_token) == (DATE, AT, None, "token")


def test_a_long_scope_is_read_and_not_remembered() -> None:
    claim = parse(header(GOOD.replace("AKID", "A" * 5000)))
    assert claim.access_key_id == "A" * 5000


def test_the_query_form() -> None:
    claim = parse(presigned(X_Amz_Security_Token="a%2Bb%3D"))
    assert (claim.access_key_id, claim.service, claim.signed_headers) == ("AKID", "sts", ("host",))
    assert (claim.date, claim.time, claim.expires, claim.session_token) == (DATE, AT, 60, "a+b=")
    assert parse(presigned(X_Amz_Expires=None)).expires == 900


@pytest.mark.parametrize("date", ["Sun, 30 Aug 2015 12:36:00 GMT", "Sun, 30 Aug 2015 14:36:00 +0200", DATE])
def test_a_date_header_serves_where_there_is_no_other(date: str) -> None:
    claim = parse(header(GOOD, None, date=date))
    assert (claim.date, claim.time) == (DATE, AT)


def test_no_claim_at_all() -> None:
    assert said(header(None), MissingAuthenticationToken) == "Request is missing Authentication Token"
    assert said(header(None, None, "/?Action=x"), MissingAuthenticationToken)


def test_two_claims_are_one_too_many() -> None:
    assert said(header(GOOD, target=presigned().target), InvalidSignature) == (
        "Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header."
    )


def test_all_missing_parts_are_told_and_the_header_is_not() -> None:
    assert said(header("AWS4-HMAC-SHA256 ", None)) == (
        "Authorization header requires 'Credential' parameter. "
        "Authorization header requires 'Signature' parameter. "
        "Authorization header requires 'SignedHeaders' parameter. "
        "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. "
        "(Hashed with SHA-256 and encoded with Base64) Authorization=CiYVUkvqEFxnqOZfl+qKLWniec690XZ/NzTormsckxs="
    )
    assert said(header(f"AWS4-HMAC-SHA256 {CREDENTIAL}, {SIGNED}")).startswith(
        "Authorization header requires 'Signature' parameter. (Hashed"
    )
    assert said(header(GOOD, None)).startswith("Authorization header requires existence of either")


@pytest.mark.parametrize(
    ("request_", "start"),
    [
        (
            header("Bearer s3cret"),
            "Invalid key=value pair (missing equal-sign) in Authorization header (hashed with",
        ),
        (header("Basic dXNlcjpwYXNz="), "Authorization header requires 'Credential' parameter. "),
        (header(f"{GOOD}, {SIGNATURE}"), "Authorization header has more than one 'Signature' parameter."),
        (
            header(f"AWS4-HMAC-SHA256 {CREDENTIAL}, {GOOD[17:]}"),
            "Authorization header has more than one 'Credential'",
        ),
        (header(GOOD, "20150830"), "Date must be in ISO-8601 'basic format'. Got '20150830'. See http"),
        (header(GOOD, "20150230T123600Z"), "Date must be in ISO-8601 'basic format'. Got '20150230T"),
        (header(GOOD, "2015083\u0661T123600Z"), "Date must be in ISO-8601 'basic format'. Got "),
        (header(GOOD, None, date="yesterday"), "Date must be in ISO-8601 'basic format'. Got 'yesterday'."),
        (header(GOOD.replace("SHA256", "SHA512")), "Unsupported AWS 'algorithm': 'AWS4-HMAC-SHA512' (only"),
        (
            header(GOOD.replace("/kms", "")),
            (
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, "
                "got 'AKID/20150830/us-east-1/aws4_request'"
            ),
        ),
    ],
    ids=range(10),
)
def test_malformed_headers(request_: Request, start: str) -> None:
    message = said(request_)
    assert message.startswith(start)
    assert "s3cret" not in message
    assert "0123456789abcdef" not in message


def test_the_scope_must_end_as_it_must() -> None:
    assert said(header(GOOD.replace("aws4_request", "aws5_request")), InvalidSignature) == (
        "Credential should be scoped with a valid terminator: 'aws4_request', not 'aws5_request'."
    )


@pytest.mark.parametrize("name", sorted(QUERY.keys() - {"X-Amz-Expires"}))
def test_a_missing_query_part(name: str) -> None:
    expected = f"AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
    assert said(presigned(**{name: None})) == expected
    assert said(presigned(**{name: ""})) == expected


@pytest.mark.parametrize("text", ["0", "-1", "604801", "x", "", "1.5", "9" * 5000, "%D9%A1", "+60"])
def test_a_lifetime_is_from_a_second_to_a_week(text: str) -> None:
    assert (
        said(presigned(X_Amz_Expires=text)) == "X-Amz-Expires must be a number of seconds from 1 to 604800."
    )


def test_a_repeated_query_part() -> None:
    target = presigned().target + "&X-Amz-Credential=x"
    assert (
        said(header(None, None, target))
        == "AWS query-string parameters have more than one 'X-Amz-Credential'."
    )


def test_malformed_query_parts() -> None:
    assert said(presigned(X_Amz_Date="now")).startswith("Date must be in ISO-8601")
    assert said(presigned(X_Amz_Algorithm="AWS4-ECDSA")).startswith("Unsupported AWS 'algorithm'")
    assert said(presigned(X_Amz_Credential="x")).startswith("Credential must have exactly 5")


@given(st.text(max_size=80), st.text(max_size=20))
def test_any_header_is_a_claim_or_an_api_error(text: str, date: str) -> None:
    for request in (header(text, date), header(f"{GOOD}{text}"), header(GOOD, None, date=date)):
        try:
            parse(request)
        except ApiError as error:
            message = error.message
        else:
            continue
        assert message


@given(st.lists(st.tuples(st.sampled_from([*QUERY, "x", ""]), st.text(max_size=10)), max_size=8))
def test_any_query_is_a_claim_or_an_api_error(fields: list[tuple[str, str]]) -> None:
    target = "/?" + "&".join(f"{name}={value}" for name, value in fields)
    with pytest.raises(ApiError):
        parse(header(None, None, target))
