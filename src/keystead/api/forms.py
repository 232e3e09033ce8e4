"""Uploads by forms: a browser's POST becomes the PutObject that it stands for, and the answer what a form is answered.

The fields come before the file, in the body, so they are read in a thread. What is made of them then goes the way of
every request; the signature, which is in the fields, is verified there (`receiving`).
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlencode, urlsplit
from xml.sax.saxutils import escape

import msgspec

from keystead import errors
from keystead.api.failures import translate
from keystead.api.formdata import FormBody, boundary_of
from keystead.api.parts import Done, Parts
from keystead.api.payload import Held
from keystead.api.pool import Work
from keystead.api.preflight import OPTIONS, answered
from keystead.api.routing import Router
from keystead.entropy import new_uuid
from keystead.wire import xml
from keystead.wire.address import Address, url_of
from keystead.wire.http import Request, Response
from keystead.wire.protocols import rest_xml

Handle = Callable[[Sequence[tuple[Request, Done]]], None]

_KEPT: Final[tuple[str, ...]] = ("host", "origin", "user-agent")
"""Headers of the request that say something of it; the object's are fields."""
_HEADERS: Final = frozenset(
    [
        "cache-control",
        "content-disposition",
        "content-encoding",
        "content-language",
        "content-type",
        "expires",
    ]
)
_ABOUT_OBJECT: Final = (
    "x-amz-checksum-",
    "x-amz-meta-",
    "x-amz-object-lock-",
    "x-amz-sdk-checksum-algorithm",
    "x-amz-server-side-encryption",
    "x-amz-storage-class",
    "x-amz-website-redirect-location",
)
"""How the fields begin that say something of the object: no other may make another request of this one."""
_OK: Final = 200
_SEE_OTHER: Final = 303
_FILENAME: Final = "${filename}"


def taken_over(parts: Parts, router: Router, handle: Handle, request: Request, done: Done) -> bool:
    """Whether the request is one that browsers send by themselves: a preflight, or a form; `done` is told then.

    Raises:
        errors.Serialization: path or query cannot be read.
    """
    if request.method == OPTIONS:
        return answered(parts, router, request, done)
    return _is_form(request) and _begin(parts, router, handle, request, done)


def _is_form(request: Request) -> bool:
    """Whether a request that is for S3 may be a form with a file in it."""
    return (
        request.method == "POST"
        and not isinstance(request.stream, FormBody)
        and "authorization" not in request.headers
        and boundary_of(request.headers.get("content-type", "")) is not None
    )


def _begin(parts: Parts, router: Router, handle: Handle, request: Request, done: Done) -> bool:
    """Whether the request is a form for a bucket; if so `handle` gets what it stands for, as soon as that is known.

    Raises:
        errors.Serialization: the path cannot be read.
    """
    address = router.bucket_posted(request)
    boundary = boundary_of(request.headers.get("content-type", ""))
    if address is None or boundary is None:
        return False
    body, loop = FormBody(request.stream or Held(request.body), boundary), asyncio.get_running_loop()

    def refuse(error: errors.ApiError) -> None:
        parts.count("s3", "PutObject", error.code, 0.0)
        done(router.fallback(request).refusal(error, new_uuid(parts.entropy)))

    def find_out() -> None:
        try:
            body.begin()
            told = functools.partial(_answer, done, request, address.bucket, body)
            follow = functools.partial(handle, [(_put(request, address, body), told)])
        except Exception as failure:  # noqa: BLE001  every failure is answered in one place
            follow = functools.partial(refuse, translate(router.fallback(request), failure))
        with contextlib.suppress(RuntimeError):  # the server has stopped
            loop.call_soon_threadsafe(follow)

    def too_many() -> None:
        loop.call_soon_threadsafe(refuse, errors.Throttling("Rate exceeded"))

    parts.forms.submit(request.peer, Work(find_out, too_many))
    return True


