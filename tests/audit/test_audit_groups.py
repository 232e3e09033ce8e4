"""Records read many at once are those that are read frame by frame, from whole segments and from torn or changed ones."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystead.audit.change import join, note_record
from keystead.audit.disk import OsDisk, OsFile
from keystead.audit.follow import parts
from keystead.audit.groups import event_at, read_groups, read_up_to
from keystead.audit.journal import Journal
from keystead.audit.runs import MARK, count, in_likeness, kept, read_run
from keystead.audit.segment import PREFIX, Kind, Position, encode_group, genesis, group_end, read_marker, walk
from keystead.audit.told import told as in_pieces
from keystead.tlog.alike import REQUEST, TWO_IDS

START = Position(0, 7, genesis("w0"))
BASE = 5120


def called(user, asked, request, own):
    """An event in the order in which the server writes it, as far as runs go by that."""
    ids = b"%08d-0000-4000-8000-000000000000" % request, b"%08d-0000-4000-8000-000000000000" % own
    behind = b'","readOnly":true,"resources":%b}' % user
    return (
        b'{"userIdentity":%b,"requestParameters":%b,"responseElements":null,"requestID":"%b","eventID":"%b'
        % (user, asked, *ids)
        + behind
    )


alike = st.builds(
    called,
    st.sampled_from([b'"alice"', b'"bob"']),
    st.sampled_from([b"null", b'{"keyId":"a"}', b'{"keyId":"bc"}', b'{"requestID":"x"}']),
    st.integers(0, 10**8 - 1),
    st.integers(0, 10**8 - 1),
)
records = st.one_of(
    alike,
    alike,
    alike,
    st.binary(min_size=1, max_size=40).map(lambda text: b"{" + text),
    st.builds(
        lambda text, writes: join(b"{" + text, b"w" + writes, 9),
        st.binary(max_size=20),
        st.binary(max_size=9),
    ),
    st.just(note_record(b'{"note":"x"}', 3)),
    st.binary(min_size=1, max_size=3).filter(lambda text: not text.startswith(MARK)),
)
groups = st.lists(
    st.tuples(st.lists(records, min_size=1, max_size=9), st.sampled_from([Kind.EVENT, Kind.NOTE])), max_size=4
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
    found = []
    for start, end, run in records.stretches(0, len(records.texts)):
        if run is not None:
            alike = records.alike(run, start, end).events()
            found += [(records.first + start + n, Kind.EVENT, event, None) for n, event in enumerate(alike)]
            continue
        found += [
            (records.first + place, records.odd.get(place, Kind.EVENT), *records.parts(place))
            for place in range(start, end)
        ]
    return found


def check(data):
    frames, end = framed(data)
    records, after = read_groups(data, START, BASE)
    assert after == end
    assert rows(records) == [(f.index, f.kind, f.payload, f.change) for f in frames]
    events = list(records.events())
    assert [(index, event) for index, _, _, event in events] == [
        (f.index, f.payload) for f in frames if f.kind is Kind.EVENT
    ]
    for _, offset, length, event in events:
        assert event_at(lambda at, size: data[at - BASE :][:size], offset, length) == event
    return frames


@given(groups)
def test_whole_groups_are_read(made):
    data = written(made)
    assert len(check(data)) == sum(len(texts) for texts, _ in made)
    check(data + bytes(2048))


@given(st.lists(alike, min_size=1, max_size=40))
def test_events_that_are_alike_take_little_and_are_read_as_they_were(made):
    data = written([(made, Kind.EVENT)])
    assert [frame.payload for frame in check(data)] == made
    kinds = len({(event[:40], len(event)) for event in made})
    assert len(data) <= 1024 + len(made) * 250 + kinds * 512


@given(st.lists(st.tuples(alike, st.booleans()), min_size=1, max_size=40))
def test_events_in_pieces_are_kept_as_if_they_were_whole(made):
    same = {}
    told = []
    for event, whole in made:
        ids = event.rfind(REQUEST) + len(REQUEST)
        before, behind = event[:ids], event[ids + TWO_IDS :]
        if not whole:  # the same objects, as whoever makes events does
            before, behind = same.setdefault(before, before), same.setdefault(behind, behind)
        told.append(event if whole else in_pieces(before, event[ids : ids + TWO_IDS], behind))
    events = [event for event, _ in made]
    assert list(map(bytes, told)) == events
    assert list(map(len, told)) == list(map(len, events))
    assert encode_group(START, told) == encode_group(START, events)
    ordered = in_likeness(told)
    assert sorted(map(bytes, ordered)) == sorted(events)
    data, after = encode_group(START, ordered)
    found, _ = read_groups(data.ljust(after.offset, b"\0"), START, BASE)
    assert [event for *_, event in found.events()] == list(map(bytes, ordered))


def test_one_client_is_told_of_once_and_then_by_ids():
    made = [called(b'"alice"', b'{"keyId":"a"}' * 40, number, number + 1) for number in range(100)]
    data = written([(made, Kind.EVENT)])
    assert [frame.payload for frame in check(data)] == made
    assert len(data) < len(made[0]) + 100 * 86 + 512


def held(record):
    """How many events a record holds."""
    return count(record, read_run(record)) if record.startswith(MARK) else 1


def test_no_run_holds_more_than_can_be_held():
    made = [called(b'"alice"', b"null", number, number) for number in range(2)]
    run = kept(made, PREFIX.size)[1]
    assert read_run(run + run[-85:]).size == 85
    assert read_run(run + run[-85:] * (1 << 17)) is None
    long = b'{"keyId":"%b"}' % (b"a" * (5 << 20))
    made = [called(b'"alice"', long, number, number) for number in range(5)]
    assert [held(record) for record in kept(made, PREFIX.size)] == [1, 3, 1]
    assert [frame.payload for frame in check(written([(made, Kind.EVENT)]))] == made


def test_a_run_of_what_is_not_there_is_not_read():
    made = [called(b'"alice"', b"null", number, number) for number in range(5)]
    data = written([(made[:1], Kind.EVENT), (made, Kind.EVENT)])
    (run,) = (record for record in kept(made, PREFIX.size) if held(record) > 1)
    begin = data.index(run)
    for wrong in (
        run[:1] + b"\0\0\0\0" + run[5:],  # itself
        run[:1] + b"\0\0\xff\xff" + run[5:],  # beyond the segment
        run[:1] + (int.from_bytes(run[1:5], "big") + 1024).to_bytes(4, "big") + run[5:],  # in another group
        run[:5] + b"\xff\xff\xff\xff" + run[9:],  # more than there is before the middle
        run[:9] + b"\0\0\0\0" + run[13:],  # the end begins before the middle
        run[:13] + b"\0\0\0\1" + run[17:],  # of another length
        run[:17] + b"\0\0\0\0" + run[21:],  # without a size
        run[:17] + b"\0\0\0\3" + run[21:],  # which the middles have not
    ):
        at = data.rindex(made[0]) + len(made[0])
        chain = data[at - len(made[0]) - 32 : at - len(made[0])]
        word = data[at : at + 4]
        told = sha256(chain + word + wrong).digest()
        forged = data[: at + 4] + told + wrong + data[begin + len(run) :]
        assert [frame.payload for frame in check(forged)] == made[:1]
        assert [f.payload for f in walk(forged, START) if f.kind is Kind.EVENT] == made[:1] * 2


def test_no_record_passes_for_a_run(tmp_path):
    journal = Journal.open(tmp_path, "w0", segment_size=1 << 16, prepare_ahead=False)
    journal.append([b"{1}"])
    with pytest.raises(ValueError, match="begins as"):
        journal.append([b"{2}", MARK + bytes(40)])
    journal.append([b"{3}"])
    assert [payload for _, payload in journal.read()] == [b"{1}", b"{3}"]
    journal.abandon()


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
    if count < len(frames) and frames[count].after.chain:  # no journal goes on within a run
        records = read_up_to(data, START, frames[count].after, BASE)
        assert rows(records) == [(f.index, f.kind, f.payload, f.change) for f in frames[: count + 1]]
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
