"""The files that a trail delivers: their names, and what is in them.

Source: CloudTrail User Guide, "Finding your CloudTrail log files" and "CloudTrail digest file structure".
"""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256

import msgspec

from keystead.services.cloudtrail.tables import Chain, LogFile, Trail


def compressed(content: bytes) -> bytes:
    """The content as gzip; the same bytes each time."""
    return gzip.compress(content, mtime=0)


def log_content(events: Iterable[bytes]) -> bytes:
    """A log file before compression."""
    return b'{"Records":[' + b",".join(events) + b"]}"


def log_key(trail: Trail, region: str, when: float, content: bytes) -> str:
    """The log file's key; its last part follows from the content, so that a repeated delivery replaces the file."""
    unique = "".join(_LETTERS[byte % len(_LETTERS)] for byte in sha256(content).digest()[:16])
    minute = _utc(when).strftime("%Y%m%dT%H%MZ")
    folder = _folder(trail, "CloudTrail", region, when)
    return f"{folder}/{trail.account}_CloudTrail_{region}_{minute}_{unique}.json.gz"


def digest_key(trail: Trail, region: str, end: float) -> str:
    """The digest's key; its end stands where validators cut it out."""
    name = (
        f"{trail.account}_CloudTrail-Digest_{region}_{trail.name}_{trail.region}_{_utc(end):%Y%m%dT%H%M%SZ}"
    )
    return f"{_folder(trail, 'CloudTrail-Digest', region, end)}/{name}.json.gz"


def digest_content(
    trail: Trail, key: str, fingerprint: str, chain: Chain, end: float, logs: tuple[LogFile, ...]
) -> bytes:
    """A digest before compression: of the log files since `chain.end`."""
    content = {
        "awsAccountId": trail.account,
        "digestStartTime": moment(chain.end),
        "digestEndTime": moment(end),
        "digestS3Bucket": trail.bucket,
        "digestS3Object": key,
        "digestPublicKeyFingerprint": fingerprint,
        "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": max((log.newest for log in logs), default=None),
        "oldestEventTime": min((log.oldest for log in logs), default=None),
        "previousDigestS3Bucket": chain.bucket or None,
        "previousDigestS3Object": chain.key or None,
        "previousDigestHashValue": chain.digest or None,
        "previousDigestHashAlgorithm": "SHA-256" if chain.digest else None,
        "previousDigestSignature": chain.signature or None,
        "logFiles": [
            {
                "s3Bucket": log.bucket,
                "s3Object": log.key,
                "hashValue": log.digest,
                "hashAlgorithm": "SHA-256",
                "newestEventTime": log.newest,
                "oldestEventTime": log.oldest,
            }
            for log in logs
        ],
    }
    return msgspec.json.encode(content)


def signed_text(bucket: str, key: str, content: bytes, chain: Chain, end: float) -> str:
    """What a digest's signature signs."""
    digest = sha256(content).hexdigest()
    return "\n".join((moment(end), f"{bucket}/{key}", digest, chain.signature or "null"))


def moment(seconds: float) -> str:
    """Whole epoch seconds as `YYYY-MM-DDTHH:MM:SSZ`."""
    return _utc(seconds).strftime("%Y-%m-%dT%H:%M:%SZ")


_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"


def _folder(trail: Trail, kind: str, region: str, when: float) -> str:
    prefix = f"{trail.prefix}/" if trail.prefix else ""
    return f"{prefix}AWSLogs/{trail.account}/{kind}/{region}/{_utc(when):%Y/%m/%d}"


def _utc(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