def _tags(document: str) -> str:
    """The tags in a form's document, written as PutObject's header has them.

    Raises:
        errors.Serialization: it is no such document.
        errors.InvalidTag: the header, which S3 reads more strictly, cannot have them.
    """
    root = xml.parse(document.encode())
    found = root.first("TagSet") if root.name == "Tagging" else None
    if found is None:
        raise errors.Serialization("The field 'tagging' is no Tagging document.")
    pairs = [(_text(tag, "Key"), _text(tag, "Value")) for tag in found.children]
    names = [name for name, _ in pairs]
    if "" in names:
        raise errors.InvalidTag("The TagKey you have provided is invalid")
    if len(set(names)) != len(names):
        raise errors.InvalidTag("Cannot provide multiple Tags with the same key")
    return urlencode(pairs)


def _text(parent: xml.Element, name: str) -> str:
    child = parent.first(name)
    return "" if child is None else child.text


def _put(request: Request, address: Address, form: FormBody) -> Request:
    """The PutObject that a form stands for."""
    fields = form.fields
    if not fields.get("key"):
        raise errors.InvalidS3Argument(
            "Bucket POST must contain a field named 'key'. If it is specified, please check the order of the fields."
        )
    form.fields = {**fields, "key": fields["key"].replace(_FILENAME, form.filename)}
    headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
    headers |= {
        name: text.encode().decode("latin-1")
        for name, text in fields.items()
        if name in _HEADERS or name.startswith(_ABOUT_OBJECT)
    }
    if "acl" in fields:
        headers["x-amz-acl"] = fields["acl"]
    if "tagging" in fields:
        headers["x-amz-tagging"] = _tags(fields["tagging"])
    headers["transfer-encoding"] = "chunked"  # nobody knows the file's length before its end
    if any("\r" in text or "\n" in text for text in headers.values()):
        raise errors.MalformedPost
    target = f"/{quote(address.bucket, safe='')}/{quote(form.fields['key'], safe='')}"
    headers["host"] = headers.get("host", "").removeprefix(f"{address.bucket}.")
    return msgspec.structs.replace(
        request, method="PUT", target=target, headers=headers, body=b"", stream=form
    )


def _answer(done: Done, request: Request, bucket: str, form: FormBody, response: Response) -> None:
    """None; who sent the form is told what the form asks for, or why not."""
    fields = form.fields
    if response.status != _OK:
        done(response)
        return
    headers = tuple(pair for pair in response.headers if pair[0].lower() != "content-type")
    etag = next((text for name, text in headers if name.lower() == "etag"), "")
    about = {"bucket": bucket, "key": fields.get("key", ""), "etag": etag}
    redirect = _redirect(fields, about)
    if redirect is not None:
        done(Response(_SEE_OTHER, (*headers, ("Location", redirect)), b""))
        return
    place = url_of(request.headers.get("host", ""), bucket, about["key"], secure=request.secure)
    headers = (*headers, ("Location", place))
    status = fields.get("success_action_status", "")
    if status == "201":
        done(Response(201, (*headers, ("Content-Type", rest_xml.CONTENT_TYPE)), _told(place, about)))
    else:
        done(Response(200 if status == "200" else 204, headers, b""))


def _told(place: str, about: Mapping[str, str]) -> bytes:
    rows = {"Location": place, "Bucket": about["bucket"], "Key": about["key"], "ETag": about["etag"]}
    parts = "".join(f"<{name}>{escape(text)}</{name}>" for name, text in rows.items())
    return f"{rest_xml.DECLARATION}<PostResponse>{parts}</PostResponse>".encode()


def _redirect(fields: Mapping[str, str], about: Mapping[str, str]) -> str | None:
    """Where a browser is sent; what is no URL counts as if it were not there."""
    url = fields.get("success_action_redirect") or fields.get("redirect") or ""
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        return None
    if scheme not in {"http", "https"} or not url.isascii() or not url.isprintable() or " " in url:
        return None
    return f"{url}{'&' if '?' in url else '?'}{urlencode(about)}"
