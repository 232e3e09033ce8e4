"""Who signed a request.

An unknown access key takes the same path as a known one with a wrong secret: the signature is
computed with a secret that nobody has, and the answer comes after the comparison.
"""

from __future__ import annotations

import re

from keystead import errors
from keystead.api.accounts import CREDENTIALS
from keystead.entropy import Entropy
from keystead.identity import Caller, Credential
from keystead.storage import Store, Transaction
from keystead.wire import sigv4
from keystead.wire.http import Request

_MOST_KEYS = 4096
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class Authenticator:
    """Verifies signatures against the stored credentials. Called from the event loop's thread only."""

    def __init__(self, store: Store, entropy: Entropy) -> None:
        self._store = store
        self._nobody = Credential(
            access_key_id="", secret=entropy.random(30).hex(), account="0" * 12, created=0.0, active=False
        )
        self._signing: dict[tuple[str, str, str, str], tuple[Credential, sigv4.SigningKey, Caller]] = {}
        self._unknown: dict[str, int] = {}

    def authenticate(
        self, request: Request, tx: Transaction, service: str, now: float
    ) -> tuple[Caller, sigv4.Claim]:
        """The caller and what the signature claims (scope, Region, signature).

        Raises:
            errors.MissingAuthenticationToken, errors.IncompleteSignature: the request is not signed, or
                its authorization cannot be read.
            errors.UnrecognizedClient: no such active access key.
            errors.InvalidSignature: wrong secret, changed request, wrong service or date.
        """
        claim = sigv4.parse(request)
        credential = self._find(claim.access_key_id, tx)
        signing_key, caller = self._signing_key(credential, claim)
        known = credential is not self._nobody and credential.active
        try:
            sigv4.verify(claim, request, signing_key, now)
        except errors.InvalidSignature:
            if not known:
                raise _unrecognized() from None
            raise
        if not known or claim.session_token is not None:
            raise _unrecognized()
        if claim.service != service:
            raise errors.InvalidSignature(f"Credential should be scoped to correct service: '{service}'. ")
        if not _REGION.fullmatch(claim.region):
            raise errors.InvalidSignature(
                f"Credential should be scoped to a valid region, not '{claim.region}'. "
            )
        return caller, claim

    def _find(self, access_key_id: str, tx: Transaction) -> Credential:
        generation = self._store.backend.generation()
        if self._unknown.get(access_key_id) == generation:
            return self._nobody
        credential = tx.get(CREDENTIALS, access_key_id) if access_key_id.isascii() else None
        if credential is not None:
            return credential
        if len(self._unknown) >= _MOST_KEYS:
            self._unknown.clear()
        self._unknown[access_key_id] = generation
        return self._nobody

    def _signing_key(self, credential: Credential, claim: sigv4.Claim) -> tuple[sigv4.SigningKey, Caller]:
        place = (credential.access_key_id, claim.day, claim.region, claim.service)
        held = self._signing.get(place)
        if held is not None and held[0] is credential:
            return held[1], held[2]
        key = sigv4.SigningKey(sigv4.signing_key(credential.secret, claim.day, claim.region, claim.service))
        if len(self._signing) >= _MOST_KEYS:
            self._signing.pop(next(iter(self._signing)))
        self._signing[place] = (credential, key, credential.caller())
        return key, self._signing[place][2]


def _unrecognized() -> errors.ApiError:
    return errors.UnrecognizedClient("The security token included in the request is invalid.")
