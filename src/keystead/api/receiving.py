"""Who sends a request whose body is still to come, and what the signature says of the body."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from keystead import errors
from keystead.api.authenticate import Authenticator
from keystead.api.calls import Known
from keystead.api.formdata import FormBody
from keystead.api.payload import Payload, declared
from keystead.api.postpolicy import check, claim_of
from keystead.api.signer import Moment
from keystead.storage import Transaction
from keystead.wire import sigv4
from keystead.wire.address import address_of
from keystead.wire.http import Request

_S3: Final = "s3"
_NEW: Final = "AWS4"
_OLD_HEADER: Final = "AWS "
_OLD_QUERY: Final = re.compile(r"(?:^|&)AWSAccessKeyId=")
"""Signature Version 2, which no bucket made after June 2020 takes (Amazon S3 User Guide, "Signature Version 2")."""


class Arrival(msgspec.Struct, frozen=True):
    """A request to S3 whose sender is known; `claim` is None for one who signs nothing."""

    known: Known
    payload: Payload
    claim: sigv4.Claim | None = None


def receive(
    authenticator: Authenticator, request: Request, tx: Transaction, wall: float, now: float, region: str
) -> Arrival:
    """The sender and the body; `region` is where requests belong that do not say it.

    Raises:
        errors.ApiError: as `Authenticator.authenticate`, or the request says nothing sensible of its body.
    """
    if isinstance(request.stream, FormBody) and "policy" in request.stream.fields:
        return _of_form(authenticator, request, request.stream, Moment(tx, wall, now))
    if request.headers.get("authorization", _NEW).startswith(_OLD_HEADER) or _OLD_QUERY.search(request.query):
        raise errors.InvalidS3Request(
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256."
        )
    if not sigv4.signed(request):
        return Arrival(Known(authenticator.standings.of_nobody(), region), Payload(request, None, None))
    standing, claim, via = authenticator.authenticate(request, tx, _S3, wall, now, declared(request))
    payload = Payload(request, claim, authenticator.key_of(claim, tx))
    return Arrival(Known(standing, claim.region, via), payload, claim)


def _of_form(authenticator: Authenticator, request: Request, form: FormBody, moment: Moment) -> Arrival:
    """The signer of a form's policy, who answers for whoever sends it; the policy says what may be sent."""
    policy, claim = form.fields["policy"], claim_of(form.fields)
    standing = authenticator.of_form(claim, policy, moment)
    form.limit(*check(policy, form.fields, address_of(request).bucket, moment.wall))
    return Arrival(Known(standing, claim.region), Payload(request, None, None))
