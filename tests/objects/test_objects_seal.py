"""What is sealed opens from any place on, and nothing else opens at all."""

from collections import Counter
from hashlib import shake_256
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.crypto import Secret, frames
from keystead.entropy import SystemEntropy
from keystead.errors import BlobDamaged, BlobError, BlobForeign, BlobTruncated
from keystead.objects import MemoryBlobs, ObjectKey, Place, new_name, seal, sealed_size, unseal

BITS = frames.LEAST_BITS
FRAME = 1 << BITS
PIECE = FRAME + frames.TAG_BYTES
ENTROPY = SystemEntropy()
KEY = ObjectKey(Secret(b"k" * 32))
TWO = ObjectKey(Secret(b"i" * 32), Secret(b"o" * 32))
PLACE = Place("bucket", "a/key", "version", 1)

# Around the borders of frames, where mistakes live.
SIZES = st.one_of(
    st.integers(0, 40), st.builds(lambda n, d: max(0, n * FRAME + d), st.integers(0, 4), st.integers(-3, 3))
)
KEYS = st.sampled_from([KEY, TWO])


def content(size):
    return shake_256(b"content").digest(size)


def sealed(plaintext, key=KEY, place=PLACE, chunks=None):
    return b"".join(seal(key, place, chunks or [plaintext], ENTROPY, BITS))


def reader(blob, piece=1000):
    def read(start, length):
        part = blob[start : start + length]
        return iter([part[at : at + piece] for at in range(0, len(part), piece)])

    return read


def opened(blob, size, start=0, length=None, key=KEY, place=PLACE, piece=1000):
    return b"".join(unseal(key, place, size, reader(blob, piece), start, length, BITS))


# ------------------------------------------------------------------------------------- round trips


@given(size=SIZES, key=KEYS, data=st.data())
def test_any_range_of_any_size_reads_back(size, key, data):
    plaintext = content(size)
    start = data.draw(st.integers(0, size))
    length = data.draw(st.integers(0, size - start))
    blob = sealed(plaintext, key)
    assert len(blob) == sealed_size(size, len(key.layers), BITS)
    assert opened(blob, size, key=key) == plaintext
    assert opened(blob, size, start, length, key=key) == plaintext[start : start + length]


@given(
    cuts=st.lists(st.integers(0, 3 * FRAME), max_size=12),
    piece=st.sampled_from([1, 71, 72, 73, PIECE - 1, PIECE, PIECE + 1, 10 * PIECE]),
)
@settings(deadline=None)
def test_how_chunks_are_cut_changes_nothing(cuts, piece):
    plaintext = content(3 * FRAME)
    borders = [0, *sorted(cuts), len(plaintext)]
    chunks = [plaintext[a:b] for a, b in pairwise(borders)]
    assert opened(sealed(b"", chunks=chunks), len(plaintext), piece=piece) == plaintext


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_chunks_may_be_any_kind_of_bytes(kind):
    plaintext = content(2 * FRAME + 1)
    chunks = [kind(plaintext[:5]), kind(b""), kind(plaintext[5:])]
    assert opened(sealed(b"", chunks=chunks), len(plaintext)) == plaintext


@pytest.mark.parametrize("key", [KEY, TWO], ids=["one layer", "two layers"])
def test_the_default_frames_work_with_a_store(key):
    plaintext = content(1_000_000)
    store, name = MemoryBlobs(), new_name(ENTROPY)
    written = store.put(name, seal(key, PLACE, [plaintext], ENTROPY))
    assert written == sealed_size(len(plaintext), len(key.layers))

    def read(start, length):
        return store.read(name, start, length)

    assert b"".join(unseal(key, PLACE, len(plaintext), read)) == plaintext
    assert b"".join(unseal(key, PLACE, len(plaintext), read, 300_000, 7)) == plaintext[300_000:300_007]


def test_what_the_source_raises_goes_through_and_no_last_frame_is_made():
    def chunks():
        yield content(2 * FRAME)
        raise ConnectionResetError

    made = []
    with pytest.raises(ConnectionResetError):
        made.extend(seal(KEY, PLACE, chunks(), ENTROPY, BITS))
    assert len(made) == 2  # the header and one frame: the second could have been the last


@pytest.mark.parametrize(("start", "length"), [(-1, 1), (0, 11), (11, 0), (10, 1), (5, -1)])
def test_ranges_outside_of_the_object_are_refused(start, length):
    with pytest.raises(ValueError, match="range"):
        opened(sealed(b"0123456789"), 10, start, length)


def test_two_seals_of_one_plaintext_share_nothing():
    one, other = sealed(content(FRAME)), sealed(content(FRAME))
    assert one[:8] == other[:8]
    places = Counter(a == b for a, b in zip(one[8:], other[8:], strict=True))
    assert places[True] < len(one) / 100


def test_only_what_a_range_needs_is_read():
    size = 40 * FRAME
    blob, asked = sealed(content(size)), []

    def read(start, length):
        asked.append((start, length))
        return reader(blob)(start, length)

    assert len(b"".join(unseal(KEY, PLACE, size, read, 20 * FRAME + 5, 10, BITS))) == 10
    assert asked == [(0, 72), (72 + 20 * PIECE, PIECE)]


# ---------------------------------------------------------------------------------------- refusals

SIZE = 3 * FRAME + 100
WHOLE = {key: sealed(content(SIZE), key) for key in (KEY, TWO)}


