"""`keystead doctor` names what was done to a deployment, before a server finds it."""

import shutil

import pytest
from click.testing import CliRunner
from dev_process import DevServer

from keystead.cli.main import cli


def cut(data):
    for segment in (data / "journal" / "w0").glob("*.seg"):
        segment.unlink()


def without_head(data):
    (data / "log" / "head").write_text("nonsense")


def changed(data):
    bundle = next(file for file in (data / "log" / "tile" / "entries").rglob("*") if file.is_file())
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 1
    bundle.write_bytes(content)


def without_index(data):
    path = data / "log" / "index.db"
    path.write_text("nonsense")
    path.chmod(0o600)  # a server that is stopped soon may have made none yet


def open_to_all(data):
    data.chmod(0o777)


DAMAGES = (
    (open_to_all, "data is open to others (mode 0777); chmod 700 ", 1),
    (cut, "fail log: journal w0: record 0 to", 1),
    (without_head, "fail log: log/head is damaged; keep the files as they are", 1),
    (changed, "fail log: entry ", 1),
    (without_index, "file is not a database; `keystead audit reindex` makes it anew", 0),
)


@pytest.fixture(scope="module")
def deployment(tmp_path_factory):
    place = tmp_path_factory.mktemp("doctor")
    with DevServer(place / "data", place / "logs") as server:
        server.client().must("CreateKey", {})
        assert server.stop() == 0
    return place / "data"


def examined(data):
    result = CliRunner().invoke(cli, ["doctor", "--data-dir", str(data), "--listen", "127.0.0.1:1"])
    return result.exit_code, result.output


def test_what_is_whole_is_said_to_be(deployment):
    status, told = examined(deployment)
    assert status == 0
    assert "entries as signed" in told
    assert "reindex" not in told


@pytest.mark.parametrize(("damage", "told", "status"), DAMAGES, ids=[row[0].__name__ for row in DAMAGES])
def test_each_damage_is_named(deployment, tmp_path, damage, told, status):
    data = tmp_path / "data"
    shutil.copytree(deployment, data)
    damage(data)
    found = examined(data)
    assert told in found[1]
    assert found[0] == status
