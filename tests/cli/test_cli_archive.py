import errno
import io
import json
import os
import tarfile
from hashlib import sha256

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keystead.cli import archive
from keystead.cli.output import Failed

CONTENT = {
    "root.sealed": b"sealed",
    "store.db": bytes(range(256)) * 40,
    "journal/w0/00000000.seg": bytes(2048),
}


def manifest(files):
    entries = tuple(archive.Member(n, len(c), sha256(c).hexdigest()) for n, c in files.items())
    return archive.Manifest(keystead="0", created="now", seal="file", commit=1, files=entries)


@pytest.fixture
def packed(tmp_path):
    source = tmp_path / "source"
    archive.make_directories(tmp_path, ["source/journal/w0/-"])
    for name, content in CONTENT.items():
        (source / name).write_bytes(content)
    target = tmp_path / "backup.tar"
    archive.pack(target, source, manifest(CONTENT))
    return target


@pytest.mark.parametrize("told", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_backup_is_made_where_there_are_no_hard_links_and_replaces_nothing(
    tmp_path, packed, monkeypatch, told
):
    """On a stick, or a network share, as each file system refuses them."""

    def refused(_source, _target):
        raise OSError(told, os.strerror(told))

    monkeypatch.setattr(os, "link", refused)
    archive.pack(tmp_path / "stick.tar", tmp_path / "source", manifest(CONTENT))
    assert (tmp_path / "stick.tar").read_bytes() == packed.read_bytes()
    (tmp_path / "there.tar").write_bytes(b"older")
    with pytest.raises(Failed, match="exists already; a backup is never overwritten"):
        archive.pack(tmp_path / "there.tar", tmp_path / "source", manifest(CONTENT))
    assert (tmp_path / "there.tar").read_bytes() == b"older"
    assert not list(tmp_path.glob("*.partial"))


def unpacked(path, directory):
    directory.mkdir()
    return archive.unpack(path, directory)


def rewritten(path, members):
    """An archive of (name or TarInfo, content)."""
    with tarfile.open(path, "w") as tar:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def as_json(value):
    return json.dumps(
        {
            "version": value.version,
            "keystead": "0",
            "created": "now",
            "seal": "file",
            "commit": 1,
            "files": [{"name": m.name, "size": m.size, "sha256": m.sha256} for m in value.files],
        }
    ).encode()


def test_what_was_packed_comes_back_private(packed, tmp_path):
    back = tmp_path / "back"
    assert unpacked(packed, back) == manifest(CONTENT)
    assert packed.stat().st_mode & 0o777 == 0o600
    for name, content in CONTENT.items():
        assert (back / name).read_bytes() == content
        assert (back / name).stat().st_mode & 0o777 == 0o600
    assert (back / "journal").stat().st_mode & 0o777 == 0o700


def test_a_backup_is_never_overwritten_even_if_it_appears_meanwhile(packed, tmp_path):
    with pytest.raises(Failed, match="exists already"):
        archive.pack(packed, tmp_path / "source", manifest(CONTENT))
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["backup.tar"]


@pytest.mark.parametrize(
    "name", ["../store.db", "/tmp/store.db", "journal/../../x", "other", "journal/w0/x.seg"]
)
def test_a_name_that_does_not_belong_is_refused_even_if_the_manifest_has_it(name, tmp_path):
    files = {name: b"x"}
    path = rewritten(tmp_path / "evil.tar", [("manifest.json", as_json(manifest(files))), *files.items()])
    with pytest.raises(Failed, match="does not belong"):
        unpacked(path, tmp_path / "back")
    assert list((tmp_path / "back").iterdir()) == []


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_only_plain_files_are_restored(kind, tmp_path):
    info = tarfile.TarInfo("store.db")
    info.type, info.linkname = kind, "/etc/passwd"
    head = ("manifest.json", as_json(manifest({"store.db": b""})))
    with pytest.raises(Failed, match="does not belong"):
        unpacked(rewritten(tmp_path / "evil.tar", [head, (info, b"")]), tmp_path / "back")


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([], "not a backup"),
        ([("store.db", b"x")], "does not begin with manifest.json"),
        ([("manifest.json", b"{")], "manifest.json cannot be read"),
        ([("manifest.json", as_json(manifest({})).replace(b": 1", b": 9", 1))], "another Keystead"),
        ([("manifest.json", as_json(manifest(CONTENT)))], "root.sealed is missing"),
        ([("manifest.json", as_json(manifest({}))), ("store.db", b"x")], "store.db does not belong"),
        (
            [("manifest.json", as_json(manifest({"store.db": b"x"}))), ("store.db", b"y")],
            "store.db is not what",
        ),
        (
            [("manifest.json", as_json(manifest({"store.db": b"x"}))), ("store.db", b"xx")],
            "store.db is not what",
        ),
    ],
)
def test_what_is_wrong_with_an_archive_is_told(members, told, tmp_path):
    with pytest.raises(Failed, match=told):
        unpacked(rewritten(tmp_path / "bad.tar", members), tmp_path / "back")


def test_a_member_that_comes_twice_is_refused(tmp_path):
    file = ("store.db", b"x")
    path = rewritten(tmp_path / "bad.tar", [("manifest.json", as_json(manifest(dict([file])))), file, file])
    with pytest.raises(Failed, match="does not belong"):
        unpacked(path, tmp_path / "back")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_changed_byte_is_refused_or_changes_no_content(packed, tmp_path_factory, data):
    good = packed.read_bytes()
    place = data.draw(st.integers(0, len(good) - 1))
    raw = bytearray(good)
    raw[place] ^= data.draw(st.integers(1, 255))
    where = tmp_path_factory.mktemp("changed")
    (where / "b.tar").write_bytes(raw)
    try:
        unpacked(where / "b.tar", where / "back")
    except Failed:
        return
    assert {n: (where / "back" / n).read_bytes() for n in CONTENT} == CONTENT


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(length=st.integers(0, 15_000))
def test_a_cut_archive_is_refused(packed, tmp_path_factory, length):
    where = tmp_path_factory.mktemp("cut")
    (where / "b.tar").write_bytes(packed.read_bytes()[:length])
    try:
        unpacked(where / "b.tar", where / "back")
    except Failed:
        return
    assert {n: (where / "back" / n).read_bytes() for n in CONTENT} == CONTENT
