"""`audit prove` and `audit export --bundle`: what they write is checked by the other program, with no server running."""

import json
import shutil
from uuid import UUID

import pytest
from bundles import patient
from click.testing import CliRunner

from keystead.audit.bundle import events_of
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import LogFiles
from keystead.audit.published import Published
from keystead.cli import deployment
from keystead.cli.log import log_keys
from keystead.cli.main import cli
from keystead.receipts import verify
from keystead.testing import RunningServer
from keystead_verify.main import run


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A data directory in which somebody encrypted for ann, and then for bob."""
    directory = tmp_path_factory.mktemp("prove") / "d"
    with RunningServer(directory, receipt_wait=300) as server:
        kms = patient(server)
        key = kms.create_key()["KeyMetadata"]["Arn"]
        for user in ("ann", "bob"):
            kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext={"user": user})
    return directory


@pytest.fixture
def keystead(data):
    """Runs a command of `audit`: its exit status, and what it printed."""

    def ran(command, *arguments):
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(cli, ["audit", command, "--data-dir", str(data), *given])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    return ran


@pytest.fixture
def vkey(keystead):
    return keystead("key")[1].strip()


@pytest.fixture
def event(keystead):
    """The event of the call for ann."""
    return json.loads(keystead("query", "--context", "user=ann", "--output", "json")[1])


def test_an_entry_is_proved_by_its_event_and_by_its_number(keystead, vkey, event, tmp_path, capsys):
    proof = tmp_path / "proof"
    assert keystead("prove", event["eventID"], "-o", proof) == (0, "")
    assert "ann" not in proof.read_text()
    receipt = verify(proof.read_text(), vkey, request_id=event["requestID"], operation="Encrypt")
    assert receipt.event is None
    assert keystead("prove", receipt.index) == (0, proof.read_text())
    assert run(["receipt", str(proof), "--vkey", vkey]) == 0
    assert capsys.readouterr().out.endswith("VERIFIED\n")


def test_what_is_asked_for_is_opened(keystead, vkey, event, tmp_path, capsys):
    proof = tmp_path / "proof"
    keystead("prove", event["eventID"], "-o", proof, "--open", "/requestParameters/encryptionContext")
    assert run(["receipt", str(proof), "--vkey", vkey, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["opened"] == [
        {"pointer": "/requestParameters/encryptionContext/0", "value": '["user","ann"]'}
    ]
    proof.write_text(proof.read_text().replace("ann", "bob"))
    assert run(["receipt", str(proof), "--vkey", vkey]) == 1
    assert "FAIL false-opening: entry" in capsys.readouterr().out
    keystead("prove", event["eventID"], "-o", proof, "--open", "event")
    assert verify(proof.read_text(), vkey).event == event


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (("2", "--open", "/resources"), 1, "entry 2 commits to nothing at /resources, but to /caller, /req"),
        (("2", "--open", "everything"), 2, "'everything' is neither `event`, nor `all`, nor a pointer"),
        (("99",), 1, "the log has 4 entries, the last of them is number 3"),
        (("00000000-0000-4000-8000-000000000000",), 1, "the log does not show event 00000000"),
        (("ann",), 2, "'ann' is neither the number of an entry nor the id of an event"),
        (("2", "-o", "none/proof"), 1, "none/proof cannot be written"),
    ],
)
def test_what_cannot_be_proved_is_told(keystead, arguments, status, said):
    code, output = keystead("prove", *arguments)
    assert code == status
    assert said in output


def test_a_bundle_shows_of_the_events_that_match_what_it_was_told_to(keystead, vkey, event, tmp_path, capsys):
    plain, opened = tmp_path / "log.tar", tmp_path / "log.tar.gz"
    assert keystead("export", "--bundle", plain) == (0, f"4 entries and 0 openings in {plain}\n")
    shown = ("--open", "event", "--context", "user=ann")
    assert keystead("export", "--bundle", opened, *shown) == (0, f"4 entries and 1 openings in {opened}\n")
    assert plain.stat().st_mode & 0o777 == opened.stat().st_mode & 0o777 == 0o600
    for file in (plain, opened):
        assert run(["bundle", str(file), "--vkey", vkey]) == 0
    capsys.readouterr()
    assert run(["openings", str(opened), "--vkey", vkey, "--output", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["opened"]
    assert json.loads(found["value"]) == event
    assert run(["openings", str(plain), "--vkey", vkey]) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (
            ("--bundle", "log.tar", "--context", "user=ann"),
            2,
            "what is asked for only says what --open shows",
        ),
        (("--bundle", "log.tar", "--format", "ocsf"), 2, "--bundle excludes --format and --out"),
        (("--open", "all"), 2, "--open needs --bundle"),
        (("--bundle", "none/log.tar"), 1, "none/log.tar cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_packed_is_told(keystead, tmp_path, monkeypatch, arguments, status, said):
    monkeypatch.chdir(tmp_path)
    code, output = keystead("export", *arguments)
    assert code == status
    assert said in output
    assert list(tmp_path.iterdir()) == []


def test_a_deployment_without_a_log_has_nothing_to_prove(tmp_path):
    with RunningServer(tmp_path / "d"):
        pass
    for file in (tmp_path / "d" / "log").glob("head"):
        file.unlink()
    result = CliRunner().invoke(cli, ["audit", "prove", "0", "--data-dir", str(tmp_path / "d")])
    assert result.exit_code == 1
    assert "has no log yet" in result.output


@pytest.mark.parametrize("behind", ["head", "place"])
def test_beside_a_server_the_log_is_waited_for(keystead, data, event, monkeypatch, behind):
    """It follows calls a moment later; after a first start, even its beginning does."""
    head, place = LogFiles.head, Published.place
    done = []
    monkeypatch.setattr(deployment, "served", lambda _: True)
    monkeypatch.setattr(deployment, "sleep", done.append)
    if behind == "head":
        monkeypatch.setattr(LogFiles, "head", lambda files: head(files) if done else None)
    else:
        monkeypatch.setattr(Published, "place", lambda log, *of: place(log, *of) if done else None)
    code, output = keystead("prove", event["eventID"])
    assert (code, len(done)) == (0, 1)
    assert json.loads(output)["leaf"]


@pytest.fixture
def shared(data, tmp_path):
    """A copy of `data` with three more events for ann, which share the last entry; runs commands of `audit` on it."""
    directory = tmp_path / "shared"
    shutil.copytree(data, directory)
    log = Published.newest(LogFiles(directory))
    (event,) = events_of(directory, log.entry(2))
    known = json.loads(event)
    alike = [
        event.replace(known["eventID"].encode(), str(UUID(int=number << 64)).encode()) for number in (1, 2, 3)
    ]
    journal = Journal.open(directory, "w0")
    journal.append(alike)
    journal.abandon()
    Sequencer(directory, log_keys(directory, None), lambda _: None, begun=True).run()

    def ran(command, *arguments):
        given = [str(argument) for argument in arguments]
        result = CliRunner().invoke(cli, ["audit", command, "--data-dir", str(directory), *given])
        assert result.exit_code == 0, result.output
        return result.output

    return ran, directory, [json.loads(each) for each in alike]


def test_of_events_that_share_an_entry_that_one_is_shown_that_is_asked_for(shared, vkey, tmp_path, capsys):
    keystead, directory, alike = shared
    proof, number = tmp_path / "proof", Published.newest(LogFiles(directory)).size - 1
    for event in alike:
        proof.write_text(keystead("prove", event["eventID"], "--open", "event"))
        receipt = verify(proof.read_text(), vkey)
        assert (receipt.index, receipt.event) == (number, event)
        assert run(["receipt", str(proof), "--vkey", vkey]) == 0
    capsys.readouterr()
    proof.write_text(keystead("prove", number, "--open", "all"))
    assert run(["receipt", str(proof), "--vkey", vkey, "--output", "json"]) == 0
    opened = json.loads(capsys.readouterr().out)["opened"]
    assert [json.loads(one["value"]) for one in opened if not one["pointer"]] == alike
    assert sum(one["pointer"] == "/caller" for one in opened) == 1


def test_a_bundle_shows_of_events_that_share_an_entry_those_that_match(shared, vkey, tmp_path, capsys):
    keystead, _, alike = shared
    file = tmp_path / "log.tar"
    shown = ("--open", "event", "--open", "/caller")
    assert " and 6 openings in " in keystead("export", "--bundle", file, *shown, "--context", "user=ann")
    capsys.readouterr()
    assert run(["openings", str(file), "--vkey", vkey, "--output", "json"]) == 0
    opened = json.loads(capsys.readouterr().out)["opened"]
    assert [json.loads(one["value"]) for one in opened if not one["pointer"]][-3:] == alike
    one = alike[1]["eventID"]
    assert " and 1 openings in " in keystead("export", "--bundle", file, "--open", "event", "--event-id", one)
    capsys.readouterr()
    assert run(["openings", str(file), "--vkey", vkey, "--output", "json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)["opened"]
    assert json.loads(found["value"]) == alike[1]
