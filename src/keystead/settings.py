"""Settings: each is a field, and can be given as a command's option, a variable or a line of a TOML file.

An option outranks a variable (`KEYSTEAD_` and the field's name in capitals), which outranks the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from keystead import arn, errors

PREFIX = "KEYSTEAD_"


def _about(text: str) -> Meta:
    return Meta(description=text)


MOST_WORKERS = 64
MOST_INLINE = 262_144
"""Bytes of an object that are kept with records: what a transaction and a group of them hold in memory."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that can be set; the docs list these fields."""

    listen: Annotated[str, _about("Address and port to listen on, `HOST:PORT`.")] = "127.0.0.1:4599"
    data_dir: Annotated[str, _about("Directory that holds the deployment.")] = "keystead-dev"
    ephemeral: Annotated[bool, _about("Keep nothing: everything is gone when the server stops.")] = False
    seed: Annotated[str | None, _about("YAML file of accounts, credentials and keys to create.")] = None
    account_id: Annotated[str, _about("The first account's 12-digit id.")] = "000000000000"
    region: Annotated[str, _about("The Region that examples and printed variables name.")] = "us-east-1"
    regions: Annotated[tuple[str, ...], _about("The only Regions to serve; empty serves any.")] = ()
    access_key_id: Annotated[str | None, _about("Root access key id of the first account.")] = None
    secret_access_key: Annotated[str | None, _about("Root secret access key that goes with it.")] = None
    workers: Annotated[int, _about("Worker processes that share the port and the store.")] = 1
    manual_clock: Annotated[bool, _about("Offer `POST /dev/clock` to move time (development only).")] = False
    tls_cert: Annotated[str | None, _about("PEM file with the TLS certificate chain.")] = None
    tls_key: Annotated[str | None, _about("PEM file with the TLS private key.")] = None
    seal: Annotated[str, _about("Root of trust: `file` or `passphrase`.")] = "file"
    passphrase_file: Annotated[str | None, _about("File whose first line is the seal's passphrase.")] = None
    threads: Annotated[int, _about("Threads for operations that take milliseconds.")] = 4
    max_connections: Annotated[int, _about("Connections beyond this are refused.")] = 10_000
    max_waiting: Annotated[
        int,
        _about("Requests that wait for their turn at most; those of whoever asks most are refused beyond."),
    ] = 4096
    max_buffered: Annotated[
        int, _about("Bytes of large request bodies that are received at a time, all connections together.")
    ] = 64 * 1024 * 1024
    read_ahead: Annotated[
        int,
        _about(
            "Bytes of records of keys and aliases that a worker reads before anybody asks for them, and keeps packed; 0 reads "
            "none. A hundred thousand keys with an alias each take some 32 MiB."
        ),
    ] = 64 * 1024 * 1024
    rate_limits: Annotated[
        tuple[str, ...],
        _about(
            "Requests a second for each account and Region, e.g. `kms:symmetric=5500` or `kms:CreateKey=5`."
        ),
    ] = ()
    principal_rate_limits: Annotated[tuple[str, ...], _about("The same for each principal.")] = ()
    log_format: Annotated[str, _about("`text`, `json`, or `auto`: text on a terminal.")] = "auto"
    log_level: Annotated[str, _about("`debug`, `info`, `warning` or `error`.")] = "info"
    client_ca: Annotated[
        str | None, _about("PEM file of the authorities whose client certificates count; needs TLS.")
    ] = None
    oidc_ca: Annotated[
        str | None, _about("PEM file of authorities that identity providers' hosts may also be certified by.")
    ] = None
    oidc_allow_private_issuers: Annotated[
        tuple[str, ...],
        _about(
            "Identity providers (`https://HOST/PATH`) whose hosts may have private or loopback addresses."
        ),
    ] = ()
    attestation_roots: Annotated[
        tuple[str, ...],
        _about("PEM files of the roots whose attestation documents count; empty refuses every `Recipient`."),
    ] = ()
    attestation_allow_debug: Annotated[
        bool, _about("Let enclaves in debug mode (PCR0 is zero) count too: for tests only.")
    ] = False
    alarms: Annotated[
        str | None,
        _about("TOML file of alarms: whom to tell, and changes to the rules; without it there are none."),
    ] = None
    otlp_endpoint: Annotated[
        str | None,
        _about(
            "URL of an OpenTelemetry collector (OTLP/HTTP, `…/v1/traces`) for traces; needs `keystead[otel]`."
        ),
    ] = None
    log_origin: Annotated[
        str | None,
        _about(
            "The log's name, such as `kms.example.org/log`; it counts from the first checkpoint on, for good."
        ),
    ] = None
    witnesses: Annotated[
        tuple[str, ...], _about("Witnesses that cosign the log's checkpoints, each as `URL VKEY`.")
    ] = ()
    receipt_wait: Annotated[
        int, _about("Seconds that an answer waits for its receipt at most, where its caller asks for one.")
    ] = 5
    trail_directory: Annotated[
        str | None, _about("Directory whose subdirectories are the buckets that trails deliver to.")
    ] = None
    trail_s3_endpoint: Annotated[
        str | None, _about("URL of an S3-compatible store whose buckets trails deliver to.")
    ] = None
    trail_s3_region: Annotated[str, _about("The Region to sign for at that store.")] = "us-east-1"
    trail_s3_access_key_id: Annotated[
        str | None, _about("Access key id at that store; without one botocore looks where AWS clients look.")
    ] = None
    trail_s3_secret_access_key: Annotated[str | None, _about("Secret access key that goes with it.")] = None
    trail_log_interval: Annotated[int, _about("Seconds between the log files of trails.")] = 300
    trail_digest_interval: Annotated[int, _about("Seconds between the digests of trails.")] = 3600
    object_store: Annotated[
        str,
        _about(
            "What keeps the sealed objects of S3: `directory:PATH` (without PATH `objects` in `data_dir`), `memory:`, "
            "`s3://BUCKET/PREFIX`, `gs://BUCKET/PREFIX` or `az://CONTAINER/PREFIX`; the last three need "
            "`keystead[stores]`."
        ),
    ] = "directory:"
    inline_objects: Annotated[
        int,
        _about(
            "Objects of at most so many bytes are kept in Keystead's own storage, which makes them durable with their records; "
            "0 keeps all in `object_store`. At most 262,144."
        ),
    ] = 65_536
    s3_signature_v2: Annotated[
        bool,
        _about(
            "Take presigned URLs of objects, and forms, that are signed by Signature Version 2, as some SDKs do unless they "
            "are told otherwise."
        ),
    ] = True
    brake_objects: Annotated[
        int,
        _about(
            "Objects of a bucket that one caller may delete or re-encrypt in `brake_seconds`; 0 sets no limit. Beyond it "
            "callers are told SlowDown, unless they have the permission `keystead:OverrideBrake`."
        ),
    ] = 0
    brake_seconds: Annotated[int, _about("Seconds in which `brake_objects` are counted.")] = 3600
    object_store_endpoint: Annotated[
        str | None, _about("URL of that store, if it is not AWS's, Google's or Microsoft's own.")
    ] = None
    object_store_region: Annotated[str, _about("The Region to sign for at an S3-compatible store.")] = (
        "us-east-1"
    )
    object_store_access_key_id: Annotated[
        str | None,
        _about(
            "Access key id (`s3:`) or account name (`az:`) there; without one the machine's role is asked."
        ),
    ] = None
    object_store_secret_access_key: Annotated[
        str | None, _about("Secret access key or account key that goes with it.")
    ] = None
    object_store_credentials: Annotated[str | None, _about("JSON file of a service account, for `gs:`.")] = (
        None
    )
    retention_days: Annotated[
        int, _about("Days that evidence is kept in full before it is pruned; 0 keeps it for ever.")
    ] = 0
    archive_bucket: Annotated[
        str | None,
        _about(
            "Bucket, where trails deliver, that evidence is archived to; what is not there is not pruned."
        ),
    ] = None
    quota_keys: Annotated[int, _about("KMS keys per account and Region.")] = 100_000
    quota_aliases_per_key: Annotated[int, _about("Aliases per key.")] = 50
    quota_grants_per_key: Annotated[int, _about("Grants per key.")] = 50_000
    quota_custom_key_stores: Annotated[int, _about("Custom key stores per account and Region.")] = 10
    quota_on_demand_rotations: Annotated[int, _about("On-demand rotations per key.")] = 25

    def __repr__(self) -> str:
        return "Settings()"

    @property
    def host(self) -> str:
        """The host part of `listen`, without brackets."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """The port part of `listen`."""
        return int(self.listen.rpartition(":")[2])


LISTS = frozenset(
    {
        "attestation_roots",
        "oidc_allow_private_issuers",
        "principal_rate_limits",
        "rate_limits",
        "regions",
        "witnesses",
    }
)
"""Settings that take several texts."""

CHOICES = {
    "seal": ("file", "passphrase"),
    "log_format": ("auto", "text", "json"),
    "log_level": ("debug", "info", "warning", "error"),
}
"""Settings that take one of a few words."""


_NONE_OR_MORE = (
    "brake_objects",
    "read_ahead",
    "retention_days",
    *(name for name in Settings.__struct_fields__ if name.startswith("quota_")),
)
_URL = re.compile("https?://[^/]+.*").fullmatch
_ALIKE = 0.9
"""How much alike the names of two variables are, if one is a slip of the pen."""
_TEXT, _WHOLE = "text", "a whole number"
_KINDS = {
    "str": _TEXT,
    "int": _WHOLE,
    "float": "a number",
    "bool": "true or false",
    "array": "a list",
    "object": "names with values",
    "null": "nothing",
}
"""What people call what msgspec calls so."""
_KINDS_DIFFER = re.compile("Expected `(.*)`, got `(.*)`").fullmatch
_PLAINLY = (
    ("Object contains unknown field", "there is no"),
    ("Object missing required field", "there must be"),
    ("Expected `str` matching regex", "it must match"),
)


def load(
    options: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None, **defaults: Any
) -> Settings:
    """The settings: `options` that are not None, over variables, over the file, over `defaults`.

    Raises:
        errors.SettingsError: the file cannot be read, or a setting is unknown or has a bad value; it is named.
    """
    known = set(Settings.__struct_fields__)
    merged: dict[str, Any] = dict(defaults)
    if file is not None:
        merged.update(_from_file(file, known))
    merged.update(_from_variables(environment, known))
    merged.update({name: value for name, value in options.items() if value is not None})
    return _checked(merged)


def without_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables that are no settings, some of which are secret: what a process gets that has no use for these."""
    return {name: text for name, text in environment.items() if not name.startswith(PREFIX)}


