"""Which store keeps the sealed objects: each kind with how it is opened, by what the setting `object_store` begins with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from keystead.errors import SettingsError
from keystead.objects.blobs import Blobs
from keystead.objects.directory import DirectoryBlobs
from keystead.objects.memory import MemoryBlobs
from keystead.objects.remote import RemoteBlobs
from keystead.settings import Settings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

DIRECTORY: Final = "objects"
"""Below the data directory, if the setting names no other place."""
_TIMEOUT: Final = "30s"
_RETRIES: Final = 2
_RETRY_SECONDS: Final = 20


def open_blobs(settings: Settings, data_dir: Path) -> Blobs:
    """The store that `settings` choose; one that keeps nothing if the deployment keeps nothing.

    Raises:
        SettingsError: No such kind of store, something it needs is missing, or `obstore` is not installed.
        BlobsUnavailable: The directory cannot be made.
    """
    if settings.ephemeral and settings.object_store == "directory:":
        return MemoryBlobs()
    kind, _, place = settings.object_store.partition(":")
    if kind not in STORES:
        raise SettingsError(f"object_store must begin with {', '.join(f'{name}:' for name in STORES)}")
    return STORES[kind](settings, place.removeprefix("//"), data_dir)


def _directory(_settings: Settings, place: str, data_dir: Path) -> Blobs:
    return DirectoryBlobs(Path(place) if place else data_dir / DIRECTORY)


def _memory(_settings: Settings, _place: str, _data_dir: Path) -> Blobs:
    return MemoryBlobs()


def _s3(settings: Settings, place: str, _data_dir: Path) -> Blobs:
    def make(bucket: str, prefix: str | None, client: ClientConfig, retry: RetryConfig) -> ObjectStore:
        from obstore.store import S3Store  # noqa: PLC0415  15 MB that only those load who use it

        given = _given(
            endpoint=settings.object_store_endpoint,
            access_key_id=settings.object_store_access_key_id,
            secret_access_key=settings.object_store_secret_access_key,
        )
        return S3Store(
            bucket,
            prefix=prefix,
            region=settings.object_store_region,
            client_options=client,
            retry_config=retry,
            **given,
        )

    return _remote(settings, place, make)


def _gcs(settings: Settings, place: str, _data_dir: Path) -> Blobs:
    def make(bucket: str, prefix: str | None, client: ClientConfig, retry: RetryConfig) -> ObjectStore:
        from obstore.store import GCSStore  # noqa: PLC0415  as above

        given = _given(
            base_url=settings.object_store_endpoint, service_account=settings.object_store_credentials
        )
        return GCSStore(bucket, prefix=prefix, client_options=client, retry_config=retry, **given)

    return _remote(settings, place, make)


def _azure(settings: Settings, place: str, _data_dir: Path) -> Blobs:
    def make(container: str, prefix: str | None, client: ClientConfig, retry: RetryConfig) -> ObjectStore:
        from obstore.store import AzureStore  # noqa: PLC0415  as above

        given = _given(
            endpoint=settings.object_store_endpoint,
            account_name=settings.object_store_access_key_id,
            account_key=settings.object_store_secret_access_key,
        )
        return AzureStore(container, prefix=prefix, client_options=client, retry_config=retry, **given)

    return _remote(settings, place, make)


def _remote(settings: Settings, place: str, make: Callable[..., ObjectStore]) -> Blobs:
    bucket, _, prefix = place.partition("/")
    if not bucket:
        raise SettingsError("object_store must name a bucket or container, e.g. s3://BUCKET/PREFIX")
    client: ClientConfig = {"timeout": _TIMEOUT}
    if (settings.object_store_endpoint or "").startswith("http://"):
        client["allow_http"] = True
    retry: RetryConfig = {"max_retries": _RETRIES, "retry_timeout": timedelta(seconds=_RETRY_SECONDS)}
    try:
        from obstore.exceptions import BaseError  # noqa: PLC0415  as above
    except ImportError:
        raise SettingsError("this object_store needs keystead[stores] (obstore)") from None
    try:
        return RemoteBlobs(make(bucket, prefix.strip("/") or None, client, retry))
    except (BaseError, OSError, ValueError) as error:  # whose words can quote credentials
        raise SettingsError(f"object_store cannot be used as it is set: {type(error).__name__}") from None


def _given(**options: str | None) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


STORES: Mapping[str, Callable[[Settings, str, Path], Blobs]] = MappingProxyType(
    {"directory": _directory, "memory": _memory, "s3": _s3, "gs": _gcs, "az": _azure}
)
