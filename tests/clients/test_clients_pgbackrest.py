"""pgBackRest backs up a real PostgreSQL into a bucket under a key of KMS, archives its log, and restores it.

It speaks TLS only, so the server has a certificate of its own here.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from issuers import Authority, server_names

from keystead.testing import RunningServer

pytestmark = pytest.mark.client

PROGRAMS = ("initdb", "pg_ctl", "psql")
PLACES = (
    *sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True),
    Path("/usr/local/bin"),
    Path("/usr/bin"),
)
BUCKET = "clusters"


def found(name: str) -> str:
    """The path of one of PostgreSQL's programs, which Debian keeps off the path."""
    beside = next((place / name for place in PLACES if (place / name).exists()), None)
    path = str(beside) if beside is not None else shutil.which(name)
    if path is None:
        pytest.skip(f"the program {name} is not installed")
    return path


class Cluster:
    """A PostgreSQL of its own; as root it runs as another user, since PostgreSQL refuses root."""

    def __init__(self, directory: Path, pgbackrest: str, server: RunningServer, key: str) -> None:
        self.directory, self.pgbackrest = directory, pgbackrest
        self.data = directory / "data"
        self.programs = {name: found(name) for name in PROGRAMS}
        self.user = None if os.getuid() else _other_user()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = str(free.getsockname()[1])
        self.configuration = directory / "pgbackrest.conf"
        self.configuration.write_text(_configured(self, server, key))
        self._own()

    def _own(self) -> None:
        if self.user is not None:
            for path in (self.directory, *self.directory.iterdir()):
                os.chown(path, self.user.pw_uid, self.user.pw_gid)

    def run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            user=None if self.user is None else self.user.pw_uid,
            group=None if self.user is None else self.user.pw_gid,
            extra_groups=None if self.user is None else [],
        )
        log = self.directory / "log"
        told = log.read_text() if done.returncode and log.exists() else ""
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}\n{told}"
        return done.stdout

    def initialize(self) -> None:
        self.run(self.programs["initdb"], "-D", str(self.data), "-A", "trust", "-U", "postgres", "--no-sync")
        archive = f"{self.pgbackrest} --config={self.configuration} --stanza=main archive-push %p"
        with (self.data / "postgresql.conf").open("a") as file:
            file.write(
                f"archive_mode = on\narchive_command = '{archive}'\nlisten_addresses = ''\nfsync = off\n"
            )
            file.write(f"port = {self.port}\nunix_socket_directories = '{self.directory}'\n")

    def start(self) -> None:
        self.run(
            self.programs["pg_ctl"], "-D", str(self.data), "-l", str(self.directory / "log"), "-w", "start"
        )

    def stop(self, mode: str = "fast") -> None:
        self.run(self.programs["pg_ctl"], "-D", str(self.data), "-m", mode, "-w", "stop")

    def sql(self, text: str) -> str:
        at = ("-h", str(self.directory), "-p", self.port, "-U", "postgres")
        return self.run(self.programs["psql"], *at, "-AtX", "-v", "ON_ERROR_STOP=1", "-c", text).strip()

    def backrest(self, *words: str) -> str:
        return self.run(self.pgbackrest, f"--config={self.configuration}", "--stanza=main", *words)


def _other_user() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    pytest.skip("PostgreSQL does not run as root, and there is nobody else")


def _configured(cluster: Cluster, server: RunningServer, key: str) -> str:
    root = server.root()
    options = {
        "repo1-type": "s3",
        "repo1-path": "/main",
        "repo1-s3-bucket": BUCKET,
        "repo1-s3-endpoint": "localhost",
        "repo1-storage-port": str(server.port),
        "repo1-storage-ca-file": str(cluster.directory / "ca.pem"),
        "repo1-s3-uri-style": "path",
        "repo1-s3-region": "us-east-1",
        "repo1-s3-key": root.access_key_id,
        "repo1-s3-key-secret": root.secret_access_key,
        "repo1-s3-kms-key-id": key,
        "repo1-retention-full": "1",
        "repo1-bundle": "y",
        "lock-path": str(cluster.directory / "lock"),
        "spool-path": str(cluster.directory / "spool"),
        "io-timeout": "20",
        "log-level-file": "off",
        "log-level-console": "warn",
        "compress-type": "none",
        "start-fast": "y",
    }
    lines = [f"{name}={value}" for name, value in options.items()]
    stanza = [
        f"pg1-path={cluster.data}",
        f"pg1-port={cluster.port}",
        f"pg1-socket-path={cluster.directory}",
        "pg1-user=postgres",
    ]
    return "\n".join(["[global]", *lines, "[main]", *stanza, ""])


@pytest.fixture
def directory() -> Iterator[Path]:
    """One that another user can reach, which pytest's are not, with a path that is short enough for sockets."""
    made = Path(tempfile.mkdtemp(prefix="keystead-pg-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def secured(tmp_path: Path, directory: Path) -> Iterator[RunningServer]:
    authority = Authority("A certificate authority of the test")
    certificate, private = authority.issue(names=server_names(), client=False)
    pair = tmp_path / "certificate.pem", tmp_path / "private.pem"
    for path, content in zip(pair, (certificate, private), strict=True):
        path.write_bytes(content)
    (directory / "ca.pem").write_bytes(authority.pem)
    with RunningServer(tmp_path / "server", tls_cert=str(pair[0]), tls_key=str(pair[1])) as server:
        yield server


@pytest.fixture
def root(secured: RunningServer, directory: Path) -> Any:
    """`root(service)`: a client of the root user that trusts the server's certificate."""
    authority = str(directory / "ca.pem")
    return lambda service: secured.client_of(secured.root(), service, verify=authority)


@pytest.fixture
def cluster(directory: Path, program: Any, secured: RunningServer, root: Any) -> Iterator[Cluster]:
    key = root("kms").create_key()["KeyMetadata"]["Arn"]
    root("s3").create_bucket(Bucket=BUCKET)
    cluster = Cluster(directory, program("pgbackrest"), secured, key)
    try:
        yield cluster
    finally:
        if (cluster.data / "postmaster.pid").exists():
            cluster.stop("immediate")


def test_a_cluster_is_backed_up_archived_and_restored_and_a_disabled_key_stops_that(
    cluster: Cluster, root: Any
) -> None:
    cluster.initialize()
    cluster.start()
    cluster.backrest("stanza-create")
    cluster.sql("create table letters as select n, md5(n::text) as text from generate_series(1, 20000) as n")
    cluster.backrest("--type=full", "backup")
    cluster.sql("insert into letters values (0, 'after the backup')")
    cluster.sql("select pg_switch_wal()")
    cluster.backrest("check")
    expected = cluster.sql("select count(*), md5(string_agg(text, '' order by n)) from letters")
    cluster.stop()
    shutil.rmtree(cluster.data)

    cluster.run("mkdir", "-m", "700", str(cluster.data))
    cluster.backrest("restore")
    cluster.start()
    assert cluster.sql("select count(*), md5(string_agg(text, '' order by n)) from letters") == expected
    cluster.stop()

    s3, kms = root("s3"), root("kms")
    kept = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert len(kept) > 5
    heads = [s3.head_object(Bucket=BUCKET, Key=each["Key"]) for each in kept[:20]]
    (key,) = {head["SSEKMSKeyId"] for head in heads}
    kms.disable_key(KeyId=key)
    with pytest.raises(AssertionError, match="is disabled"):
        cluster.backrest("--delta", "restore")
