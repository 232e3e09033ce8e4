"""Where trails deliver: directories that stand for buckets, or an S3-compatible store outside."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import structlog

from keystead.errors import SinkFailed
from keystead.settings import Settings

_log = structlog.get_logger(__name__)

_CONNECT: Final = 5
_READ: Final = 30
"""Seconds; a dead store is tried again at the next delivery."""
_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)


def is_bucket_name(name: str) -> bool:
    """Whether a bucket may be called so (S3 User Guide, "Bucket naming rules")."""
    return _BUCKET.fullmatch(name) is not None and ".." not in name


class Media(msgspec.Struct, frozen=True):
    """What an object's headers say of its body: content type, and the encoding that clients undo, empty for none."""

    type: str
    encoding: str = ""


GZIPPED_JSON: Final = Media("application/json", "gzip")
PACKED: Final = Media("application/gzip")


class Sink(Protocol):
    """A store of objects in buckets."""

    def exists(self, bucket: str) -> bool:
        """Whether there is such a bucket that can be used.

        Raises:
            SinkFailed: the store does not answer.
        """
        ...

    def put(
        self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str], media: Media = GZIPPED_JSON
    ) -> None:
        """None, once the object is kept durably.

        Raises:
            SinkFailed: it may not be; putting it again does no harm.
        """
        ...


def sink_of(settings: Settings) -> Sink | None:
    """Where trails deliver; None if nothing is configured."""
    if settings.trail_directory is not None:
        root = Path(settings.trail_directory)
        if not root.is_dir():  # it may be mounted later: no reason to answer no calls until then
            _log.warning("trail_directory is no directory: no trail can deliver there", directory=str(root))
        return DirectorySink(root)
    return S3Sink(settings) if settings.trail_s3_endpoint is not None else None


class DirectorySink:
    """Each bucket is a directory; an object's metadata is beside it in `NAME.metadata.json`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def exists(self, bucket: str) -> bool:
        return is_bucket_name(bucket) and (self._root / bucket).is_dir()

    def put(
        self,
        bucket: str,
        key: str,
        body: bytes,
        metadata: Mapping[str, str],
        media: Media = GZIPPED_JSON,  # noqa: ARG002  a directory keeps none
    ) -> None:
        path = self._root / bucket / key
        try:
            _make(path.parent, self._root)
            if metadata:
                _write(path.with_name(path.name + ".metadata.json"), msgspec.json.encode(metadata))
            _write(path, body)
        except OSError as error:
            raise SinkFailed(f"{path} cannot be written: {error.strerror}") from None


def _write(path: Path, content: bytes) -> None:
    temporary = path.with_name(path.name + ".new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    _sync_names(path.parent)


def _make(folder: Path, root: Path) -> None:
    """None; the folder below `root` is there durably."""
    if folder != root and not folder.is_dir():
        _make(folder.parent, root)
        folder.mkdir(exist_ok=True)
        _sync_names(folder.parent)


def _sync_names(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class S3Sink:
    """The buckets of an S3-compatible store."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: Any = None

    def exists(self, bucket: str) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  loaded by trails only

        try:
            self._client().head_bucket(Bucket=bucket)
        except ClientError:
            return False
        except BotoCoreError as error:
            raise SinkFailed(f"the store of trails does not answer: {type(error).__name__}") from None
        return True

    def put(
        self, bucket: str, key: str, body: bytes, metadata: Mapping[str, str], media: Media = GZIPPED_JSON
    ) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  as above

        try:
            self._client().put_object(
                Bucket=bucket,
                Key=key,
                Body=body,
                Metadata=dict(metadata),
                ContentType=media.type,
                **({"ContentEncoding": media.encoding} if media.encoding else {}),
            )
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            raise SinkFailed(f"bucket {bucket} refused {key}: {code}") from None
        except BotoCoreError as error:
            raise SinkFailed(f"the store of trails does not answer: {type(error).__name__}") from None

    def _client(self) -> Any:
        if self._made is None:
            from botocore.config import Config  # noqa: PLC0415  as above
            from botocore.session import Session  # noqa: PLC0415  as above

            settings = self._settings
            self._made = Session().create_client(
                "s3",
                region_name=settings.trail_s3_region,
                endpoint_url=settings.trail_s3_endpoint,
                aws_access_key_id=settings.trail_s3_access_key_id,
                aws_secret_access_key=settings.trail_s3_secret_access_key,
                config=Config(
                    connect_timeout=_CONNECT,
                    read_timeout=_READ,
                    retries={"total_max_attempts": 1},
                    s3={"addressing_style": "path"},
                ),
            )
        return self._made
