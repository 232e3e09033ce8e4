"""Material that is lent by what the key's record says of it, and rows that are not what it says."""

import pytest

from keystead.entropy import SystemEntropy
from keystead.errors import KeyUnavailable, StorageTampered
from keystead.keyring import MATERIALS, Keyring
from keystead.storage import MemoryBackend, Store
from keystead.storage.backend import Batch

ENTROPY = SystemEntropy()
PATH = ("111122223333", "us-east-1", "1234abcd-12ab-34cd-56ef-1234567890ab")
OTHER = (*PATH[:2], "0000abcd-12ab-34cd-56ef-1234567890ab")
SPEC = "SYMMETRIC_DEFAULT"


class World:
    def __init__(self):
        self.backend = MemoryBackend()
        self.store = Store.create(self.backend, b"r" * 32, ENTROPY)
        self.keyring = Keyring.open(self.store, ENTROPY)

    def fresh(self):
        """The key ring of a process that has loaded nothing."""
        return Keyring.open(Store.open(self.backend, b"r" * 32, ENTROPY), ENTROPY)

    def generate(self, path=PATH):
        return self.store.run(lambda tx: self.keyring.generate(tx, path, SPEC))

    def row(self, material, path=PATH):
        return MATERIALS.place("/".join((*path, material)))

    def edit(self, **rows):
        """Change the database as anybody with the file could."""
        self.backend.commit(Batch({}, {bytes.fromhex(place): value for place, value in rows.items()}))

    def lend(self, material, wrapped=None, path=PATH):
        store = Store.open(self.backend, b"r" * 32, ENTROPY)
        return Keyring.open(store, ENTROPY).lend_named(store.transaction(), path, SPEC, material, wrapped)


@pytest.fixture
def world():
    return World()


def test_one_material_however_it_is_found(world):
    material, wrapped = world.keyring.make(PATH, SPEC)
    sealed = world.lend(material, wrapped).seal(b"p", b"", b"s" * 32)
    world.store.run(lambda tx: world.keyring.keep(tx, PATH, material, wrapped))
    assert world.lend(material).open(sealed, b"") == b"p"
    tx = world.store.transaction()
    assert world.keyring.lend(tx, PATH, SPEC, material).open(sealed, b"") == b"p"


def test_it_is_lent_while_the_barrier_is_rotated(world):
    material = world.generate()
    reader = Store.open(world.backend, b"r" * 32, ENTROPY)
    keyring = Keyring.open(reader, ENTROPY)
    world.store.rotate_barrier()
    while not world.store.reseal():
        pass
    keyring.lend_named(reader.transaction(), PATH, SPEC, material, None)


@pytest.mark.parametrize("value", [None, b"", b"x" * 200])
def test_a_row_that_was_lost_or_overwritten_is_told(world, value):
    material = world.generate()
    world.edit(**{world.row(material).hex(): value})
    with pytest.raises(StorageTampered):
        world.lend(material)


def test_rows_that_were_swapped_are_told(world):
    one, other = world.generate(), world.generate(OTHER)
    first, second = world.row(one), world.row(other, OTHER)
    world.edit(**{first.hex(): world.backend.get(second), second.hex(): world.backend.get(first)})
    for material, path in ((one, PATH), (other, OTHER)):
        with pytest.raises(StorageTampered):
            world.lend(material, path=path)


def test_a_row_of_other_material_under_the_same_name_is_told(world):
    """As if somebody had sealed it there who can seal: what it holds is not what the name says."""
    material, other = world.generate(), world.generate()
    state = world.store.view.fresh()
    plain = state.barrier.open(world.row(other), world.backend.get(world.row(other)))
    world.edit(**{world.row(material).hex(): state.barrier.seal(world.row(material), plain)})
    with pytest.raises(StorageTampered):
        world.lend(material)


def test_what_was_destroyed_is_not_lent_and_other_material_is_not_taken_for_it(world):
    material, kept = world.generate(), world.generate()
    row = world.backend.get(world.row(material))
    world.store.run(lambda tx: world.keyring.destroy(tx, PATH, material))
    with pytest.raises(KeyUnavailable):
        world.lend(material)
    world.lend(kept)
    world.edit(**{world.row(material).hex(): row})
    # Put back, it is no record of the store's: who asks the store for proof is told.
    store = Store.open(world.backend, b"r" * 32, ENTROPY)
    with pytest.raises(StorageTampered):
        world.fresh().lend(store.transaction(), PATH, SPEC, material)


def test_wrapped_material_that_belongs_elsewhere_is_told(world):
    material, wrapped = world.keyring.make(PATH, SPEC)
    for path in (OTHER, ("444455556666", *PATH[1:])):
        with pytest.raises(StorageTampered, match="is damaged"):
            world.lend(material, wrapped, path)
