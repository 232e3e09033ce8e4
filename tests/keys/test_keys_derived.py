import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_keys import key_of

from keystead.crypto.ciphertext import HEADER_BYTES, Header, encode_header
from keystead.keys import Material
from keystead.keys.derived import Derived
from keystead.keys.key import CURRENT, NON_CURRENT

OLD, NEW = "a" * 64, "b" * 64
KEY = key_of(materials=(Material(id=OLD, state=NON_CURRENT), Material(id=NEW)))


class Counted(msgspec.Struct, frozen=True, dict=True):
    number: int
    asked: list[int]

    @Derived
    def doubled(self) -> int:
        """Twice the number."""
        self.asked.append(self.number)
        return 2 * self.number


def test_it_is_worked_out_once_for_each_value():
    asked: list[int] = []
    one, other = Counted(1, asked), Counted(2, asked)
    assert [one.doubled, one.doubled, other.doubled, one.doubled] == [2, 2, 4, 2]
    assert asked == [1, 2]


def test_a_changed_value_works_it_out_anew():
    asked: list[int] = []
    one = Counted(1, asked)
    assert (one.doubled, msgspec.structs.replace(one, number=5).doubled) == (2, 10)


def test_what_fails_is_not_kept():
    asked: list[int] = []
    one = Counted(None, asked)
    for _ in range(2):
        with pytest.raises(TypeError):
            _ = one.doubled
    assert asked == [None, None]


def test_of_the_class_it_is_what_was_declared():
    assert Counted.doubled.__doc__ == "Twice the number."


def test_a_key_knows_its_current_material_and_whose_blobs_begin_how():
    headers = [encode_header(Header(KEY.account, KEY.id, material)) for material in (OLD, NEW)]
    assert (KEY.current_id, KEY.header) == (NEW, headers[1])
    assert list(map(KEY.makers.get, headers)) == list(KEY.materials)


@pytest.mark.parametrize("changes", [{"materials": ()}, {"spec": "RSA_2048"}])
def test_a_key_that_makes_no_blobs_has_no_header(changes):
    assert msgspec.structs.replace(KEY, **changes).header is None


@given(place=st.integers(0, HEADER_BYTES * 8 - 1))
def test_no_other_blobs_are_taken_for_a_keys_own(place):
    changed = bytearray(KEY.header)
    changed[place // 8] ^= 1 << place % 8
    assert bytes(changed) not in KEY.makers


def test_after_a_rotation_older_blobs_are_still_the_keys_own():
    before = msgspec.structs.replace(KEY, materials=(Material(id=OLD, state=CURRENT),))
    assert KEY.makers[before.header].id == OLD
    assert KEY.header not in before.makers
