"""`keystead doctor`: what could go wrong on this machine and in this deployment, and what to do about it."""

from __future__ import annotations

import contextlib
import http.client
import os
import platform
import resource
import shutil
import ssl
import stat
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, Literal

import click
import msgspec
from cryptography.hazmat.backends.openssl import backend

from keystead import errors
from keystead.app import STORE
from keystead.audit.index import Index
from keystead.audit.turns import unpruned
from keystead.audit.verify import LogChecked
from keystead.cli import journals
from keystead.cli.deployment import (
    data_dir_option,
    opened,
    passphrase_option,
    served,
    the_seal,
    workers,
)
from keystead.cli.options import setting_options, settings_from
from keystead.cli.output import output_option, show
from keystead.cli.verify import evidence_missing, log_checked
from keystead.seal import FileSeal, PassphraseSeal, seal_name
from keystead.settings import Settings

Level = Literal["ok", "warn", "fail"]

_ML_OPENSSL: Final = 0x30500000
"""OpenSSL 3.5, the first with ML-DSA and ML-KEM."""

_LITTLE_SPACE: Final = 1 << 30
_NO_SPACE: Final = 128 << 20
"""Bytes: a journal segment is 16 MiB and made ahead; the database is built anew when keys are shredded."""

_BUILT: Final = 1_767_225_600
"""2026-01-01T00:00:00Z: no clock that is right shows a time before this program was written."""

_DRIFT: Final = 2.0
"""Seconds that a file's time may lie ahead of the clock (file systems round)."""

_TIMEOUT: Final = 5.0

_MOST_FINDINGS: Final = 5
"""Of the log: one file that is gone may be hundreds."""


class Finding(msgspec.Struct, frozen=True):
    """One line of the report; `advice` says what to do unless `level` is `ok`."""

    level: Level
    what: str
    detail: str
    advice: str | None = None


class Subject(msgspec.Struct, frozen=True):
    """What is looked at."""

    directory: Path
    passphrase_file: Path | None
    settings: Settings
    tls_cert: Path | None


@click.command()
@data_dir_option
@passphrase_option
@setting_options("listen")
@click.option(
    "--tls-cert",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="KEYSTEAD_TLS_CERT",
    help="PEM file with the server's TLS certificate chain, if it uses TLS.",
)
@output_option
def doctor(
    *, data_dir: Path, passphrase_file: Path | None, tls_cert: Path | None, output: str, **options: Any
) -> None:
    """Check the machine and the deployment; exit status 1 if something must be mended.

    Works beside a running server.
    """
    subject = Subject(data_dir, passphrase_file, settings_from(options), tls_cert)
    with unpruned(data_dir):
        findings = [finding for check in CHECKS for finding in check(subject)]
    if output == "json":
        show(findings)
    else:
        for finding in findings:
            advice = f"; {finding.advice}" if finding.advice else ""
            print(f"{finding.level:4} {finding.what}: {finding.detail}{advice}")
    if any(finding.level == "fail" for finding in findings):
        sys.exit(1)


# ----------------------------------------------------------------------------- machine


def _python(_: Subject) -> Iterator[Finding]:
    yield Finding("ok", "python", platform.python_version())


def _openssl(_: Subject) -> Iterator[Finding]:
    text = backend.openssl_version_text()
    if backend.openssl_version_number() < _ML_OPENSSL:
        advice = "ML-DSA and ML-KEM keys need 3.5: install the cryptography wheel from PyPI"
        yield Finding("warn", "openssl", text, advice)
    else:
        yield Finding("ok", "openssl", text)


def _clock(subject: Subject) -> Iterator[Finding]:
    now = time.time()
    shown = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    ahead = max((about.st_mtime - now for about in _files(subject.directory).values()), default=0.0)
    if now < _BUILT:
        yield Finding("fail", "clock", f"shows {shown}", "set it: every signature would be refused")
    elif ahead > _DRIFT:
        advice = "check the clock: it was ahead before, or is behind now"
        yield Finding("warn", "clock", f"shows {shown}, and files were written {ahead:.0f} s later", advice)
    else:
        yield Finding("ok", "clock", shown)


