"""Records read many at once are those that are read frame by frame, from whole segments and from torn or changed ones."""

from hypothesis import given
from hypothesis import strategies as st

from keystead.audit.change import join, note_record
from keystead.audit.disk import OsDisk, OsFile
from keystead.audit.follow import parts
from keystead.audit.groups import read_groups, read_up_to
from keystead.audit.journal import Journal
from keystead.audit.segment import Kind, Position, encode_group, genesis, group_end, read_marker, walk

START = Position(0, 7, genesis("w0"))
BASE = 5120

records = st.one_of(
    st.binary(min_size=1, max_size=40).map(lambda text: b"{" + text),
    st.builds(
        lambda text, writes: join(b"{" + text, b"w" + writes, 9),
        st.binary(max_size=20),
        st.binary(max_size=9),
    ),
    st.just(note_record(b'{"note":"x"}', 3)),
    st.binary(min_size=1, max_size=3),
)
groups = st.lists(
    st.tuples(st.lists(records, min_size=1, max_size=5), st.sampled_from([Kind.EVENT, Kind.NOTE])), max_size=4
)


def written(made):
    data, at = b"", START
    for texts, kind in made:
        group, after = encode_group(at, texts, kind=kind)
        data, at = (data + group).ljust(after.offset, b"\0"), after
    return data


def framed(data):
    """The frames of complete groups, and the place behind them."""
    found, whole, stop, end = [], 0, -1, START
    for frame in walk(data, START):
        if frame.kind is Kind.MARKER:
            stop = group_end(frame, read_marker(frame))
        else:
            found.append(frame)
        if frame.after.offset == stop:
            whole, end = len(found), Position(-(-stop // 512) * 512, frame.after.index, frame.after.chain)
    return found[:whole], end


def rows(records):
    return [
        (
            records.first + place,
            records.odd.get(place, Kind.EVENT),
            *records.parts(place),
            records.texts[place],
        )
        for place in range(len(records.texts))
    ]


def check(data):
    frames, end = framed(data)
    records, after = read_groups(data, START, BASE)
    assert after == end
    assert [row[:4] for row in rows(records)] == [(f.index, f.kind, f.payload, f.change) for f in frames]
    for place, offset in enumerate(records.offsets):
        assert data[offset - BASE :].startswith(records.texts[place])
    events = list(records.events())
    assert [(index, event) for index, _, event in events] == [
        (f.index, f.payload) for f in frames if f.kind is Kind.EVENT
    ]
    assert all(data[offset - BASE :].startswith(event) for _, offset, event in events)
    return frames


@given(groups)
def test_whole_groups_are_read(made):
    data = written(made)
    assert len(check(data)) == sum(len(texts) for texts, _ in made)
    check(data + bytes(2048))


@given(groups, st.integers(0, 1 << 14), st.integers(0, 255))
def test_what_is_torn_or_changed_ends_it_at_the_same_record(made, at, byte):
    data = bytearray(written(made))
    check(bytes(data[:at]))
    if data:
        data[at % len(data)] = byte
        check(bytes(data))


@given(groups, st.integers(0, 20))
def test_a_place_within_a_group_may_be_the_end(made, count):
    data = written(made)
    frames = [frame for frame in walk(data, START) if frame.kind is not Kind.MARKER]
    if count < len(frames):
        records = read_up_to(data, START, frames[count].after, BASE)
        assert [row[:4] for row in rows(records)] == [
            (f.index, f.kind, f.payload, f.change) for f in frames[: count + 1]
        ]
        whole = read_groups(data, START, BASE)[0]
        assert records.texts == whole.texts[: count + 1]
        assert records.offsets == whole.offsets[: count + 1]
    assert read_up_to(data, START, Position(0, 10**6, bytes(32)), BASE) is None


class Syncing(OsDisk):
    """Counts the syncs of segments that are opened to be read."""

    def __init__(self):
        self.syncs = 0

    def open(self, path):
        file, synced = super().open(path), self

        class Counted(OsFile):
            def sync(self):
                synced.syncs += 1
                super().sync()

        file.__class__ = Counted
        return file


def test_what_is_known_to_be_durable_is_not_synced_again(tmp_path):
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    journal.append([b"{1}", b"{2}"])
    for durable, syncs in ((0, 1), (1, 1), (2, 0), (9, 0)):
        disk = Syncing()
        read = list(parts(tmp_path, "w0", None, disk, durable))
        assert [event.payload for part in read for event in part.events] == [b"{1}", b"{2}"]
        assert disk.syncs == syncs
        assert list(parts(tmp_path, "w0", read[-1].cursor, disk, durable)) == []
    journal.abandon()
