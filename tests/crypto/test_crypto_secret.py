import copy
import pickle

import pytest

from keystead.crypto import KEY_TYPES, SECRET_ACCESS, Secret, SecretAccess
from keystead.crypto.derive import MessageKdf

VALUE = b"\x13\x37 a key that must not be seen"


def test_secret_says_nothing_of_itself():
    secret = Secret(VALUE)
    for text in (repr(secret), str(secret), f"{secret}", f"{[secret]}", "%r" % (secret,)):  # noqa: UP031  a third way
        assert "Secret" in text
        assert "key" not in text
    with pytest.raises(TypeError):
        format(secret, "x")
    assert not hasattr(secret, "__dict__")


def test_secret_gives_its_bytes_only_for_the_token():
    secret = Secret(VALUE)
    assert secret.expose(SECRET_ACCESS) == VALUE
    for other in (None, True, SecretAccess, SecretAccess(), object()):
        with pytest.raises(TypeError, match="SECRET_ACCESS"):
            secret.expose(other)
    with pytest.raises(TypeError):
        bytes(secret)


def test_secret_compares_by_value_and_is_not_hashable():
    assert Secret(VALUE) == Secret(VALUE)
    assert Secret(VALUE) != Secret(VALUE[:-1])
    assert Secret(VALUE) != VALUE
    with pytest.raises(TypeError):
        hash(Secret(VALUE))


@pytest.fixture(params=["Secret", "MessageKdf", *sorted(KEY_TYPES)])
def holder(request, key):
    others = {"Secret": lambda: Secret(VALUE), "MessageKdf": lambda: MessageKdf(bytes(32))}
    return others[request.param]() if request.param in others else key(request.param)


def test_what_holds_a_key_is_neither_copied_nor_pickled_nor_printed(holder):
    assert repr(holder) == f"<{type(holder).__name__}>" == str(holder)
    assert not hasattr(holder, "__dict__")
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        with pytest.raises(TypeError):
            pickle.dumps(holder, protocol)
    for take in (copy.copy, copy.deepcopy, lambda it: it.__reduce__(), lambda it: it.__getstate__()):
        with pytest.raises(TypeError):
            take(holder)