def _core_dumps(_: Subject) -> Iterator[Finding]:
    soft, _hard = resource.getrlimit(resource.RLIMIT_CORE)
    if soft == 0:
        yield Finding("ok", "core dumps", "off")
    else:
        # The server sets both for itself (`hardening.harden`), so nothing must be done.
        yield Finding("ok", "core dumps", "on in this shell; the server turns them off for itself")


def _disk(subject: Subject) -> Iterator[Finding]:
    free = shutil.disk_usage(subject.directory).free
    detail = f"{free >> 20} MiB free"
    if free < _NO_SPACE:
        yield Finding("fail", "disk", detail, "make room: calls are refused when evidence cannot be written")
    elif free < _LITTLE_SPACE:
        yield Finding("warn", "disk", detail, "make room soon")
    else:
        yield Finding("ok", "disk", detail)


# -------------------------------------------------------------------------- deployment


def _files(directory: Path) -> dict[Path, os.stat_result]:
    """The files of the data directory, and about each what the file system knows."""
    found = {}
    # Passes over folders that are gone by now, as those of tiles.
    for place, folders, names in os.walk(directory):
        for path in (Path(place, name) for name in (*folders, *names)):
            with contextlib.suppress(FileNotFoundError):  # SQLite's side files come and go
                about = path.lstat()
                if not stat.S_ISDIR(about.st_mode):
                    found[path] = about
    return dict(sorted(found.items()))


def _modes(subject: Subject) -> Iterator[Finding]:
    directory = subject.directory
    files = _files(directory)
    open_to_others = {
        path: mode for path, about in files.items() if (mode := stat.S_IMODE(about.st_mode)) & 0o077
    }
    for path, mode in open_to_others.items():
        yield Finding("fail", "files", f"{path} may be used by others (mode {mode:04o})", f"chmod 600 {path}")
    mode = stat.S_IMODE(directory.stat().st_mode)
    if mode & 0o077:
        level: Level = "fail" if mode & 0o022 else "warn"  # who can write may take any file of it away
        detail = f"{directory} is open to others (mode {mode:04o})"
        yield Finding(level, "data directory", detail, f"chmod 700 {directory}")
    for path in [path for path, about in files.items() if about.st_uid != os.geteuid()][:1]:
        advice = "run keystead as the user who owns the data directory"
        yield Finding("warn", "files", f"{path} belongs to another user", advice)
    if not open_to_others:
        yield Finding("ok", "files", f"{len(files)} in {directory}, none open to others")


def _seal(subject: Subject) -> Iterator[Finding]:
    try:
        name = seal_name(subject.directory)
    except errors.SealError as error:
        advice = "`keystead init` creates a deployment, `keystead backup restore` brings one back"
        yield Finding("fail", "seal", str(error), advice)
        return
    if name == FileSeal.name:
        yield Finding("ok", "seal", "file; keep a copy of seal.key apart from the backups")
    else:
        yield Finding("ok", "seal", name)


def _store(subject: Subject) -> Iterator[Finding]:
    """The store's records and, if it opens, that it is not older than its evidence."""
    directory = subject.directory
    if not (directory / STORE).exists():
        yield Finding("fail", "store", f"{STORE} is missing", "bring it back with `keystead backup restore`")
        return
    try:
        known = max((journals.anchor(directory, worker) for worker in workers(directory)), default=0)
        with opened(directory, the_seal(directory, subject.passphrase_file)) as store:
            store.expect_at_least(known)
            found = store.verify_all()
            commit = store.commit_number
            log = log_checked(directory, store)
            gone = evidence_missing(directory, store)
    except errors.JournalError:
        return  # `_journals` tells
    except errors.SealError as error:
        yield _not_opened(directory, error)
        return
    except errors.StorageError as error:
        yield Finding("fail", "store", str(error), "bring it back with `keystead backup restore`")
        return
    for finding in found.findings:
        yield Finding("fail", "store", finding, "bring it back with `keystead backup restore`")
    if not found.findings:
        yield Finding("ok", "store", f"commit {commit}, {found.records} records as they were written")
    for finding in gone:
        advice = "no server starts: put it back, or see `keystead audit begin-anew --help`"
        yield Finding("fail", "evidence", finding, advice)
    yield from _log(log)


