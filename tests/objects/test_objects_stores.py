"""What every store of sealed objects must do; each kind that can be set is held to it."""

import threading

import pytest
from blob_stores import SERVED, opened

from keystead.crypto import Secret
from keystead.entropy import SystemEntropy
from keystead.errors import BlobMissing, BlobTruncated, SettingsError
from keystead.objects import STORES, ObjectKey, Place, new_name, open_blobs, seal, unseal
from keystead.objects.remote import REQUEST_BYTES
from keystead.settings import Settings

ENTROPY = SystemEntropy()


@pytest.fixture(scope="module", params=SERVED)
def store(request, tmp_path_factory):
    with opened(request.param, tmp_path_factory.mktemp("store")) as blobs:
        yield blobs


@pytest.fixture
def name():
    return new_name(ENTROPY)


def read(store, name, start, length):
    return b"".join(store.read(name, start, length))


def listed(store, name):
    return [entry for entry in store.stored() if entry.name == name]


def test_every_kind_of_store_is_tested():
    assert set(SERVED) == set(STORES)


@pytest.mark.parametrize("size", [0, 1, 72, 100_000, REQUEST_BYTES, 2 * REQUEST_BYTES + 5])
def test_what_was_put_reads_back(store, name, size):
    body = ENTROPY.random(size)
    chunks = [body[at : at + 300_001] for at in range(0, size, 300_001)]
    assert store.put(name, iter(chunks)) == size
    assert read(store, name, 0, size) == body
    assert read(store, name, size // 3, size // 2) == body[size // 3 :][: size // 2]
    (entry,) = listed(store, name)
    assert (entry.size, entry.whole) == (size, True)
    assert entry.changed > 1_700_000_000


@pytest.mark.parametrize(("start", "length"), [(0, 11), (9, 2), (10, 1), (500, 1)])
def test_reads_beyond_the_end_are_told(store, name, start, length):
    store.put(name, [b"0123456789"])
    with pytest.raises(BlobTruncated):
        read(store, name, start, length)


def test_a_blob_that_is_not_there_is_told(store, name):
    with pytest.raises(BlobMissing):
        read(store, name, 0, 1)
    store.put(name, [b"x"])
    store.delete(name)
    with pytest.raises(BlobMissing):
        read(store, name, 0, 1)
    assert listed(store, name) == []


def test_deleting_what_is_not_there_is_done(store, name):
    store.delete(name)
    store.delete(name)


@pytest.mark.parametrize("before", [0, 10, REQUEST_BYTES + 10, 3 * REQUEST_BYTES])
@pytest.mark.parametrize("error", [ConnectionResetError, ValueError, KeyError, GeneratorExit])
def test_a_body_that_breaks_off_leaves_nothing(store, name, before, error):
    def chunks():
        yield bytes(before)
        raise error("from the source")

    with pytest.raises(error, match="from the source"):
        store.put(name, chunks())
    with pytest.raises(BlobMissing):
        read(store, name, 0, 1)
    assert listed(store, name) == []


@pytest.mark.parametrize("bad", ["", "..", "../" + "a" * 29, "a" * 31, "A" * 32, "a" * 32 + "\n", "a/" * 16])
def test_names_that_no_blob_has_are_not_taken(store, bad):
    for act in (
        lambda: store.put(bad, [b""]),
        lambda: read(store, bad, 0, 1),
        lambda: store.delete(bad),
    ):
        with pytest.raises(ValueError, match="name of a blob"):
            act()


def test_threads_may_share_a_store(store):
    failed = []

    def work(number):
        try:
            for turn in range(5):
                name, body = new_name(ENTROPY), bytes([number]) * (10_000 + turn)
                store.put(name, [body])
                assert read(store, name, 0, len(body)) == body
                store.delete(name)
        except BaseException as error:  # noqa: BLE001  told by the main thread
            failed.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


@pytest.mark.parametrize("layers", [1, 2])
def test_sealed_objects_come_back_from_every_store(store, name, layers):
    key = ObjectKey(*(Secret(ENTROPY.random(32)) for _ in range(layers)))
    place, canary = Place("b", "k", "v"), b"canary-" + ENTROPY.random(16).hex().encode()
    body = canary * 50_000
    size = store.put(name, seal(key, place, [body], ENTROPY))
    assert canary[:12] not in read(store, name, 0, size)
    assert b"".join(unseal(key, place, len(body), lambda s, n: store.read(name, s, n))) == body


# ---------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize("chosen", ["", "sqlite:", "s3", "s3:", "s3://", "s3:///prefix", "gs://", "az:"])
def test_what_names_no_store_is_told(chosen, tmp_path):
    with pytest.raises(SettingsError, match="object_store"):
        open_blobs(Settings(object_store=chosen), tmp_path)


def test_an_azure_container_is_addressed_as_it_is_set(tmp_path):
    settings = Settings(
        object_store="az://container/prefix",
        object_store_access_key_id="account",
        object_store_secret_access_key="c2VjcmV0",
    )
    assert open_blobs(settings, tmp_path)._store.config["account_name"] == "account"


def test_bad_credentials_are_not_quoted(tmp_path):
    settings = Settings(
        object_store="az://container",
        object_store_access_key_id="account",
        object_store_secret_access_key="!secret!",
    )
    with pytest.raises(SettingsError) as told:
        open_blobs(settings, tmp_path)
    assert "secret" not in str(told.value)


def test_the_default_is_a_directory_beside_the_store(tmp_path):
    blobs = open_blobs(Settings(), tmp_path)
    blobs.put("0" * 32, [b"x"])
    assert (tmp_path / "objects" / "00" / ("0" * 32)).read_bytes() == b"x"


def test_a_deployment_that_keeps_nothing_keeps_no_objects(tmp_path):
    open_blobs(Settings(ephemeral=True), tmp_path).put("0" * 32, [b"x"])
    assert list(tmp_path.iterdir()) == []
