"""Randomness that waits in memory: given out once, to one process, and gone with its source."""

import gc
import os
import weakref

from keystead.crypto import aead
from keystead.entropy import SystemEntropy

SIZE = 32


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