@given(key=KEYS, data=st.data())
def test_any_flipped_bit_is_noticed(key, data):
    bit = data.draw(st.integers(0, len(WHOLE[key]) * 8 - 1))
    changed = bytearray(WHOLE[key])
    changed[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BlobDamaged):
        opened(bytes(changed), SIZE, key=key)


@given(key=KEYS, data=st.data())
def test_any_truncation_is_noticed(key, data):
    with pytest.raises(BlobTruncated):
        opened(WHOLE[key][: data.draw(st.integers(0, len(WHOLE[key]) - 1))], SIZE, key=key)


@given(size=st.integers(0, 5 * FRAME).filter(lambda size: size != SIZE))
def test_another_size_is_noticed_at_the_end(size):
    with pytest.raises((BlobDamaged, BlobTruncated)):
        opened(WHOLE[KEY], size)


def frames_of(blob):
    return [blob[at : at + PIECE] for at in range(72, len(blob), PIECE)]


def test_a_stream_that_ends_at_an_earlier_frame_is_noticed():
    """Whoever removes frames and lowers the size too has no frame that says it is the last."""
    blob = WHOLE[KEY][: 72 + 2 * PIECE]
    with pytest.raises(BlobDamaged):
        opened(blob, 2 * FRAME)


@pytest.mark.parametrize("order", [(1, 0, 2, 3), (0, 2, 1, 3), (0, 0, 2, 3), (0, 1, 1, 3), (2, 1, 2, 3)])
def test_frames_in_another_order_are_noticed(order):
    parts = frames_of(WHOLE[KEY])
    with pytest.raises(BlobDamaged):
        opened(WHOLE[KEY][:72] + b"".join(parts[number] for number in order), SIZE)


def test_frames_of_another_stream_of_the_same_key_and_place_are_noticed():
    other = sealed(content(SIZE))
    with pytest.raises(BlobDamaged):
        opened(WHOLE[KEY][: 72 + PIECE] + other[72 + PIECE :], SIZE)


@pytest.mark.parametrize("changed", [{"bucket": "other"}, {"key": "a/kex"}, {"version": "v"}, {"part": 2}])
@pytest.mark.parametrize("key", [KEY, TWO], ids=["one layer", "two layers"])
def test_a_blob_of_another_place_is_noticed(key, changed):
    fields = {name: getattr(PLACE, name) for name in ("bucket", "key", "version", "part")}
    with pytest.raises(BlobForeign):
        opened(WHOLE[key], SIZE, key=key, place=Place(**fields | changed))


@pytest.mark.parametrize(
    ("one", "other"),
    [(Place("ab", "c", ""), Place("a", "bc", "")), (Place("a", "", "b"), Place("a", "b", ""))],
)
def test_places_whose_texts_run_together_differ(one, other):
    with pytest.raises(BlobForeign):
        opened(sealed(b"x", place=one), 1, place=other)


def test_a_place_of_undecodable_text_is_refused():
    with pytest.raises(ValueError, match="surrogates"):
        Place("b", "\ud800", "").canonical()


@pytest.mark.parametrize(
    "key",
    [
        KEY,
        ObjectKey(Secret(b"i" * 32)),
        ObjectKey(Secret(b"o" * 32)),
        ObjectKey(Secret(b"o" * 32), Secret(b"i" * 32)),
        ObjectKey(Secret(b"i" * 32), Secret(b"x" * 32)),
        ObjectKey(Secret(b"x" * 32), Secret(b"o" * 32)),
    ],
)
def test_two_layers_need_both_keys(key):
    with pytest.raises(BlobError) as refused:
        opened(WHOLE[TWO], SIZE, key=key)
    assert type(refused.value) in (BlobForeign, BlobTruncated)


def test_one_layer_is_not_taken_for_two():
    with pytest.raises(BlobForeign):
        opened(WHOLE[KEY] + bytes(1000), SIZE, key=ObjectKey(Secret(b"x" * 32), Secret(b"k" * 32)))


def test_frames_of_another_size_than_expected_are_refused():
    blob = b"".join(seal(KEY, PLACE, [content(SIZE)], ENTROPY, BITS + 1))
    with pytest.raises(BlobForeign):
        opened(blob, SIZE)


def test_nothing_of_a_damaged_frame_is_given():
    blob = bytearray(WHOLE[KEY])
    blob[72 + 2 * PIECE + 17] ^= 1
    chunks, given_out = unseal(KEY, PLACE, SIZE, reader(bytes(blob)), frame_bits=BITS), []
    with pytest.raises(BlobDamaged):
        given_out.extend(chunks)
    assert b"".join(given_out) == content(SIZE)[: 2 * FRAME]


def test_a_wrong_start_is_told_before_anything_is_asked_for():
    with pytest.raises(BlobForeign):
        unseal(KEY, Place("b", "k", "v"), SIZE, reader(WHOLE[KEY]), frame_bits=BITS)


# -------------------------------------------------------------------------------------------- keys


@pytest.mark.parametrize("key", [b"", b"k" * 16, b"k" * 33])
def test_data_keys_have_32_bytes(key):
    with pytest.raises(ValueError, match="32 bytes"):
        ObjectKey(Secret(b"k" * 32), Secret(key))


def test_keys_show_nothing():
    assert "kkk" not in f"{KEY!r} {KEY} {vars(type(KEY))}"
