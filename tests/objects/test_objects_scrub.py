"""The comparison of a store with records finds exactly what was done to it."""

from hypothesis import given
from hypothesis import strategies as st

from keystead.objects import DirectoryBlobs, Stored, compare, sealed_size

NOW = 1_000_000.0
BEFORE = NOW - 3600
NAMES = st.integers(0, 15).map(lambda number: f"{number:032x}")
ENTRIES = st.builds(
    Stored, NAMES, st.integers(0, 3), st.sampled_from([0.0, BEFORE - 1, BEFORE, NOW]), st.booleans()
)
KNOWN = st.dictionaries(NAMES, st.one_of(st.none(), st.integers(0, 3)))


@given(stored=st.lists(ENTRIES, unique_by=lambda entry: (entry.name, entry.whole)), known=KNOWN)
def test_every_entry_and_every_record_is_judged_once(stored, known):
    found = compare(stored, known, BEFORE)
    whole = {entry.name: entry for entry in stored if entry.whole}
    assert found.blobs == len(whole)
    assert found.size == sum(entry.size for entry in whole.values())
    assert set(found.missing) == {name for name in known if name not in whole and known[name] is not None}
    agreeing = [name for name, size in known.items() if name in whole and size in (None, whole[name].size)]
    judged = [*found.orphans, *found.unfinished, *found.resized]
    assert len(judged) + found.recent + len(agreeing) == len(stored)
    assert all(entry.changed < BEFORE for entry in (*found.orphans, *found.unfinished))
    assert all(entry.name not in known or not entry.whole for entry in (*found.orphans, *found.unfinished))
    assert found.is_damaged == bool(found.missing or found.resized)


def test_a_directory_is_compared_as_it_is(tmp_path):
    blobs = DirectoryBlobs(tmp_path)
    good, orphan, cut, gone, due = (f"{number:032x}" for number in range(5))
    for name in (good, orphan, cut):
        blobs.put(name, [bytes(100)])
    (tmp_path / "incoming" / gone).write_bytes(b"half")
    (tmp_path / cut[:2] / cut).write_bytes(b"short")
    known = {good: 100, cut: 100, gone: 100, due: None}
    found = compare(blobs.stored(), known, before=float("inf"))
    assert [entry.name for entry in found.orphans] == [orphan]
    assert [entry.name for entry in found.unfinished] == [gone]
    assert [(entry.name, entry.size) for entry in found.resized] == [(cut, 5)]
    assert found.missing == (gone,)
    assert compare(blobs.stored(), known, before=0.0).recent == 2


def test_sizes_of_blobs_follow_from_sizes_of_objects():
    assert sealed_size(0) == 72 + 16
    assert sealed_size(1 << 18) == 72 + (1 << 18) + 16
    assert sealed_size((1 << 18) + 1) == 72 + (1 << 18) + 1 + 32
    assert sealed_size(1, layers=2) == 2 * 88 + 1
