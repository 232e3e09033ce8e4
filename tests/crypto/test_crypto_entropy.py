"""Randomness that waits in memory: given out once, to one process, and gone with its source."""

import gc
import os
import re
import uuid
import weakref

from hypothesis import given
from hypothesis import strategies as st

from keystead.crypto import aead
from keystead.entropy import SystemEntropy, uuid_pair

SIZE = 32
UUID_TEXT = 36


def test_a_source_that_nobody_uses_goes_away():
    source = SystemEntropy()
    source.random(SIZE)
    known = weakref.ref(source)
    del source
    gc.collect()
    assert known() is None


def test_making_keys_leaves_nothing_behind():
    aead.generate()
    gc.collect()
    before = len(gc.get_objects())
    keys = {aead.generate() for _ in range(100)}
    gc.collect()
    assert len(keys) == 100
    assert len(gc.get_objects()) - before < 50


def test_a_forked_child_gets_other_bytes_than_its_parent():
    source = SystemEntropy()
    source.random(SIZE)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, source.random(SIZE))
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, SIZE) not in {source.random(SIZE) for _ in range(256)}
    os.close(reading)
    os.close(writing)


class Fixed:
    """A source that a test knows."""

    def __init__(self, told):
        self.told = told

    def random(self, length):
        assert length == len(self.told)
        return self.told


@given(st.binary(min_size=SIZE, max_size=SIZE))
def test_a_pair_holds_what_was_drawn_in_the_form_of_version_4(drawn):
    for text, digits in zip(uuid_pair(Fixed(drawn)), (drawn[:16].hex(), drawn[16:].hex()), strict=True):
        made = uuid.UUID(text)
        assert (str(made), made.version, made.variant) == (text, 4, uuid.RFC_4122)
        plain = re.sub("-", "", text)
        assert (plain[:12], plain[13:16], plain[17:]) == (digits[:12], digits[13:16], digits[17:])


def test_no_uuid_comes_twice():
    source = SystemEntropy()
    found = [each for _ in range(1000) for each in uuid_pair(source)]
    assert len(set(found)) == len(found)
    assert all(uuid.UUID(text).version == 4 for text in found)


def test_a_forked_child_gets_other_uuids_than_its_parent():
    source = SystemEntropy()
    uuid_pair(source)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, uuid_pair(source)[0].encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, UUID_TEXT).decode() not in {uuid_pair(source)[0] for _ in range(256)}
    os.close(reading)
    os.close(writing)