def _from_variables(environment: Mapping[str, str], known: set[str]) -> dict[str, Any]:
    """What variables set. One that is called almost as a setting's was meant for it; others are not ours."""
    variables = {PREFIX + name.upper(): name for name in known}
    for variable in environment:
        if variable.startswith(PREFIX) and variable not in variables:
            for meant in get_close_matches(variable, variables, n=1, cutoff=_ALIKE):
                raise errors.SettingsError(
                    f"no setting has the variable {variable}; {meant} is called almost so"
                )
    return {
        name: environment[variable].split(",") if name in LISTS else environment[variable]
        for variable, name in variables.items()
        if variable in environment
    }


def _from_file(file: Path, known: set[str]) -> dict[str, Any]:
    try:
        content = tomllib.loads(file.read_text())
    except OSError as error:
        raise errors.SettingsError(f"cannot read the settings file {file}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise errors.SettingsError(f"the settings file {file} is not TOML: {error}") from None
    unknown = sorted(set(content) - known)
    if unknown:
        raise errors.SettingsError(f"unknown setting {unknown[0]!r} in {file}")
    return content


def complaint(error: msgspec.ValidationError) -> str:
    """What is wrong with a file's content, and where, for people who wrote the file and know no Python."""
    text, _, place = str(error).partition(" - at ")
    where = place.strip("`").removeprefix("$").removeprefix(".")
    kinds = _KINDS_DIFFER(text)
    if kinds is not None:
        expected, got = (_KINDS.get(kind.partition(" | ")[0], kind) for kind in kinds.groups())
        hint = ": put it in quotation marks" if (expected, got) == (_TEXT, _WHOLE) else ""
        return f"{where or 'it'} must be {expected}, not {got}{hint}"
    return f"{where}: {_plain(text)}" if where else _plain(text)


def _plain(text: str) -> str:
    for words, plainly in _PLAINLY:
        text = text.replace(words, plainly)
    return text[0].lower() + text[1:]


def _told(error: msgspec.ValidationError, merged: Mapping[str, Any]) -> str:
    """The complaint about a setting, with the value that it has, if that can be no secret."""
    told = complaint(error)
    name, _, rest = told.partition(" must be ")
    kind = rest.partition(", not ")[0]
    return f"{name} must be {kind}, not {merged[name]!r}" if name in merged and kind != _TEXT else told


def _checked(merged: dict[str, Any]) -> Settings:
    try:
        settings = msgspec.convert(merged, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise errors.SettingsError(_told(error, merged)) from None
    for name, choices in CHOICES.items():
        if getattr(settings, name) not in choices:
            raise errors.SettingsError(f"{name} must be one of {', '.join(choices)}")
    if not settings.host or not settings.listen.rpartition(":")[2].isdecimal() or settings.port > 65535:  # noqa: PLR2004  TCP ports
        raise errors.SettingsError(f"listen must be HOST:PORT, not {settings.listen!r}")
    if not 1 <= settings.workers <= MOST_WORKERS:
        raise errors.SettingsError(f"workers must be from 1 to {MOST_WORKERS}")
    if settings.workers > 1 and settings.ephemeral:
        raise errors.SettingsError("workers share a store on disk: ephemeral takes one worker only")
    _require_some(settings)
    _check_regions(settings)
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise errors.SettingsError("tls_cert and tls_key go together")
    if settings.client_ca is not None and settings.tls_cert is None:
        raise errors.SettingsError("client_ca needs tls_cert and tls_key: certificates are shown in TLS only")
    _check_trails(settings)
    if (settings.access_key_id is None) != (settings.secret_access_key is None):
        raise errors.SettingsError("access_key_id and secret_access_key go together")
    return settings


def _require_some(settings: Settings) -> None:
    for name in (
        "max_connections",
        "max_waiting",
        "max_buffered",
        "threads",
        "receipt_wait",
        "brake_seconds",
    ):
        if getattr(settings, name) < 1:
            raise errors.SettingsError(f"{name} must be at least 1")
    for name in _NONE_OR_MORE:
        if getattr(settings, name) < 0:
            raise errors.SettingsError(f"{name} must be 0 or more")
    if not 0 <= settings.inline_objects <= MOST_INLINE:
        raise errors.SettingsError(f"inline_objects must be from 0 to {MOST_INLINE}")


def _check_regions(settings: Settings) -> None:
    for name, regions in (("region", (settings.region,)), ("regions", settings.regions)):
        for region in regions:
            if not arn.is_region(region):
                raise errors.SettingsError(f"{name} names {region!r}, which no Region can be called")


def _check_trails(settings: Settings) -> None:
    if settings.trail_directory is not None and settings.trail_s3_endpoint is not None:
        raise errors.SettingsError("trail_directory and trail_s3_endpoint exclude each other")
    if (settings.trail_s3_access_key_id is None) != (settings.trail_s3_secret_access_key is None):
        raise errors.SettingsError("trail_s3_access_key_id and trail_s3_secret_access_key go together")
    if (settings.object_store_access_key_id is None) != (settings.object_store_secret_access_key is None):
        raise errors.SettingsError(
            "object_store_access_key_id and object_store_secret_access_key go together"
        )
    if min(settings.trail_log_interval, settings.trail_digest_interval) < 1:
        raise errors.SettingsError("trail_log_interval and trail_digest_interval are 1 second or more")
    if settings.archive_bucket is not None and settings.trail_directory is settings.trail_s3_endpoint is None:
        raise errors.SettingsError("archive_bucket needs trail_directory or trail_s3_endpoint")
    for name in ("trail_s3_endpoint", "object_store_endpoint"):
        url = getattr(settings, name)
        if url is not None and not _URL(url):
            raise errors.SettingsError(f"{name} must be a URL such as https://s3.example.org, not {url!r}")
