"""A key that callers bring is known again, and not kept."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.objects import is_remembered, remember

KEYS = st.binary(min_size=32, max_size=32)


@given(key=KEYS, other=KEYS)
def test_a_key_is_known_again_and_no_other_is_taken_for_it(key, other):
    kept = remember(Secret(key), SystemEntropy())
    assert is_remembered(Secret(key), kept)
    assert is_remembered(Secret(other), kept) == (key == other)
    assert key not in kept


def test_two_objects_of_one_key_are_not_linked():
    one, other = (remember(Secret(b"k" * 32), SystemEntropy()) for _ in range(2))
    assert len({one[:32], other[:32], one[32:], other[32:]}) == 4


@pytest.mark.parametrize("kept", [b"", bytes(63), bytes(65), bytes(64)])
def test_what_was_not_remembered_knows_no_key(kept):
    assert not is_remembered(Secret(b"k" * 32), kept)