def _log(found: LogChecked | None) -> Iterator[Finding]:
    """What is wrong with the log; a server does not start, or is not ready, without some of it."""
    if found is None:
        return
    for finding in found.findings[:_MOST_FINDINGS]:
        advice = "keep the files as they are: `keystead audit verify` tells all that is wrong"
        yield Finding("fail", "log", finding, advice)
    if not found.findings:
        yield Finding("ok", "log", f"{found.entries} entries as signed")


def _not_opened(directory: Path, error: errors.SealError) -> Finding:
    try:
        asked = seal_name(directory) == PassphraseSeal.name
    except errors.SealError:
        asked = False
    if asked:
        return Finding("warn", "store", f"not checked: {error}", "give --passphrase-file to have it checked")
    return Finding("fail", "store", f"cannot be opened: {error}", "put the seal's key back in its place")


def _journals(subject: Subject) -> Iterator[Finding]:
    for worker in workers(subject.directory):
        try:
            found = journals.check(subject.directory, worker)
        except errors.JournalError as error:
            advice = "keep the files as they are: the evidence was changed or the disk is damaged"
            yield Finding("fail", f"journal {worker}", str(error), advice)
        else:
            yield Finding("ok", f"journal {worker}", f"{found.events} events, chain unbroken")


def _index(subject: Subject) -> Iterator[Finding]:
    index = Index(subject.directory)
    if not index.path.exists():
        return  # it is made when somebody asks
    try:
        index.positions()
    except errors.IndexUnavailable as error:
        yield Finding("warn", "index", str(error), "`keystead audit reindex` makes it anew")


def _server(subject: Subject) -> Iterator[Finding]:
    if not served(subject.directory):
        yield Finding("ok", "server", "none runs on this deployment")
        return
    where = subject.settings.listen
    try:
        status, text = _asked(subject.settings, subject.tls_cert)
    except (OSError, http.client.HTTPException) as error:
        advice = "give its address with --listen, and --tls-cert if it uses TLS, or look into its log"
        yield Finding("warn", "server", f"one runs, but not on {where} ({error})", advice)
        return
    if status == http.client.OK:
        yield Finding("ok", "server", f"ready on {where}")
    else:
        yield Finding("fail", "server", f"on {where} is not ready: {text}", "see its log for the reason")


def _asked(settings: Settings, tls_cert: Path | None) -> tuple[int, str]:
    """Status and first line of `/readyz`."""
    connection: http.client.HTTPConnection
    if tls_cert is None:
        connection = http.client.HTTPConnection(settings.host, settings.port, timeout=_TIMEOUT)
    else:
        context = ssl.create_default_context(cafile=tls_cert)
        context.check_hostname = False  # reached by its address; the certificate is the one that was given
        connection = http.client.HTTPSConnection(
            settings.host, settings.port, timeout=_TIMEOUT, context=context
        )
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        return answer.status, answer.read(1000).decode(errors="replace").strip()
    finally:
        connection.close()


CHECKS: tuple[Callable[[Subject], Iterator[Finding]], ...] = (
    _python,
    _openssl,
    _clock,
    _core_dumps,
    _disk,
    _modes,
    _seal,
    _store,
    _journals,
    _index,
    _server,
)
"""Every check, in the order of the report."""
