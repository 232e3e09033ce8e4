"""A new key, or a new root key, at the very moment in which others read what it replaces."""

import errno
import os
import tarfile
import threading

import pytest
from click.testing import CliRunner

from keystead import app as apps
from keystead.cli import seal as commands
from keystead.cli.deployment import opened, the_seal
from keystead.cli.main import cli
from keystead.errors import OperatorError, SealError
from keystead.seal import private, turns


def keystead(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def data(tmp_path):
    keystead("init", "--data-dir", tmp_path / "data", "--account-id", "000000000000")
    return tmp_path / "data"


class Beside:
    """A rekey beside something else: begun by `begin`, which returns once it is done, or waits for its turn."""

    def __init__(self, monkeypatch, data, *, new_root_key=False):
        self._stands = threading.Event()
        self.waited = False
        self._failures = []
        monkeypatch.setattr(commands, "_say_waiting", self._wait, raising=False)
        options = {"data_dir": data, "passphrase_file": None, "to": None, "new_passphrase_file": None}
        self._thread = threading.Thread(target=self._run, args=({**options, "new_root_key": new_root_key},))
        self._begun = False

    def begin(self):
        if not self._begun:
            self._begun = True
            self._thread.start()
            assert self._stands.wait(300)

    def end(self):
        assert self._begun
        self._thread.join(300)
        assert not self._thread.is_alive()
        assert not self._failures

    def _wait(self):
        self.waited = True
        self._stands.set()

    def _run(self, options):
        try:
            commands.rekey_command.callback(**options)
        except (Exception, SystemExit) as error:  # noqa: BLE001  told by the thread that waits
            self._failures.append(error)
        finally:
            self._stands.set()


def begins_when_read(monkeypatch, name, beside):
    """None; the rekey begins right after another than it has read the file of that name."""
    read, reader = private.read, threading.current_thread()

    def reading(path):
        content = read(path)
        if path.name == name and threading.current_thread() is reader:
            beside.begin()
        return content

    monkeypatch.setattr(private, "read", reading)


@pytest.mark.parametrize("new_root_key", [False, True])
@pytest.mark.parametrize("name", ["root.sealed", "seal.key"])
def test_a_store_is_opened_while_what_opens_it_is_replaced(monkeypatch, data, name, new_root_key):
    seal = the_seal(data, None)
    beside = Beside(monkeypatch, data, new_root_key=new_root_key)
    begins_when_read(monkeypatch, name, beside)
    with opened(data, seal) as store:
        assert store.verify_all().findings == ()
        assert beside.waited
    beside.end()
    with opened(data, the_seal(data, None)):
        pass


@pytest.mark.parametrize("new_root_key", [False, True])
@pytest.mark.parametrize("name", ["root.sealed", "seal.key"])
def test_a_backup_made_during_a_rekey_has_the_key_that_opens_it(
    monkeypatch, tmp_path, data, name, new_root_key
):
    beside = Beside(monkeypatch, data, new_root_key=new_root_key)
    begins_when_read(monkeypatch, name, beside)
    monkeypatch.chdir(tmp_path)
    keystead("backup", "create", "one.tar", "--data-dir", data, "--with-seal-key")
    beside.end()
    with tarfile.open("one.tar") as archive:
        assert "root.sealed.next" not in archive.getnames()
    assert "would restore" in keystead("backup", "drill", "one.tar")


def test_no_root_key_is_replaced_between_a_servers_look_at_it_and_its_journal(monkeypatch, data):
    """It would go on with the old one, and its first new epoch of the barrier would open by neither."""
    beside = Beside(monkeypatch, data, new_root_key=True)
    with apps.starting(data):
        beside.begin()
        assert beside.waited
    beside.end()


def test_a_rekey_that_another_overtook_changes_nothing(monkeypatch, tmp_path, data):
    """It would wrap by a key file what a passphrase wraps by now, which it has not."""
    passphrase = tmp_path / "passphrase"
    passphrase.write_text("correct horse battery staple\n")
    beside = Beside(monkeypatch, data)
    with monkeypatch.context() as patch:
        turn = commands.changing

        def overtaken(directory, waits):
            patch.undo()
            options = ("--to", "passphrase", "--new-passphrase-file", passphrase)
            keystead("seal", "rekey", "--data-dir", data, *options)
            return turn(directory, waits)

        patch.setattr(commands, "changing", overtaken)
        options = {"passphrase_file": None, "to": None, "new_passphrase_file": None, "new_root_key": False}
        with pytest.raises(Exception, match="another command changed the seal meanwhile"):
            commands.rekey_command.callback(data_dir=data, **options)
    assert beside.waited is False
    with opened(data, the_seal(data, passphrase)):
        pass
    with pytest.raises(OperatorError), opened(data, the_seal(data, None)):
        pass


def test_a_mount_without_locks_is_named(monkeypatch, data):
    def refused(_handle, _how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    seal = the_seal(data, None)
    monkeypatch.setattr(turns.fcntl, "flock", refused)
    with pytest.raises(SealError, match="data cannot be locked: No locks available"), opened(data, seal):
        pass
    assert "FAIL" not in keystead("audit", "verify", "--journals-only", "--data-dir", data)
