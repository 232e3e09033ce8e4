"""A development server whose clock was moved: its log tells later times, says why, and verifies."""

import json
import time

import pytest
from bundles import Bundle, edited
from click.testing import CliRunner
from dev_process import DevServer

from keystead.cli.main import cli
from keystead_verify.leaves import time_text

DAY = 86_400


def move(server, days):
    body = json.dumps({"advance_seconds": days * DAY}).encode()
    answer = server.client().send(server.client().prepare(None, body, target="/dev/clock"))
    assert answer.status == 200


def export(server, place):
    done = CliRunner().invoke(
        cli, ["audit", "export", "--data-dir", str(server.data_dir), "--bundle", str(place)]
    )
    assert done.exit_code == 0, done.output
    return place


def test_a_log_says_that_its_clock_was_moved_and_verifies(tmp_path, verify):
    with DevServer(tmp_path / "data", tmp_path / "logs", "--manual-clock") as server:
        client = server.client()
        key = client.call("CreateKey", {}).document["KeyMetadata"]["KeyId"]
        assert client.call("ScheduleKeyDeletion", {"KeyId": key}).status == 200
        move(server, 31)
        assert client.call("DescribeKey", {"KeyId": key}).status == 400
        move(server, 365)
        assert client.call("ListKeys", {}).status == 200
        assert server.stop() == 0
        kinds, report = verify("bundle", export(server, tmp_path / "bundle.tar"))
    assert (kinds, report["clock_moved"]) == (set(), 396 * DAY)
    assert report["last_time"] > time_text(time.time() + 395 * DAY)
    assert "was moved ahead by 34214400 seconds" in str(report["cannot_know"])
    done = CliRunner().invoke(cli, ["audit", "verify", "--data-dir", str(server.data_dir)])
    assert done.exit_code == 0, done.output


def note(advanced):
    members = {"advanced": advanced, "note": "clock"}
    return json.dumps(
        {"index": 0, "journal": "w1", "note": members, "v": 1}, sort_keys=True, separators=(",", ":")
    ).encode()


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize(
    ("advanced", "kinds"),
    [(9 * DAY, {"misdated"}), (10 * DAY, set()), (-10 * DAY, {"misdated"}), ("864000", {"misdated"})],
)
def test_times_are_explained_by_no_more_than_the_log_says(bundle, verify, before, advanced, kinds):
    *older, newest, closed = bundle.entries
    late = edited(newest, eventTime=time_text(time.time() + 10 * DAY))
    signed = Bundle(bundle.path.with_name("signed"))
    leaves = [note(advanced), late, closed] if before else [late, closed, note(advanced)]
    signed.append([*older, *leaves])
    assert verify("bundle", signed.path, "--vkey", signed.signer.key.text)[0] == kinds


def test_a_time_that_is_none_is_told(bundle, verify):
    *older, newest, closed = bundle.entries
    signed = Bundle(bundle.path.with_name("signed"))
    signed.append([*older, edited(newest, eventTime="2999-02-30T00:00:00Z"), closed])
    assert verify("bundle", signed.path, "--vkey", signed.signer.key.text)[0] == {"malformed"}
