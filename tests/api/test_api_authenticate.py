"""Who signed: of requests that are like one before, no less is true than of the first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from signed_http import Client

from keystead.api.accounts import CREDENTIALS, put_account, put_root_credential
from keystead.api.authenticate import Authenticator
from keystead.api.directory import ACCOUNTS
from keystead.api.forward import FORWARDED
from keystead.api.sessions import seal_session
from keystead.entropy import SystemEntropy
from keystead.errors import ApiError, StorageConflict
from keystead.identity import Session
from keystead.keyring import Keyring
from keystead.storage import MemoryBackend, Store, Table
from keystead.wire.http import Request

ACCOUNT, KEY, SECRET = "0" * 12, "AKIAKNOWN", "right"
AT = 1.0e9 + 0.25
ROOT = bytes(32)

Change = Callable[[Request], Request]


class Worker:
    """Looks at requests; another one on the same backend is another worker."""

    def __init__(self, backend: MemoryBackend) -> None:
        entropy = SystemEntropy()
        self.store = Store.open(backend, ROOT, entropy)
        self.keyring = Keyring.open(self.store, entropy)
        self.authenticator = Authenticator(self.store, self.keyring, entropy)

    def asked(self, request: Request, wall: float = AT, now: float = AT) -> tuple[str, str | None]:
        """Whose request it is and in which Region, or why it is refused."""
        try:
            standing, claim, _ = self.authenticator.authenticate(
                request, self.store.transaction(), "kms", wall, now
            )
        except ApiError as error:
            return error.code, error.message
        return standing.caller.access_key_id, claim.region


@pytest.fixture
def backend() -> MemoryBackend:
    backend = MemoryBackend()
    store = Store.create(backend, ROOT)
    Keyring.open(store, SystemEntropy())
    tx = store.transaction()
    put_account(tx, ACCOUNT, "main", 0.0)
    put_root_credential(tx, ACCOUNT, KEY, SECRET, 0.0)
    assert store.commit([tx]) == [None]
    return backend


def request_of(
    body: bytes = b"{}", *, key: str = KEY, secret: str = SECRET, when: float = AT, **headers: str
) -> Request:
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    prepared = Client(1, key, secret, now=lambda: when).prepare("Encrypt", body, headers=given)
    lower = {name.lower(): value for name, value in prepared.headers.items()}
    return Request("POST", "/", lower, body, "192.0.2.1", secure=True)


def with_headers(**changed: str) -> Change:
    headers = {name.replace("_", "-"): value for name, value in changed.items()}
    return lambda request: msgspec.structs.replace(request, headers={**request.headers, **headers})


def without(name: str) -> Change:
    return lambda request: msgspec.structs.replace(
        request, headers={each: value for each, value in request.headers.items() if each != name}
    )


def but(**parts: Any) -> Change:
    return lambda request: msgspec.structs.replace(request, **parts)


def signed_as(change: Callable[[str], str]) -> Change:
    return lambda request: with_headers(authorization=change(request.headers["authorization"]))(request)


CHANGES: list[tuple[str, Change]] = [
    ("nothing", lambda request: request),
    ("the body", but(body=b"{ }")),
    ("the method", but(method="GET")),
    ("the path", but(target="/x")),
    ("the query", but(target="/?X-Amz-Algorithm=AWS4-HMAC-SHA256")),
    ("the operation", with_headers(x_amz_target="TrentService.Decrypt")),
    ("a header that nobody signed", with_headers(x_amz_meta="x")),
    ("a header that nobody need sign", with_headers(via="x")),
    ("a token that nobody signed", with_headers(x_amz_security_token="x")),
    ("a request within", with_headers(**{FORWARDED.replace("-", "_"): "e30="})),
    ("no header that was signed", without("amz-sdk-invocation-id")),
    ("no host", without("host")),
    ("no date", without("x-amz-date")),
    ("another date", with_headers(x_amz_date="20010909T014641Z")),
    ("another day", with_headers(x_amz_date="20010910T014640Z")),
    ("no date at all", with_headers(x_amz_date="x")),
    ("the hash of the body", with_headers(x_amz_content_sha256="0" * 64)),
    ("no body's hash", with_headers(x_amz_content_sha256="UNSIGNED-PAYLOAD")),
    ("a digit", signed_as(lambda text: text[:-1] + ("0" if text[-1] != "0" else "1"))),
    ("capitals", signed_as(lambda text: text[:-64] + text[-64:].upper())),
    ("a comma", signed_as(lambda text: text[:-1] + ",")),
    ("a field", signed_as(lambda text: text[:-4] + ",a=b")),
    ("a field without a value", signed_as(lambda text: text[:-4] + ",abc")),
    ("no ASCII", signed_as(lambda text: text[:-64] + "\xe9" * 64)),
    ("a space", signed_as(lambda text: text[:-64] + " " + text[-63:])),
    ("a shorter signature", signed_as(lambda text: text[:-1])),
    ("no signature", signed_as(lambda text: text[:-64])),
    ("another service", signed_as(lambda text: text.replace("/kms/", "/iam/"))),
    ("another Region", signed_as(lambda text: text.replace("us-east-1", "eu-west-1"))),
    ("another key", signed_as(lambda text: text.replace(KEY, "AKIANOBODY"))),
    (
        "another order",
        signed_as(lambda text: "AWS4-HMAC-SHA256 " + ", ".join(text.split(" ", 1)[1].split(", ")[::-1])),
    ),
]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=[name for name, _ in CHANGES])
def test_a_request_that_is_nearly_like_one_before_is_answered_as_by_who_saw_none(backend, change):
    seasoned = Worker(backend)
    for _ in range(3):
        assert seasoned.asked(request_of()) == (KEY, "us-east-1")
    changed = change(request_of(b'{"KeyId":"a"}'))
    assert seasoned.asked(changed) == Worker(backend).asked(changed)
    assert seasoned.asked(request_of()) == (KEY, "us-east-1")


@pytest.mark.parametrize("wall", [AT - 301, AT - 300, AT, AT + 299, AT + 301])
def test_a_familiar_request_is_taken_as_long_as_any(backend, wall):
    seasoned = Worker(backend)
    assert seasoned.asked(request_of()) == (KEY, "us-east-1")
    assert seasoned.asked(request_of(), wall) == Worker(backend).asked(request_of(), wall)


def test_what_another_worker_revokes_is_not_familiar_any_more(backend):
    seasoned, other = Worker(backend), Worker(backend)
    assert seasoned.asked(request_of()) == seasoned.asked(request_of()) == (KEY, "us-east-1")
    tx = other.store.transaction()
    credential = tx.get(CREDENTIALS, KEY)
    tx.put(CREDENTIALS, KEY, msgspec.structs.replace(credential, active=False))
    assert other.store.commit([tx]) == [None]
    assert seasoned.asked(request_of())[0] == "UnrecognizedClientException"


def test_a_familiar_session_ends_in_the_second_in_which_it_ends(backend):
    seasoned = Worker(backend)
    session = Session(
        access_key_id="ASIASESSION",
        secret="s",
        account=ACCOUNT,
        kind="root",
        principal="",
        issued=0.0,
        expires=AT + 9,
    )
    token = seal_session(seasoned.keyring, session)
    request = request_of(key="ASIASESSION", secret="s", X_Amz_Security_Token=token)
    for now in (AT, AT + 8.9):
        assert seasoned.asked(request, now=now) == ("ASIASESSION", "us-east-1")
    assert seasoned.asked(request, now=AT + 9)[0] == "ExpiredTokenException"
    assert seasoned.asked(request, now=AT + 8.9) == ("ASIASESSION", "us-east-1")


def test_more_is_not_remembered_than_there_is_room_for(backend):
    seasoned = Worker(backend)
    for second in range(2100):
        when = AT + second % 300 - 150
        request = request_of(when=when, **{f"X_{second // 300}": "x"})
        assert seasoned.asked(request) == (KEY, "us-east-1")
    assert seasoned.asked(request_of(X_Long="x", **{"y" * 2000: "y"})) == (KEY, "us-east-1")
    assert len(seasoned.authenticator._familiar) <= 2048


# ------------------------------------------------------------------ what changes rest on


def written(worker: Worker, table: Table, key: str, **changed: object) -> None:
    tx = worker.store.transaction()
    tx.put(table, key, msgspec.structs.replace(tx.get(table, key), **changed))
    assert worker.store.commit([tx]) == [None]


CHANGES = {
    "the account": lambda worker: written(worker, ACCOUNTS, ACCOUNT, name="other"),
    "the credential": lambda worker: written(worker, CREDENTIALS, KEY, active=False),
}


@pytest.mark.parametrize("again", [False, True], ids=["asked once", "asked again meanwhile"])
@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "by another worker"])
@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_before_the_permission_is_asked_for_ends_in_a_conflict(
    backend, what, elsewhere, again
):
    worker = Worker(backend)
    worker.asked(request_of())  # what is known already need not be read
    tx = worker.store.transaction()
    standing, _, _ = worker.authenticator.authenticate(request_of(), tx, "kms", AT, AT)
    CHANGES[what](Worker(backend) if elsewhere else worker)
    if again:
        worker.asked(request_of())
    standing.require(tx)
    tx.bump("traces", 1)
    assert [type(problem) for problem in worker.store.commit([tx])] == [StorageConflict]


@pytest.mark.parametrize("what", CHANGES)
def test_what_is_changed_after_it_was_asked_for_does_too(backend, what):
    worker = Worker(backend)
    worker.asked(request_of())  # what is known already need not be read
    tx = worker.store.transaction()
    standing, _, _ = worker.authenticator.authenticate(request_of(), tx, "kms", AT, AT)
    standing.require(tx)
    CHANGES[what](Worker(backend))
    tx.bump("traces", 1)
    assert [type(problem) for problem in worker.store.commit([tx])] == [StorageConflict]


def test_what_is_as_it_was_is_no_conflict(backend):
    worker = Worker(backend)
    for _ in range(3):
        tx = worker.store.transaction()
        standing, _, _ = worker.authenticator.authenticate(request_of(), tx, "kms", AT, AT)
        standing.require(tx)
        tx.bump("traces", 1)
        assert worker.store.commit([tx]) == [None]


def test_what_is_written_again_as_it_was_is_no_conflict_for_who_asks_afterwards(backend):
    worker = Worker(backend)
    worker.asked(request_of())
    written(worker, CREDENTIALS, KEY)
    tx = worker.store.transaction()
    tx.put(CREDENTIALS, KEY, tx.get(CREDENTIALS, KEY))
    assert worker.store.commit([tx]) == [None]
    tx = worker.store.transaction()
    standing, _, _ = worker.authenticator.authenticate(request_of(), tx, "kms", AT, AT)
    standing.require(tx)
    tx.bump("traces", 1)
    assert worker.store.commit([tx]) == [None]
