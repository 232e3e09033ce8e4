"""Each seal opens what it wrapped and nothing else, and the root key survives every crash while it is replaced."""

import json
import stat

import pytest

from keystead.entropy import SystemEntropy
from keystead.errors import SealError
from keystead.seal import (
    SEALS,
    Cost,
    FileSeal,
    PassphraseSeal,
    SealOptions,
    create_root,
    next_root,
    promote_root,
    rekey,
    seal_name,
    stage_root,
    unseal,
)

ROOT = bytes(range(32))
ENTROPY = SystemEntropy()
QUICK = Cost(memory=64, passes=1, lanes=1)


def passphrase(text="correct horse"):
    return PassphraseSeal(lambda: text, ENTROPY, QUICK)


@pytest.fixture(params=SEALS)
def seal(request, tmp_path):
    FileSeal.create(tmp_path / "seal.key")
    return SEALS[request.param](SealOptions(tmp_path, lambda: "correct horse", QUICK))


class TestEverySeal:
    def test_opens_what_it_wrapped(self, seal):
        blob = seal.wrap(ROOT)
        assert ROOT not in blob
        assert seal.unwrap(blob) == ROOT
        assert seal.wrap(ROOT) != blob

    def test_refuses_a_changed_blob(self, seal):
        blob = seal.wrap(ROOT)
        for at in range(0, len(blob), 7):
            with pytest.raises(SealError):
                seal.unwrap(blob[:at] + bytes([blob[at] ^ 0x55]) + blob[at + 1 :])
        for at in (0, 1, len(blob) - 1):
            with pytest.raises(SealError):
                seal.unwrap(blob[:at])

    def test_says_nothing_secret(self, seal):
        assert "correct" not in repr(seal)
        with pytest.raises(SealError) as caught:
            seal.unwrap(b"x")
        assert "correct" not in str(caught.value)

    def test_keeps_a_root_key_in_its_file(self, seal, tmp_path):
        root = create_root(tmp_path, seal, ENTROPY)
        assert len(root) == 32
        assert unseal(tmp_path, seal) == root
        assert seal_name(tmp_path) == seal.name
        path = tmp_path / "root.sealed"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert root not in path.read_bytes()
        with pytest.raises(SealError, match="exists already"):
            create_root(tmp_path, seal, ENTROPY)


class TestFileSeal:
    def test_its_key_is_32_bytes_that_only_the_owner_reads(self, tmp_path):
        FileSeal.create(tmp_path / "seal.key")
        assert len((tmp_path / "seal.key").read_bytes()) == 32
        assert stat.S_IMODE((tmp_path / "seal.key").stat().st_mode) == 0o600
        with pytest.raises(SealError, match="exists already"):
            FileSeal.create(tmp_path / "seal.key")

    @pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o601])
    def test_a_wider_mode_is_refused_with_the_remedy(self, tmp_path, mode):
        seal = FileSeal.create(tmp_path / "seal.key")
        blob = seal.wrap(ROOT)
        (tmp_path / "seal.key").chmod(mode)
        with pytest.raises(SealError, match=f"chmod 600 {tmp_path / 'seal.key'}"):
            seal.unwrap(blob)
        (tmp_path / "seal.key").chmod(0o400)
        assert seal.unwrap(blob) == ROOT

    def test_a_missing_damaged_or_other_key_is_named(self, tmp_path):
        path = tmp_path / "seal.key"
        blob = FileSeal.create(path).wrap(ROOT)
        path.rename(tmp_path / "kept")
        with pytest.raises(SealError, match="No such file"):
            FileSeal(path).unwrap(blob)
        FileSeal.create(path)
        with pytest.raises(SealError, match="not the key"):
            FileSeal(path).unwrap(blob)
        path.write_bytes(b"short")
        with pytest.raises(SealError, match="damaged"):
            FileSeal(path).unwrap(blob)
        path.unlink()
        path.symlink_to(tmp_path / "kept")
        with pytest.raises(SealError, match="cannot be read"):
            FileSeal(path).unwrap(blob)

    def test_every_crash_while_its_key_is_replaced_leaves_a_root_key_that_opens(self, tmp_path):
        seal = FileSeal.create(tmp_path / "seal.key")
        root = create_root(tmp_path, seal, ENTROPY)
        old = (tmp_path / "seal.key").read_bytes()
        staged = seal.staged()
        assert unseal(tmp_path, FileSeal(tmp_path / "seal.key")) == root
        rekey(tmp_path, seal, staged)
        assert unseal(tmp_path, FileSeal(tmp_path / "seal.key")) == root
        seal.settle()
        assert unseal(tmp_path, FileSeal(tmp_path / "seal.key")) == root
        assert (tmp_path / "seal.key").read_bytes() != old
        with pytest.raises(SealError):
            seal.settle()


