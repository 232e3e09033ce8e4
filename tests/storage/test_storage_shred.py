"""After a checkpoint the bytes of deleted and replaced records are in no file of the database."""

import random

import msgspec
import pytest

from keystead.storage import SqliteBackend, Store, Table

ROOT = bytes(range(32))
SAMPLE = 16


class Material(msgspec.Struct, frozen=True):
    secret: bytes


MATERIAL = Table("material", Material)


def files(path):
    return b"".join(
        each.read_bytes() for each in sorted(path.parent.iterdir()) if each.name.startswith(path.name)
    )


def traces(content, sealed):
    """How many of the sealed values have left any 16 bytes in `content`, looked for at several offsets."""
    step = lambda value: max(1, (len(value) - SAMPLE) // 8)  # noqa: E731  # local shorthand
    return sum(
        any(value[at : at + SAMPLE] in content for at in range(0, len(value) - SAMPLE + 1, step(value)))
        for value in sealed
    )


@pytest.mark.parametrize("seed", range(8))
def test_deleted_material_is_nowhere(tmp_path, seed):
    rng = random.Random(seed)
    sizes = rng.choice([(32,), (32, 200, 900), (500, 3_000, 9_000), (40, 20_000)])
    path = tmp_path / "store.db"
    store = Store.create(SqliteBackend(path), ROOT)
    live, gone = {}, []

    def write(transaction, key, value):
        if key in live:
            gone.append(store.backend.get(MATERIAL.place(key)))
        if value is None:
            del live[key]
            transaction.delete(MATERIAL, key)
        else:
            live[key] = value
            transaction.put(MATERIAL, key, value)

    for _ in range(60):
        transaction = store.transaction()
        touched = set()
        for _ in range(rng.randrange(1, 9)):
            key = rng.choice(sorted(live)) if live and rng.random() < 0.5 else f"{rng.getrandbits(40):x}"
            if key in touched:
                continue
            touched.add(key)
            delete = key in live and rng.random() < 0.6
            write(transaction, key, None if delete else Material(rng.randbytes(rng.choice(sizes))))
        assert store.commit([transaction]) == [None]
    content = files(path)
    assert gone
    assert traces(content, gone) > 0  # the search finds what is there: the log still holds old values
    store.checkpoint()
    content = files(path)
    assert traces(content, gone) == 0
    kept = [store.backend.get(MATERIAL.place(key)) for key in live]
    assert traces(content, kept) == len(kept)
    assert dict(store.transaction().scan(MATERIAL, "")) == live
    store.close()
    assert traces(files(path), gone) == 0


def test_a_checkpoint_does_not_wait_for_readers_of_other_threads(tmp_path):
    store = Store.create(SqliteBackend(tmp_path / "store.db"), ROOT)
    store.run(lambda transaction: transaction.put(MATERIAL, "a", Material(b"x")))
    other = SqliteBackend(tmp_path / "store.db")
    assert other.get(MATERIAL.place("a")) is not None
    store.checkpoint()
    assert other.get(MATERIAL.place("a")) is not None
    other.close()
    store.close()
