"""Telling alarms to a receiver over HTTP: one POST of JSON each, signed with a shared secret.

The header `X-Keystead-Signature` is `t=SECONDS,v1=HEX`: HMAC-SHA256 under the secret of the text `SECONDS.` and the
body, so that a receiver can refuse what is forged or old.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import ssl
import tomllib
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

import msgspec
from cryptography.hazmat.primitives import hashes, hmac

from keystead import errors
from keystead.audit.alarm_rules import AlarmRule, Change, chosen

SIGNATURE: Final = "X-Keystead-Signature"
_TIMEOUT: Final = 5.0
_SHORTEST_SECRET: Final = 16
_LEAST_OK, _MOST_OK = 200, 299


class AlarmSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The TOML file of alarms.

    Attributes:
        webhook: where alarms are posted, `https://…` or a loopback `http://…`; without it they are only logged.
        secret_file: a file whose content, without surrounding white space, signs what is posted.
        rules: changes to rules, by name.
    """

    webhook: str = ""
    secret_file: str = ""
    rules: dict[str, Change] = {}


class Alarming(msgspec.Struct, frozen=True):
    """The settings, checked: which rules count, and whom to tell."""

    rules: tuple[AlarmRule, ...]
    url: SplitResult | None
    secret: bytes

    def __repr__(self) -> str:
        return "Alarming()"


class UndeliveredError(errors.KeysteadError):
    """The receiver did not take an alarm; the message is the reason."""


def read_alarms(path: Path) -> Alarming:
    """What the file says.

    Raises:
        errors.SettingsError: it cannot be read, or something in it is wrong.
    """
    try:
        given = msgspec.convert(tomllib.loads(path.read_text()), AlarmSettings)
        secret = Path(given.secret_file).read_bytes().strip() if given.secret_file else b""
    except OSError as error:
        raise errors.SettingsError(f"alarms: cannot read {error.filename}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise errors.SettingsError(f"alarms: {path}: {error}") from None
    if not given.webhook:
        return Alarming(chosen(given.rules), None, b"")
    if len(secret) < _SHORTEST_SECRET:
        raise errors.SettingsError(
            f"alarms: secret_file must hold at least {_SHORTEST_SECRET} bytes to sign with"
        )
    return Alarming(chosen(given.rules), _checked(given.webhook), secret)


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise errors.SettingsError("alarms: webhook is no URL") from None
    if "@" in parts.netloc or not host or parts.scheme not in {"http", "https"}:
        raise errors.SettingsError("alarms: webhook must be a plain https URL")
    if parts.scheme == "http" and not is_loopback(host):
        raise errors.SettingsError("alarms: webhook must be https beyond loopback")
    return parts


def is_loopback(host: str) -> bool:
    """Whether `host` can only be this machine."""
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return host == "localhost"


def signature(secret: bytes, body: bytes, now: int) -> str:
    """The header's value; see the module."""
    code = hmac.HMAC(secret, hashes.SHA256())
    code.update(f"{now}.".encode() + body)
    return f"t={now},v1={code.finalize().hex()}"


def post(alarming: Alarming, notice: msgspec.Struct, now: int) -> None:
    """None once the receiver has taken the alarm (any 2xx); no redirect is followed, no proxy used.

    Raises:
        UndeliveredError: it did not.
    """
    url = alarming.url
    assert url is not None
    body = msgspec.json.encode(notice)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "keystead",
        SIGNATURE: signature(alarming.secret, body, now),
    }
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection = _connection(url)
    try:
        connection.request("POST", target, body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise UndeliveredError(f"no answer ({type(error).__name__})") from None
    finally:
        connection.close()
    if not _LEAST_OK <= status <= _MOST_OK:
        raise UndeliveredError(f"HTTP status {status}")


def _connection(url: SplitResult) -> http.client.HTTPConnection:
    host = url.hostname or ""
    if url.scheme == "http":
        return http.client.HTTPConnection(host, url.port, timeout=_TIMEOUT)
    return http.client.HTTPSConnection(host, url.port, timeout=_TIMEOUT, context=ssl.create_default_context())
