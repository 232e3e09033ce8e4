"""Who signed a request.

An unknown access key takes the same path as a known one with a wrong secret: the signature is
computed with a secret that nobody has, and the answer comes after the comparison.
"""

from __future__ import annotations

import hmac
import math
from typing import Final

from keystead import errors
from keystead.api.accounts import CREDENTIALS
from keystead.api.call import Via
from keystead.api.forward import (
    DEEPEST,
    FORWARDED,
    SOURCE_ACCOUNT,
    SOURCE_ARN,
    check_signed,
    read_forwarded,
)
from keystead.api.sessions import barred, open_session
from keystead.api.signer import Familiar, Holder, Moment, Signer
from keystead.api.standing import Standing, Standings, unrecognized
from keystead.arn import is_region
from keystead.entropy import Entropy
from keystead.identity import Credential, Session
from keystead.keyring import Keyring
from keystead.storage import Store, Transaction
from keystead.wire import sigv2, sigv4
from keystead.wire.http import Request
from keystead.wire.signing import Claim

_MOST_KEYS: Final = 4096
_LONGEST: Final = 512
"""Characters of the names of signed headers that are remembered with who signed them."""
_MOST_FAMILIAR: Final = 2048
_LONGEST_LIKE: Final = 1024
"""Characters of what requests have in common that are familiar; with `_MOST_FAMILIAR` of them it is 6 MiB at most."""
_DIGITS: Final = 64
"""Of a signature."""
_HEAD: Final = slice(None, -_DIGITS)
_GIVEN: Final = slice(-_DIGITS, None)
_MARK: Final = ", Signature="
"""What SDKs write before it, at the end of the header."""


