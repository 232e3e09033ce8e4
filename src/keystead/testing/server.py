"""A real server in this process, on a free loopback port, with a clock that tests move."""

from __future__ import annotations

import asyncio
import json
import shutil
import ssl
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec

from keystead import app as apps
from keystead import arn
from keystead.api.accounts import ensure_account, put_root_credential
from keystead.api.sessions import seal_session
from keystead.app import App
from keystead.audit.notes import run_noted
from keystead.clock import ManualClock
from keystead.entropy import SystemEntropy
from keystead.http import Limits, Server, serve, server_context
from keystead.identity import Credential, Group, Role, Session
from keystead.identity.credential import new_access_key, new_secret
from keystead.identity.names import new_session_key_id, session_arn
from keystead.keyring import Keyring
from keystead.seal import SealOptions
from keystead.seed.identities import (
    AccessKey,
    Document,
    Maker,
    SeedGroup,
    SeedRole,
    SeedUser,
    bind_trusts,
    put_group,
    put_role,
    put_user,
)
from keystead.settings import Settings
from keystead.storage import Store, Transaction
from keystead.testing.people import ANYBODY, Person

T = TypeVar("T")


class RunningServer:
    """A server from `with` to the block's end; its data directory is temporary unless one is given.

    A directory that holds a deployment is opened, so that a test can stop a server and start it again.
    """

    def __init__(
        self,
        data_dir: Path | None = None,
        *,
        clock: ManualClock | None = None,
        limits: Limits | None = None,
        **settings: Any,
    ) -> None:
        self.settings = msgspec.structs.replace(Settings(), manual_clock=True, **settings)
        self.clock = clock or ManualClock()
        self.entropy = SystemEntropy()
        self._limits = limits
        self._temporary = data_dir is None
        self.data_dir = data_dir or Path(tempfile.mkdtemp(prefix="keystead-test-"))
        self._credentials: dict[str, Credential] = {}
        self._clients: list[Any] = []

    def open_store(self) -> Store:
        """The deployment's store, made at the first start; tests put faults around it by overriding this."""
        options = SealOptions(directory=self.data_dir, entropy=self.entropy)
        return apps.open_or_create(self.data_dir, options, self.entropy)

    def __enter__(self) -> Self:
        self.store = self.open_store()
        first = apps.first_credential(self.store, self.settings, self.clock, self.entropy)
        self._credentials[first.account] = first
        self.app: App = apps.build(self.settings, self.store, self.data_dir, clock=self.clock)
        ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(ready,), name="keystead-server", daemon=True)
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients:
            client.close()
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._temporary:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def _run(self, ready: threading.Event) -> None:
        try:
            asyncio.run(self._serve(ready))
        except BaseException as error:  # noqa: BLE001  handed to the thread that waits
            self._failure = error
        finally:
            ready.set()

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        await self.app.start()
        server: Server = await serve(
            self.app.handle,
            port=0,
            clock=self.app.wall,
            limits=self._limits,
            tls=self._tls(),
            streams=self.app.streams,
        )
        self.port = server.port
        self.server = server
        ready.set()
        await self._stop.wait()
        await server.drain(5.0)
        await self.app.stop()

    def _tls(self) -> ssl.SSLContext | None:
        given = self.settings
        if given.tls_cert is None or given.tls_key is None:
            return None
        return server_context(given.tls_cert, given.tls_key, given.client_ca)

    # ---------------------------------------------------------------------- its callers

    @property
    def url(self) -> str:
        """Where the server listens."""
        return f"{'https' if self.settings.tls_cert else 'http'}://127.0.0.1:{self.port}"

    @property
    def access_key_id(self) -> str:
        """Of the first account's root."""
        return self.credential().access_key_id

    @property
    def secret_access_key(self) -> str:
        """Of the first account's root."""
        return self.credential().secret

    def credential(self, account: str | None = None) -> Credential:
        """The root credential of an account, which is made if it is new."""
        account = account or self.settings.account_id
        if account not in self._credentials:
            pair = new_access_key(self.entropy)

            def add(tx: Transaction) -> Credential:
                ensure_account(tx, account, "test", self.clock.now())
                put_root_credential(tx, account, *pair, self.clock.now())
                return Credential(
                    access_key_id=pair[0], secret=pair[1], account=account, created=self.clock.now()
                )

            self._credentials[account] = self._write(add)
        return self._credentials[account]

    def _write(self, operation: Callable[[Transaction], T]) -> T:
        return run_noted(self.store, operation, what="test", now=self.clock.now(), entropy=self.entropy)

    def root(self, account: str | None = None) -> Person:
        """The root of an account, which is made if it is new."""
        credential = self.credential(account)
        return self._person(credential, arn.root_arn(credential.account), credential.account)

    def user(
        self,
        name: str,
        policies: Mapping[str, Document] | None = None,
        account: str | None = None,
        **members: Any,
    ) -> Person:
        """The user of that name with an access key of its own, written straight to the store.

        `policies` are inline ones by name; `members` are the other fields of `SeedUser` (`path`, `tags`,
        `groups`, `attached`, `boundary`). A user that is there already stays as it is.
        """
        account = self.credential(account).account
        pair = AccessKey(*new_access_key(self.entropy))
        given = SeedUser(name, policies=dict(policies or {}), credentials=pair, **members)
        user = self._write(lambda tx: put_user(self._maker(tx), account, given))
        credential = Credential(
            access_key_id=pair.access_key_id, secret=pair.secret_access_key, account=account, created=0.0
        )
        return self._person(credential, user.arn, user.id)

    def group(
        self,
        name: str,
        policies: Mapping[str, Document] | None = None,
        account: str | None = None,
        **members: Any,
    ) -> Group:
        """The group of that name; see `user`."""
        account = self.credential(account).account
        given = SeedGroup(name, policies=dict(policies or {}), **members)
        return self._write(lambda tx: put_group(self._maker(tx), account, given))

    def role(
        self,
        name: str,
        policies: Mapping[str, Document] | None = None,
        account: str | None = None,
        trust: Document = ANYBODY,
        **members: Any,
    ) -> Role:
        """The role of that name; see `user`. Unless `trust` says, it trusts everybody."""
        account = self.credential(account).account
        given = SeedRole(name, trust, policies=dict(policies or {}), **members)

        def add(tx: Transaction) -> Role:
            make = self._maker(tx)
            role = put_role(make, account, given)
            bind_trusts(make)
            return role

        return self._write(add)

    def assume(self, role: Role, name: str = "test", **members: Any) -> Person:
        """A session of the role, without asking STS or its trust policy; `members` are `Session`'s fields."""
        now = self.clock.now()
        given: dict[str, Any] = {"issued": now, "expires": now + 3600.0} | members
        session = Session(
            access_key_id=new_session_key_id(self.entropy),
            secret=new_secret(self.entropy),
            account=role.account,
            kind="role",
            principal=role.id,
            name=name,
            **given,
        )
        return Person(
            arn=session_arn(role.account, role.name, name),
            account=role.account,
            access_key_id=session.access_key_id,
            secret_access_key=session.secret,
            token=seal_session(Keyring.open(self.store, self.entropy), session),
            id=role.id,
            home=self,
        )

    def _maker(self, tx: Transaction) -> Maker:
        return Maker(tx, self.entropy, self.clock.now())

    def _person(self, credential: Credential, who: str, unique_id: str) -> Person:
        return Person(
            arn=who,
            account=credential.account,
            access_key_id=credential.access_key_id,
            secret_access_key=credential.secret,
            id=unique_id,
            home=self,
        )

    def environment(self, account: str | None = None) -> dict[str, str]:
        """The variables that AWS clients read, of an account's root."""
        return self.environment_of(self.root(account))

    def environment_of(self, person: Person) -> dict[str, str]:
        variables = {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": person.access_key_id,
            "AWS_SECRET_ACCESS_KEY": person.secret_access_key,
            "AWS_REGION": self.settings.region,
            "AWS_DEFAULT_REGION": self.settings.region,
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        return variables if person.token is None else variables | {"AWS_SESSION_TOKEN": person.token}

    def client(
        self, service: str = "kms", region: str | None = None, account: str | None = None, **options: Any
    ) -> Any:
        """A boto3 client of an account's root."""
        return self.client_of(self.root(account), service, region, **options)

    def client_of(self, person: Person, service: str, region: str | None = None, **options: Any) -> Any:
        import boto3  # noqa: PLC0415  a development dependency, needed only here
        from botocore.config import Config  # noqa: PLC0415  slow to load, and the server needs none of it

        options.setdefault("config", Config(retries={"total_max_attempts": 1}, parameter_validation=False))
        client = boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region or self.settings.region,
            aws_access_key_id=person.access_key_id,
            aws_secret_access_key=person.secret_access_key,
            aws_session_token=person.token,
            **options,
        )
        self._clients.append(client)
        return client

    def advance(self, seconds: float) -> None:
        """Move time forward and run what falls due before this returns."""
        self.clock.advance(seconds)
        asyncio.run_coroutine_threadsafe(self.app.scheduler.run(), self._loop).result()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of an unauthenticated GET."""
        request = urllib.request.Request(self.url + path)  # noqa: S310  our own loopback address
        try:
            with urllib.request.urlopen(request) as answer:  # noqa: S310  as above
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def events(self) -> list[dict[str, Any]]:
        """Every event recorded so far, oldest first."""
        return [json.loads(record) for _, record in self.app.journal.read()]
