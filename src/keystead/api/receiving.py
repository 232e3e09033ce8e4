"""Who sends a request whose body is still to come, and what the signature says of the body."""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import errors
from keystead.api.authenticate import Authenticator
from keystead.api.calls import Known
from keystead.api.formdata import FormBody
from keystead.api.payload import Held, Payload, declared
from keystead.api.postpolicy import check, claim_of
from keystead.api.signer import Moment
from keystead.wire import sigv2, sigv4
from keystead.wire.address import Address, address_of
from keystead.wire.http import Request

_S3: Final = "s3"
_NEW: Final = "AWS4"
_OLD_HEADER: Final = "AWS "
"""Signature Version 2; it is taken of URLs and forms only, if at all."""


class Arrival(msgspec.Struct, frozen=True):
    """A request to S3 whose sender is known; `claim` is None for one who signs nothing."""

    known: Known
    payload: Payload
    claim: sigv4.Claim | None = None


def prepared(request: Request) -> Request:
    """The request as all of them are looked at: with a body to read, and headers that may have come in its URL."""
    if request.stream is None:
        request = msgspec.structs.replace(request, stream=Held(request.body))
    return sigv2.told_in_headers(request)


def receive(
    authenticator: Authenticator, request: Request, address: Address, moment: Moment, region: str
) -> Arrival:
    """The sender and the body; `region` is where requests belong that do not say it.

    Raises:
        errors.ApiError: as `Authenticator.authenticate`, or the request says nothing sensible of its body.
    """
    if isinstance(request.stream, FormBody) and "policy" in request.stream.fields:
        return _of_form(authenticator, request, request.stream, moment, region)
    if request.headers.get("authorization", _NEW).startswith(_OLD_HEADER):
        raise _unsupported()
    if sigv2.presigned(request):
        return _of_url(authenticator, request, address, moment, region)
    if not sigv4.signed(request):
        return Arrival(Known(authenticator.standings.of_nobody(), region), Payload(request, None, None))
    standing, claim, via = authenticator.authenticate(
        request, moment.tx, _S3, moment.wall, moment.now, declared(request)
    )
    payload = Payload(request, claim, authenticator.key_of(claim, moment.tx))
    return Arrival(Known(standing, claim.region, via), payload, claim)


def _unsupported() -> errors.InvalidS3Request:
    return errors.InvalidS3Request(
        "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
    )


def _of_url(
    authenticator: Authenticator, request: Request, address: Address, moment: Moment, region: str
) -> Arrival:
    """The signer of a URL by version 2, which is good for one object."""
    if not authenticator.v2 or sigv4.signed(request):
        raise _unsupported()
    claim = sigv2.parse(request, region)
    standing = authenticator.by_version_2(claim, sigv2.string_to_sign(request, address), moment)
    sigv2.check_time(claim, moment.wall)
    return Arrival(Known(standing, region), Payload(request, None, None))


def _of_form(
    authenticator: Authenticator, request: Request, form: FormBody, moment: Moment, region: str
) -> Arrival:
    """The signer of a form's policy, who answers for whoever sends it; the policy says what may be sent."""
    policy = form.fields["policy"]
    claim = sigv2.parse_form(form.fields, region)
    if claim is None:
        claim = claim_of(form.fields)
        standing = authenticator.of_form(claim, policy, moment)
    elif authenticator.v2:
        standing = authenticator.by_version_2(claim, policy, moment)
    else:
        raise _unsupported()
    form.limit(*check(policy, form.fields, address_of(request).bucket, moment.wall))
    return Arrival(Known(standing, claim.region), Payload(request, None, None))
