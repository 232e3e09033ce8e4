"""How many requests a second an account, or one caller in it, may make: request quotas.

Off unless settings name some. The groups are those of AWS KMS Developer Guide, "Request quotas": cryptographic
operations share a quota by the kind of key, every other operation has its own. Like there, a quota is per account
and Region, refused and denied requests count, and what is beyond it is told `ThrottlingException`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import msgspec

from keystead import errors
from keystead.api.call import Call, Target
from keystead.api.service import Service
from keystead.settings import Settings

_MOST_BUCKETS: Final = 16_384
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
        self, accounts: Mapping[str, float], principals: Mapping[str, float], monotonic: Callable[[], float]
    ) -> None:
        """Quotas by name, in requests a second."""
        self._accounts = accounts
        self._principals = principals
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str, str], Bucket] = {}
        self._lock = threading.Lock()

    def check(self, call: Call, service: str, targets: tuple[Target, ...]) -> None:
        """None; the request was counted.

        Raises:
            errors.Throttling: it is beyond a quota.
        """
        if not self._accounts and not self._principals:
            return
        names = quotas_of(service, call.operation, targets)
        with self._lock:
            now = self._monotonic()
            for name in names:
                self._count(self._accounts, name, call.region, call.account, now)
                self._count(self._principals, name, call.region, call.caller.arn or call.caller.name, now)

    def _count(self, rates: Mapping[str, float], name: str, region: str, who: str, now: float) -> None:
        rate = rates.get(name)
        if rate is None:
            return
        bucket = self._buckets.get((name, region, who))
        if bucket is None:
            if len(self._buckets) >= _MOST_BUCKETS:  # the one made first has most likely filled up again
                self._buckets.pop(next(iter(self._buckets)))
            bucket = self._buckets[name, region, who] = Bucket(max(rate, 1.0), now)
        if not bucket.take(rate, now):
            raise errors.Throttling("Rate exceeded")


def quotas_of(service: str, operation: str, targets: tuple[Target, ...]) -> list[str]:
    """The names of the quotas that a request counts against."""
    if service != "kms" or operation not in _CRYPTOGRAPHIC:
        return [f"{service}:{operation}"]
    specs = [target.key.spec for target in targets if target.key is not None]
    return sorted({_group(spec) for spec in specs}) or [_SYMMETRIC]


def _group(spec: str) -> str:
    return next(group for family, group in _GROUPS.items() if spec.startswith(family))


def parse(written: Iterable[str], operations: Mapping[str, Iterable[str]], share: int) -> dict[str, float]:
    """Quotas as settings write them (`kms:symmetric=5500`), each divided among `share` workers.

    Raises:
        errors.SettingsError: one is not written so, or there is no such quota.
    """
    known = SHARED | {f"{service}:{name}" for service, names in operations.items() for name in names}
    return {name: rate / share for name, rate in map(_parsed, written) if _known(name, known)}


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


def rates_of(settings: Settings, services: Mapping[str, Service]) -> Rates:
    """The request quotas; each worker keeps its part of them, for the kernel spreads connections evenly.

    Raises:
        errors.SettingsError: one is not known.
    """
    operations = {name: service.operations for name, service in services.items()}
    accounts, principals = (
        parse(written, operations, settings.workers)
        for written in (settings.rate_limits, settings.principal_rate_limits)
    )
    return Rates(accounts, principals, time.monotonic)