class Authenticator:
    """Verifies signatures against credentials and sessions. Called from the event loop's thread only."""

    def __init__(self, store: Store, keyring: Keyring, entropy: Entropy, *, v2: bool = False) -> None:
        """With `v2` whoever signs by Signature Version 2 is found, too (`by_version_2`)."""
        self.v2 = v2
        self._generation = store.backend.generation
        self._view = store.view
        self._keyring = keyring
        self.standings = Standings(store)
        self._nobody = Signer(entropy.random(30).hex(), known=False)
        self._signing: dict[tuple[str, str, str, str], tuple[str, sigv4.SigningKey]] = {}
        self._sessions: dict[str, Session] = {}
        self._unknown: dict[str, int] = {}
        self._holders: dict[tuple[sigv4.Scope, str | None], Holder] = {}
        self._familiar: dict[tuple[str, str | None], Familiar] = {}

    def authenticate(
        self,
        request: Request,
        tx: Transaction,
        service: str,
        wall: float,
        now: float,
        payload: str | None = None,
    ) -> tuple[Standing, Claim, Via | None]:
        """Who calls, with which policies; what the signature claims (scope, Region, signature); through whom.

        `wall` is the time that signatures are dated by, `now` the service's, by which sessions expire. `payload`
        stands for a body that is still to be read, as S3 has it; whoever reads it checks that.

        Raises:
            errors.MissingAuthenticationToken, errors.IncompleteSignature: the request is not signed, or
                its authorization cannot be read.
            errors.UnrecognizedClient: no such active access key, or a session whose role or user is gone.
            errors.ExpiredToken: the session has ended.
            errors.InvalidSignature: wrong secret, changed request, wrong service or date.
            errors.AccessDenied: it claims to come from a service, and does not.
        """
        headers = request.headers
        authorization = headers.get("authorization", "")
        known = self._familiar.get((authorization[_HEAD], headers.get("x-amz-date")))
        if known is not None and payload is None:
            token, given = known.token, authorization[_GIVEN]
            # The generation is asked each time: what was revoked meanwhile is not familiar any more.
            if (
                known.like == (self._generation(), self._view.era, service, request.target, [*headers])
                and (token is None or headers["x-amz-security-token"] == token)  # its name is among those
                and known.first <= wall <= known.last
                and now < known.expires
                and "," not in given
            ):
                claim = Claim(known.scope, given, known.date, known.time, None, token)
                try:
                    sigv4.prove(claim, request, known.begun)
                except errors.InvalidSignature:
                    self._look(request, tx, wall)
                    raise
                return known.standing, claim, None
        moment = Moment(tx, wall, now)
        rules = sigv4.STANDARD if payload is None else sigv4.S3
        standing, claim, held = self._identify(request, service, moment, rules, payload)
        if FORWARDED in headers or SOURCE_ARN in headers or SOURCE_ACCOUNT in headers:
            standing, via = self._forwarded(request, standing, claim, moment)
            return standing, claim, via
        if payload is None and request.target == "/":  # every AWS JSON and Query call
            self._remember(request, service, claim, held)
        return standing, claim, None

    def _look(self, request: Request, tx: Transaction, wall: float) -> None:
        """None; what is familiar is looked at as if it was not: a refusal takes all the steps that it takes for others."""
        claim = sigv4.parse(request)
        self._holder(claim, tx).key.begin(claim)
        sigv4.check(claim, request.headers, wall)

    def _remember(self, request: Request, service: str, claim: Claim, held: Holder) -> None:
        """None; of the next request of this second that is like this one, the signature is all that is looked at."""
        headers, standing = request.headers, held.standing
        head, names = headers.get("authorization", "")[_HEAD], [*headers]
        if (
            standing is None
            or headers.get("x-amz-date") != claim.date
            or not (head.endswith(_MARK) and len(claim.signature) == _DIGITS)
            or len(head) + sum(map(len, names)) > _LONGEST_LIKE
        ):
            return
        if len(self._familiar) >= _MOST_FAMILIAR:
            self._familiar.clear()  # nearly all are of seconds that are over
        session = held.signer.session
        self._familiar[head, claim.date] = Familiar(
            (*held.stamp, service, request.target, names),
            claim.session_token,
            *sigv4.window(claim),
            math.inf if session is None else session.expires,
            claim.scope,
            claim.date,
            claim.time,
            held.key.begin(claim),
            standing,
        )

    def key_of(self, claim: Claim, tx: Transaction) -> sigv4.SigningKey:
        """The key that the request with this claim was signed with, for the signatures within its body."""
        return self._signing_key(self._signer(claim, tx), claim)

    def of_form(self, claim: Claim, policy: str, moment: Moment) -> Standing:
        """Who signed the policy of a form, with which policies of its own.

        Raises:
            errors.UnrecognizedClient: no such active access key, or a session whose role or user is gone.
            errors.ExpiredToken: the session has ended.
            errors.InvalidSignature: wrong secret, changed policy or wrong service.
        """
        signer = self._signer(claim, moment.tx)
        expected = self._signing_key(signer, claim).sign(policy.encode())
        if not (claim.signature.isascii() and hmac.compare_digest(expected, claim.signature)):
            raise errors.InvalidSignature(sigv4.MISMATCH) if signer.known else unrecognized()
        if claim.service != "s3" or not is_region(claim.region):
            raise errors.InvalidSignature("Credential should be scoped to correct service: 's3'. ")
        if not signer.known or (signer.session is not None and barred(signer.session, claim.service)):
            raise unrecognized()
        if signer.session is not None:
            _check_lives(signer.session, moment.now)
        return self._standing(signer, moment.tx)

    def by_version_2(self, claim: Claim, text: str, moment: Moment) -> Standing:
        """Who signed `text`, of a URL or a form, by Signature Version 2.

        Raises:
            errors.UnrecognizedClient, errors.ExpiredToken, errors.InvalidSignature: as `of_form`.
        """
        signer = self._signer(claim, moment.tx)
        if not sigv2.matches(signer.secret, text, claim.signature):
            raise errors.InvalidSignature(sigv4.MISMATCH) if signer.known else unrecognized()
        if not signer.known or (signer.session is not None and barred(signer.session, claim.service)):
            raise unrecognized()
        if signer.session is not None:
            _check_lives(signer.session, moment.now)
        return self._standing(signer, moment.tx)

    def _identify(
        self,
        request: Request,
        service: str,
        moment: Moment,
        rules: sigv4.Rules = sigv4.STANDARD,
        payload: str | None = None,
    ) -> tuple[Standing, Claim, Holder]:
        """Who signed `request` for `service`, the claim, and what is kept of them; raises as `authenticate` does."""
        claim = sigv4.parse(request)
        held = self._holder(claim, moment.tx)
        signer = held.signer
        try:
            sigv4.verify(claim, request, held.key, moment.wall, rules, payload)
        except errors.InvalidSignature:
            if not signer.known:
                raise unrecognized() from None
            raise
        if claim.scope.service != service:
            raise errors.InvalidSignature(f"Credential should be scoped to correct service: '{service}'. ")
        if signer.session is not None and barred(signer.session, service):
            raise unrecognized()
        if signer.session is not None:
            _check_lives(signer.session, moment.now)
        standing = held.standing or self._hold(claim, held, moment.tx)
        return standing, claim, held

    def _holder(self, claim: Claim, tx: Transaction) -> Holder:
        """Who the claim says has signed, with the key; looked up anew as soon as anything was committed."""
        # The generation before the records: what is committed meanwhile must not pass for known.
        stamp = self._generation(), self._view.era
        held = self._holders.get((claim.scope, claim.session_token))
        if held is None or held.stamp != stamp:
            signer = self._signer(claim, tx)
            held = Holder(stamp, signer, self._signing_key(signer, claim))
        return held

    def _hold(self, claim: Claim, held: Holder, tx: Transaction) -> Standing:
        """The standing of who was proven to have signed, who is found at once the next time.

        Raises:
            errors.InvalidSignature: the Region is none.
            errors.UnrecognizedClient: nobody is known by that name, or no longer.
        """
        scope = claim.scope
        if not is_region(scope.region):
            raise errors.InvalidSignature(
                f"Credential should be scoped to a valid region, not '{scope.region}'. "
            )
        held.standing = standing = self._standing(held.signer, tx)
        if sum(map(len, scope.signed_headers)) <= _LONGEST:
            if len(self._holders) >= _MOST_KEYS:
                self._holders.pop(next(iter(self._holders)))
            self._holders[scope, claim.session_token] = held
        return standing

    def _forwarded(
        self, request: Request, carrier: Standing, claim: Claim, moment: Moment, depth: int = 1
    ) -> tuple[Standing, Via]:
        """For whom a service calls, and the services on the way; `carrier` signed `request`."""
        name = carrier.principal.service
        if not name:
            raise errors.AccessDenied(
                f"User: {carrier.caller.arn} is not authorized to forward requests: only registered services are."
            )
        check_signed(request, claim.scope.signed_headers)
        headers = request.headers
        source = {
            "source_arn": headers.get(SOURCE_ARN, ""),
            "source_account": headers.get(SOURCE_ACCOUNT, ""),
        }
        if FORWARDED not in headers:
            return carrier, Via((name,), claim.region, **source)
        if depth > DEEPEST:
            raise errors.AccessDenied("The request was forwarded too often.")
        inner, payload = read_forwarded(headers[FORWARDED], request)
        label = name.split(".", 1)[0]
        rules = sigv4.S3 if label == "s3" else sigv4.STANDARD
        standing, asked, _ = self._identify(inner, label, moment, rules, payload)
        if FORWARDED not in inner.headers:
            return standing, Via((name,), asked.region, **source)
        standing, before = self._forwarded(inner, standing, asked, moment, depth + 1)
        return standing, Via((*before.services, name), asked.region, **source)

    def _standing(self, signer: Signer, tx: Transaction) -> Standing:
        session, credential = signer.session, signer.credential
        if session is not None:
            return self.standings.of_session(session, tx)
        if credential is None:
            raise unrecognized()
        return self.standings.of_credential(credential, tx)

    def _signer(self, claim: Claim, tx: Transaction) -> Signer:
        if claim.session_token is not None:
            session = self._session(claim.session_token)
            if session is None or session.access_key_id != claim.access_key_id:
                return self._nobody
            return Signer(session.secret, known=True, session=session)
        credential = self._credential(claim.scope.access_key_id, tx)
        if credential is None:
            return self._nobody
        return Signer(credential.secret, credential.active, credential if credential.active else None)

    def _session(self, token: str) -> Session | None:
        """The session of a token, remembered: opening proves where the token comes from, not what it may do."""
        known = self._sessions.get(token)
        if known is None:
            known = open_session(self._keyring, token)
            if known is None:
                return None
            if len(self._sessions) >= _MOST_KEYS:
                self._sessions.pop(next(iter(self._sessions)))
            self._sessions[token] = known
        return known

    def _credential(self, access_key_id: str, tx: Transaction) -> Credential | None:
        generation = self._generation()
        if self._unknown.get(access_key_id) == generation:
            return None
        credential = tx.get(CREDENTIALS, access_key_id) if access_key_id.isascii() else None
        if credential is not None:
            return credential
        if len(self._unknown) >= _MOST_KEYS:
            self._unknown.clear()
        self._unknown[access_key_id] = generation
        return None

    def _signing_key(self, signer: Signer, claim: Claim) -> sigv4.SigningKey:
        scope = claim.scope
        place = (scope.access_key_id, scope.day, scope.region, scope.service)
        held = self._signing.get(place)
        if held is not None and held[0] is signer.secret:
            return held[1]
        key = sigv4.SigningKey(sigv4.signing_key(signer.secret, scope.day, scope.region, scope.service))
        if len(self._signing) >= _MOST_KEYS:
            self._signing.pop(next(iter(self._signing)))
        self._signing[place] = (signer.secret, key)
        return key


def _check_lives(session: Session, now: float) -> None:
    if session.expires <= now:
        raise errors.ExpiredToken("The security token included in the request is expired")
