"""Every backend in the registry gives what `Backend` promises."""

import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.errors import StorageConflict, StorageError
from keystead.storage import BACKENDS, Batch, digest

DURABLE = [name for name, kind in BACKENDS.items() if kind.durable]


@pytest.fixture(params=BACKENDS)
def backend(request, tmp_path):
    opened = BACKENDS[request.param].open(tmp_path / "store.db")
    yield opened
    opened.close()


def write(backend, conditions=None, **writes):
    backend.commit(Batch(conditions or {}, {k.encode(): v for k, v in writes.items()}))


def test_reads_what_was_written(backend):
    assert backend.get(b"a") is None
    write(backend, a=b"1", b=b"")
    assert backend.get(b"a") == b"1"
    assert backend.get(b"b") == b""
    write(backend, a=b"2", b=None, c=None)
    assert backend.get(b"a") == b"2"
    assert backend.get(b"b") is None


def test_several_values_are_read_at_once(backend):
    write(backend, a=b"1", b=b"")
    assert backend.get_each([b"a", b"b"]) == [b"1", b""]
    assert backend.get_each([b"c", b"a", b"a"]) == [None, b"1", b"1"]
    assert backend.get_each([]) == []


def test_any_number_of_values_is_read_at_once(backend):
    stored = {b"k%d" % number: b"v%d" % number for number in range(0, 140, 2)}
    backend.commit(Batch({}, stored))
    asked = [b"k%d" % number for number in range(140)]
    for count in (1, 2, 3, 8, 9, 31, 32, 33, 64, 65, 140):
        assert backend.get_each(asked[:count]) == [stored.get(key) for key in asked[:count]]


def test_scan_is_ordered_by_unsigned_bytes_and_half_open(backend):
    keys = [b"", b"\x00", b"a", b"a\x00", b"a\xff", b"b", b"\x80", b"\xff\xff"]
    backend.commit(Batch({}, {key: b"v" + key for key in keys}))
    found = backend.scan(b"", b"\xff\xff\xff", None)
    assert found == [(key, b"v" + key) for key in sorted(keys)]
    assert [k for k, _ in backend.scan(b"a", b"b", None)] == [b"a", b"a\x00", b"a\xff"]
    assert [k for k, _ in backend.scan(b"a", b"b", 2)] == [b"a", b"a\x00"]
    assert [k for k, _ in backend.scan(b"a", b"b", 2, reverse=True)] == [b"a\xff", b"a\x00"]
    assert backend.scan(b"b", b"a", None) == []
    assert backend.scan(b"a", b"b", 0) == []


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.dictionaries(st.binary(max_size=4), st.binary(max_size=8), max_size=12),
    bounds=st.tuples(st.binary(max_size=3), st.binary(max_size=3)),
    limit=st.none() | st.integers(0, 5),
    reverse=st.booleans(),
)
def test_scan_agrees_with_a_sorted_map(backend, values, bounds, limit, reverse):
    start, end = bounds
    there = dict(backend.scan(b"", b"\xff" * 5, None))
    backend.commit(Batch({}, {**dict.fromkeys(there), **values}))
    inside = sorted((item for item in values.items() if start <= item[0] < end), reverse=reverse)
    assert backend.scan(start, end, limit, reverse) == inside[:limit]


def test_a_batch_with_a_failed_condition_writes_nothing(backend):
    write(backend, a=b"1")
    for conditions in ({b"a": None}, {b"a": digest(b"2")}, {b"b": digest(b"1")}):
        with pytest.raises(StorageConflict):
            write(backend, conditions, a=b"x", c=b"x")
    assert backend.get(b"a") == b"1"
    assert backend.get(b"c") is None
    write(backend, {b"a": digest(b"1"), b"b": None}, a=b"2")
    assert backend.get(b"a") == b"2"


def test_the_generation_changes_with_each_commit(backend):
    seen = [backend.generation()]
    for number in range(5):
        write(backend, a=b"%d" % number)
        seen.append(backend.generation())
    assert len(set(seen)) == len(seen)
    assert backend.generation() == seen[-1]


def test_commits_of_several_threads_exclude_each_other(backend):
    write(backend, n=b"0")

    def add():
        for _ in range(10):
            while True:
                value = backend.get(b"n")
                try:
                    write(backend, {b"n": digest(value)}, n=b"%d" % (int(value) + 1))
                    break
                except StorageConflict:
                    continue

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert backend.get(b"n") == b"30"


def test_large_values_come_back(backend):
    value = bytes(range(256)) * 4_000
    write(backend, a=value)
    assert backend.get(b"a") == value
    write(backend, a=value[:-1])
    assert backend.get(b"a") == value[:-1]


def test_checkpoint_keeps_the_live_values(backend):
    write(backend, a=b"1", b=b"2")
    write(backend, a=None)
    backend.checkpoint()
    assert backend.scan(b"", b"z", None) == [(b"b", b"2")]


@pytest.mark.parametrize("name", DURABLE)
class TestDurable:
    def test_a_later_process_finds_what_was_committed(self, name, tmp_path):
        first = BACKENDS[name].open(tmp_path / "store.db")
        write(first, a=b"1")
        first.close()
        second = BACKENDS[name].open(tmp_path / "store.db")
        assert second.get(b"a") == b"1"
        second.close()

    def test_two_that_share_it_see_each_other(self, name, tmp_path):
        one = BACKENDS[name].open(tmp_path / "store.db")
        other = BACKENDS[name].open(tmp_path / "store.db")
        before = other.generation()
        write(one, a=b"1")
        assert other.generation() != before
        assert other.get(b"a") == b"1"
        with pytest.raises(StorageConflict):
            write(other, {b"a": None}, a=b"2")
        one.close()
        other.close()

    def test_a_backup_is_a_store_as_of_then(self, name, tmp_path):
        backend = BACKENDS[name].open(tmp_path / "store.db")
        write(backend, a=b"1")
        backend.backup(tmp_path / "copy.db")
        write(backend, a=b"2")
        with pytest.raises(StorageError, match="exists"):
            backend.backup(tmp_path / "copy.db")
        backend.close()
        copy = BACKENDS[name].open(tmp_path / "copy.db")
        assert copy.get(b"a") == b"1"
        copy.close()
        assert not Path(tmp_path / "copy.db.partial").exists()