class TestPassphraseSeal:
    def test_another_passphrase_does_not_open(self):
        blob = passphrase().wrap(ROOT)
        for other in ("correct hors", "Correct horse", "correct horse "):
            with pytest.raises(SealError, match="passphrase is wrong"):
                passphrase(other).unwrap(blob)

    def test_an_empty_passphrase_is_refused(self):
        with pytest.raises(SealError, match="empty"):
            passphrase("").wrap(ROOT)

    def test_the_cost_stands_in_the_blob(self):
        blob = passphrase().wrap(ROOT)
        assert PassphraseSeal(lambda: "correct horse").unwrap(blob) == ROOT

    def test_composed_and_decomposed_accents_are_one_passphrase(self):
        assert passphrase("caf\u00e9").unwrap(passphrase("cafe\u0301").wrap(ROOT)) == ROOT

    def test_a_blob_cannot_ask_for_all_memory(self):
        for cost in (
            Cost(2**40, 1, 1),
            Cost(64, 10**9, 1),
            Cost(64, 1, 10**6),
            Cost(7, 1, 1),
            Cost(64, 0, 0),
        ):
            greedy = PassphraseSeal(lambda: "x", ENTROPY, QUICK).wrap(ROOT)
            forged = _with_cost(greedy, cost)
            with pytest.raises(SealError, match="damaged"):
                passphrase("x").unwrap(forged)

    def test_the_default_cost_is_rfc_9106s(self):
        assert Cost() == Cost(memory=65_536, passes=3, lanes=4)

    def test_without_anybody_to_ask_it_says_so(self, tmp_path):
        with pytest.raises(SealError, match="nobody to ask"):
            SEALS["passphrase"](SealOptions(tmp_path)).wrap(ROOT)


def _with_cost(blob, cost):
    import msgspec  # only this forgery needs it

    _, salt, sealed = msgspec.msgpack.decode(blob)
    return msgspec.msgpack.encode([cost, salt, sealed])


class TestRootFile:
    def test_a_new_seal_wraps_the_same_root_key(self, tmp_path):
        file = FileSeal.create(tmp_path / "seal.key")
        root = create_root(tmp_path, file, ENTROPY)
        rekey(tmp_path, file, passphrase())
        assert unseal(tmp_path, passphrase()) == root
        with pytest.raises(SealError, match="sealed by 'passphrase', not by 'file'"):
            unseal(tmp_path, file)
        rekey(tmp_path, passphrase(), passphrase("another"))
        assert unseal(tmp_path, passphrase("another")) == root
        with pytest.raises(SealError):
            rekey(tmp_path, passphrase(), file)
        assert unseal(tmp_path, passphrase("another")) == root

    def test_a_new_root_key_is_staged_and_promoted(self, tmp_path):
        seal = FileSeal.create(tmp_path / "seal.key")
        old = create_root(tmp_path, seal, ENTROPY)
        assert next_root(tmp_path, seal) is None
        with pytest.raises(SealError):
            promote_root(tmp_path)
        stage_root(tmp_path, seal, ROOT)
        assert unseal(tmp_path, seal) == old
        assert next_root(tmp_path, seal) == ROOT
        promote_root(tmp_path)
        assert unseal(tmp_path, seal) == ROOT
        assert next_root(tmp_path, seal) is None

    def test_a_file_that_was_left_half_written_is_no_obstacle(self, tmp_path):
        seal = FileSeal.create(tmp_path / "seal.key")
        root = create_root(tmp_path, seal, ENTROPY)
        (tmp_path / "root.sealed.partial").write_bytes(b"half")
        rekey(tmp_path, seal, seal)
        assert unseal(tmp_path, seal) == root
        assert not (tmp_path / "root.sealed.partial").exists()

    def test_a_damaged_missing_newer_or_open_file_is_named(self, tmp_path):
        seal = FileSeal.create(tmp_path / "seal.key")
        path = tmp_path / "root.sealed"
        with pytest.raises(SealError, match=r"root\.sealed cannot be read"):
            unseal(tmp_path, seal)
        create_root(tmp_path, seal, ENTROPY)
        good = json.loads(path.read_bytes())
        for content, message in (
            (b"", "damaged"),
            (b"{}", "damaged"),
            (json.dumps({**good, "version": 2}).encode(), "newer Keystead"),
            (json.dumps({**good, "blob": "AAAA"}).encode(), "not the key"),
        ):
            path.write_bytes(content)
            with pytest.raises(SealError, match=message):
                unseal(tmp_path, seal)
        path.chmod(0o644)
        with pytest.raises(SealError, match="chmod 600"):
            unseal(tmp_path, seal)

    def test_a_directory_that_cannot_be_written_is_named(self, tmp_path):
        with pytest.raises(SealError, match="cannot be written"):
            FileSeal.create(tmp_path / "missing" / "seal.key")
