"""HTTP messages as values."""

from __future__ import annotations

from keystead.wire.http import Request, Response


def test_a_target_is_split_at_its_first_question_mark() -> None:
    request = Request("GET", "/a%2Fb?x=1?2", {}, b"", "192.0.2.1", secure=False)
    assert (request.path, request.query) == ("/a%2Fb", "x=1?2")
    bare = Request("GET", "/", {}, b"", "192.0.2.1", secure=False)
    assert (bare.path, bare.query) == ("/", "")


def test_what_is_printed_tells_neither_headers_nor_bodies_nor_query() -> None:
    request = Request(
        "GET", "/?X-Amz-Signature=s3cret", {"authorization": "s3cret"}, b"s3cret", "::1", secure=True
    )
    assert "s3cret" not in repr(request)
    assert "s3cret" not in repr(Response(200, (("x", "s3cret"),), b"s3cret"))
