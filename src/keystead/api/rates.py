"""How many requests a second an account, or one caller in it, may make: request quotas.

Off unless settings name some. The groups are those of AWS KMS Developer Guide, "Request quotas": cryptographic
operations share a quota by the kind of key, every other operation has its own. Like there, a quota is per account
and Region, refused and denied requests count, and what is beyond it is told `ThrottlingException`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Final

import msgspec

from keystead import errors
from keystead.api.call import Call, Target
from keystead.api.service import Service
from keystead.api.shared_buckets import SharedBuckets
from keystead.settings import Settings

_MOST_BUCKETS: Final = 16_384
_FILE: Final = "rates"
_SYMMETRIC: Final = "kms:symmetric"
_GROUPS: Final = {
    "SYMMETRIC": _SYMMETRIC,
    "HMAC": _SYMMETRIC,
    "RSA": "kms:rsa",
    "ECC": "kms:ecc",
    "ML_DSA": "kms:ml-dsa",
    "ML_KEM": "kms:ml-kem",
}
"""The quota that operations with a key of a spec share, by the spec's family."""
_CRYPTOGRAPHIC: Final = frozenset(
    {
        "Decapsulate",
        "Decrypt",
        "DeriveSharedSecret",
        "Encapsulate",
        "Encrypt",
        "GenerateDataKey",
        "GenerateDataKeyWithoutPlaintext",
        "GenerateMac",
        "GenerateRandom",
        "ReEncrypt",
        "Sign",
        "Verify",
        "VerifyMac",
    }
)
SHARED: Final = frozenset(_GROUPS.values())
"""Quotas that several operations share; the others are called `service:Operation`."""


class Bucket(msgspec.Struct, gc=False):
    """What is left of a second's worth of requests, and when (monotonic seconds) that was so."""

    left: float
    at: float

    def take(self, rate: float, now: float) -> bool:
        """Whether there was one left; a second's worth gathers at most."""
        self.left = min(max(rate, 1.0), self.left + (now - self.at) * rate)
        self.at = now
        if self.left < 1.0:
            return False
        self.left -= 1.0
        return True


class Rates:
    """Counts requests against the quotas of accounts and of principals.

    Concurrency: any thread may check, as those of S3's requests do.
    """

    def __init__(
        self,
        accounts: Mapping[str, float],
        principals: Mapping[str, float],
        monotonic: Callable[[], float],
        shared: SharedBuckets | None = None,
    ) -> None:
        """Quotas by name, in requests a second; `shared` are the buckets of several workers."""
        self._shared = shared
        self._accounts = accounts
        self._principals = principals
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._lock = threading.Lock()
        self.limited = bool(accounts or principals)
        """Whether there is any quota."""

    def check(self, call: Call, service: str, targets: tuple[Target, ...]) -> None:
        """None; the request was counted.

        Raises:
            errors.Throttling: it is beyond a quota.
        """
        if not self.limited:
            return
        names = quotas_of(service, call.operation, targets)
        with self._lock, nullcontext() if self._shared is None else self._shared.turn():
            now = self._monotonic()
            for name in names:
                self._count(self._accounts, name, call.region, call.account, now)
                self._count(self._principals, name, call.region, call.caller.arn or call.caller.name, now)

    def _count(self, rates: Mapping[str, float], name: str, region: str, who: str, now: float) -> None:
        rate = rates.get(name)
        if rate is None:
            return
        taken = self._take if self._shared is None else self._take_shared
        if not taken((name, region, who), rate, now):
            raise errors.Throttling("Rate exceeded")

    def _take(self, name: tuple[str, str, str], rate: float, now: float) -> bool:
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:  # the one made first has most likely filled up again
                self._buckets.pop(next(iter(self._buckets)))
            bucket = self._buckets[name] = Bucket(max(rate, 1.0), now)
        return bucket.take(rate, now)

    def _take_shared(self, name: tuple[str, str, str], rate: float, now: float) -> bool:
        assert self._shared is not None
        place, digest, known = self._shared.find(name)
        # What is later than now was so before the machine was started anew.
        bucket = Bucket(max(rate, 1.0), now) if known is None or known[1] > now else Bucket(*known)
        taken = bucket.take(rate, now)
        self._shared.keep(place, digest, bucket.left, bucket.at)
        return taken


def quotas_of(service: str, operation: str, targets: tuple[Target, ...]) -> list[str]:
    """The names of the quotas that a request counts against."""
    if service != "kms" or operation not in _CRYPTOGRAPHIC:
        return [f"{service}:{operation}"]
    specs = [target.key.spec for target in targets if target.key is not None]
    return sorted({_group(spec) for spec in specs}) or [_SYMMETRIC]


def _group(spec: str) -> str:
    return next(group for family, group in _GROUPS.items() if spec.startswith(family))


def parse(written: Iterable[str], operations: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Quotas as settings write them (`kms:symmetric=5500`).

    Raises:
        errors.SettingsError: one is not written so, or there is no such quota.
    """
    known = SHARED | {f"{service}:{name}" for service, names in operations.items() for name in names}
    return {name: rate for name, rate in map(_parsed, written) if _known(name, known)}


def _parsed(written: str) -> tuple[str, float]:
    name, _, number = written.partition("=")
    try:
        rate = float(number)
    except ValueError:
        rate = 0.0
    if not 0.0 < rate < float("inf"):
        raise errors.SettingsError(
            f"a rate limit is NAME=REQUESTS-A-SECOND, e.g. kms:symmetric=5500, not {written!r}"
        )
    return name, rate


def _known(name: str, known: Iterable[str]) -> bool:
    if name not in known:
        raise errors.SettingsError(
            f"there is no rate limit {name!r}: it is one of {', '.join(sorted(SHARED))} or SERVICE:OPERATION"
        )
    return True


def rates_of(settings: Settings, services: Mapping[str, Service], directory: Path) -> Rates:
    """The request quotas, which several workers keep together in the data directory.

    Raises:
        errors.SettingsError: one is not known.
    """
    operations = {name: service.operations for name, service in services.items()}
    accounts, principals = (
        parse(written, operations) for written in (settings.rate_limits, settings.principal_rate_limits)
    )
    together = settings.workers > 1 and (accounts or principals)
    shared = SharedBuckets(directory / _FILE) if together else None
    return Rates(accounts, principals, time.monotonic, shared)
