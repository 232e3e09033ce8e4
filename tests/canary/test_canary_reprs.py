"""What is printed by accident, in a traceback or a log line, tells nothing."""

from __future__ import annotations

import pytest

from keystead.api.replay import Seen
from keystead.entropy import SystemEntropy
from keystead.errors import places
from keystead.identity import Credential
from keystead.keyring.keyring import Keyring, KeyringRoot
from keystead.settings import Settings
from keystead.wire import sigv4
from keystead.wire.http import Request, Response
from keystead.wire.model import Shape
from keystead.wire.models import kms

MARK = "CANARY-f3b1c9"
RAW = MARK.encode()


@pytest.mark.parametrize(
    "value",
    [
        Settings(access_key_id="AKID", secret_access_key=MARK),
        Credential(access_key_id="AKID", secret=MARK, account="0" * 12, created=0.0),
        Request("POST", "/", {"authorization": MARK}, RAW, "127.0.0.1", False),
        Response(200, (), RAW),
        KeyringRoot(RAW),
        Keyring(RAW * 4, SystemEntropy()),
        sigv4.SigningKey(RAW),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_holds_a_secret_does_not_print_it(value) -> None:
    for text in (repr(value), str(value), f"{value}", f"{[value]}"):
        assert MARK not in text
        assert RAW.hex() not in text


def test_a_claim_prints_no_signature() -> None:
    headers = {
        "x-amz-date": "20261124T000000Z",
        "authorization": "AWS4-HMAC-SHA256 Credential=AKID/20261124/r/kms/aws4_request, SignedHeaders=host, "
        f"Signature={MARK:0>64}",
    }
    assert MARK not in repr(sigv4.parse(Request("POST", "/", headers, b"", "127.0.0.1", False)))


SHAPES = [
    shape
    for shape in vars(kms).values()
    if isinstance(shape, type) and issubclass(shape, Shape) and shape is not Shape
]


def test_no_request_or_answer_prints_its_sensitive_members() -> None:
    seen = 0
    for shape in SHAPES:
        for member in shape.MEMBERS:
            if member.rule.sensitive and member.rule.kind in {"blob", "string"}:
                value = RAW if member.rule.kind == "blob" else MARK
                assert MARK not in repr(shape(**{member.attribute: value})), f"{shape.__name__}.{member.name}"
                seen += 1
    assert seen >= 10


def error_of(fail) -> Exception:
    with pytest.raises(RuntimeError) as caught:
        fail(RAW)
    return caught.value


def test_a_logged_failure_has_places_and_no_words(capsys) -> None:
    from keystead.cli.running import plain_tracebacks

    def fail(plaintext: bytes) -> None:
        raise RuntimeError(plaintext)

    try:
        try:
            fail(RAW)
        except RuntimeError as error:
            raise ValueError(MARK) from error
    except ValueError as error:
        line = plain_tracebacks(None, "error", {"event": "internal failure", "exc_info": error})
    assert MARK not in repr(line)
    assert line["where"]
    assert places(error_of(fail))
    assert MARK not in repr(places(error_of(fail)))


def test_records_of_replays_hold_no_signature() -> None:
    assert Seen.__struct_fields__ == ("until",)
