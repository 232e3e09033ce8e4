"""Evidence that ages, beside a running server and by command: archived, held, pruned, and verified afterwards."""

import itertools
import json
import os
import threading
import time

import msgspec
import pytest
from click.testing import CliRunner

from keystead.api.usage import USES_UP_TO
from keystead.audit import verify
from keystead.audit.custody import open_log_keys
from keystead.audit.event import event_time
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.logfiles import LogFiles
from keystead.audit.sink import sink_of
from keystead.cli import journals
from keystead.cli.deployment import opened, the_seal
from keystead.cli.main import cli
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring
from keystead.services.cloudtrail.delivery import Route, deliver, trails_of, turn
from keystead.services.cloudtrail.retention import planned, prune
from keystead.settings import Settings
from keystead.testing import RunningServer
from keystead_verify.main import run

LONG_AGO = 1_700_000_000
DAY = 86_400.0


def old_event(number):
    return json.dumps(
        {
            "eventID": f"{number:08d}-1111-4111-8111-111111111111",
            "eventName": "Encrypt",
            "eventSource": "kms.amazonaws.com",
            "eventTime": event_time(LONG_AGO + number),
            "awsRegion": "us-east-1",
            "recipientAccountId": "000000000000",
            "userIdentity": {"type": "IAMUser", "arn": "arn:aws:iam::000000000000:user/old"},
            "readOnly": False,
        }
    ).encode()


@pytest.fixture
def data(tmp_path):
    """A deployment with 1000 events of long ago in small segments."""
    RunningServer(tmp_path / "d").open_store().close()
    journal = Journal.open(tmp_path / "d", "w0", segment_size=1 << 15, prepare_ahead=False)
    for start in range(0, 1000, 20):
        journal.append([old_event(number) for number in range(start, start + 20)])
    journal.close()
    (tmp_path / "cold").mkdir()
    return tmp_path / "d"


def settings(data, **more):
    return {
        "retention_days": 30,
        "trail_directory": str(data.parent),
        "archive_bucket": "cold",
        **more,
    }


def keystead(*arguments, status=0):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == status, result.output
    return result.output


def segments(data):
    return sorted(path.name for path in (data / "journal/w0").glob("*.seg"))


def until(condition):
    """None, once it holds; the server works on it in a thread of its own."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.02)


def settled(server):
    """None, once the log has all that the journal has, and last uses are flushed."""
    server.client("kms").create_key()
    server.clock.advance(60)
    until(lambda: server.store.transaction().get(USES_UP_TO, "w0") is not None)
    until(lambda: in_log(server) >= server.app.journal.next_index)


def in_log(server):
    head = LogFiles(server.data_dir).head()
    return 0 if head is None else head.journals.get("w0", 0)


def names(server):
    found = server.client("cloudtrail").lookup_events(MaxResults=50)["Events"]
    return [event["EventName"] for event in found]


def test_the_commands_archive_and_prune_beside_the_server(data, capsys):
    where = ("--trail-directory", data.parent, "--archive-bucket", "cold", "--retention-days", "30")
    with RunningServer(data, **settings(data)) as server:
        settled(server)
        shown = keystead("audit", "retention", "show", "--data-dir", data, *where)
        assert "it is not archived yet" in shown
        before = segments(data)
        assert keystead(
            "audit", "hold", "place", "case-7", "--data-dir", data, "--reason", "x", "--everything"
        )
        told = keystead("audit", "retention", "apply", "--data-dir", data, *where)
        assert "the hold case-7 covers record 0" in told
        assert segments(data) == before
        keystead("audit", "hold", "release", "case-7", "--data-dir", data, "--reason", "settled")
        told = json.loads(
            keystead("audit", "retention", "apply", "--data-dir", data, *where, "--output", "json")
        )
        assert told["entries"]["to"] >= 256
        assert segments(data)[0] not in before[:-2]
        until(lambda: {"PlaceHold", "ReleaseHold", "PruneEvidence"} <= set(names(server)))
        settled(server)
        vkey = keystead("audit", "key", "--data-dir", data).strip()
    events = keystead("audit", "query", "--data-dir", data, "--operation", "ReleaseHold", "--output", "json")
    details = json.loads(events)["serviceEventDetails"]
    assert details["reason"] == "settled"
    assert details["hold"]["everything"] is True
    assert run(["bundle", str(data), "--vkey", vkey, "--output", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["pruned"]["entries"] == told["entries"]["to"]
    assert "are pruned" in keystead("audit", "verify", "--data-dir", data, "--state")
    with RunningServer(data, **settings(data)) as again:
        again.client("kms").create_key()
        assert "CreateKey" in names(again)
        assert json.loads(keystead("audit", "hold", "list", "--data-dir", data, "--output", "json")) == []


def test_the_server_archives_and_prunes_by_itself(data):
    with RunningServer(data, **settings(data)) as server:
        settled(server)
        before = segments(data)
        server.clock.advance(2 * 3600)
        until(lambda: segments(data)[0] != before[0])
        until(lambda: "PruneEvidence" in names(server))
        archived = sorted(path.name for path in data.parent.glob("cold/keystead/*/journal/w0/*"))
        assert archived == [f"{name}.gz" for name in before[: len(archived)]]
        found = server.client("cloudtrail").lookup_events(
            LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": "Encrypt"}]
        )["Events"]
        assert all(event["EventTime"].timestamp() > LONG_AGO for event in found)


def test_a_trail_that_has_not_delivered_and_alarms_that_have_not_looked_are_waited_for(data):
    (data.parent / "evidence").mkdir()
    given = settings(data, archive_bucket=None)
    with RunningServer(data, **given) as server:
        trails = server.client("cloudtrail")
        arn = trails.create_trail(Name="all", S3BucketName="evidence")["TrailARN"]
        trails.start_logging(Name="all")
        settled(server)
        keys = open_log_keys(server.store, server.entropy)
        keyring = Keyring.open(server.store, server.entropy)
        route = Route(server.store, keyring, Index(data), sink_of(server.settings), data)

        def reason(**changed):
            route.index.catch_up()  # as the command does
            asked = msgspec.structs.replace(server.settings, **changed)
            plan = planned(route, asked, keys, server.clock.now() + 90 * DAY)
            return plan.kept[-1].reason

        assert reason() == f"the trail {arn} has not read all of it yet"
        with turn(data, wait=True):
            for trail in trails_of(server.store):
                deliver(route, trail, server.clock.now(), digest_every=0)
        assert "always stays" in reason()
        assert reason(alarms="alarms.toml") == "the alarms has not read all of it yet"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("a b", "--everything"), "a hold's name is 1 to 64 letters"),
        (("late", "--from", "2026-02-01", "--to", "2026-01-01"), "--to is before --from"),
        (("h", "--key", "alias/payroll"), "alias/payroll is no ARN"),
        (("h", "--everything", "--key", "arn:aws:kms:us-east-1:111122223333:key/1"), "say what it covers"),
        (("h",), "say what it covers"),
    ],
)
def test_a_hold_that_says_too_little_or_nonsense_is_refused(tmp_path, given, said):
    arguments = ("audit", "hold", "place", *given, "--reason", "x", "--data-dir", tmp_path)
    assert said in keystead(*arguments, status=2)


def test_before_there_is_a_log_nothing_goes(tmp_path):
    keystead("init", "--data-dir", tmp_path / "d", "--account-id", "111122223333")
    told = keystead(
        "audit", "retention", "apply", "--data-dir", tmp_path / "d", "--retention-days", 1, status=1
    )
    assert "there is no log yet" in told


def test_a_backup_of_a_pruned_deployment_goes_on_with_its_log(data, tmp_path, capsys):
    with RunningServer(data, **settings(data)) as server:
        settled(server)
        where = ("--trail-directory", tmp_path, "--archive-bucket", "cold", "--retention-days", "30")
        keystead("audit", "retention", "apply", "--data-dir", data, *where)
        keystead("backup", "create", tmp_path / "b.tar", "--data-dir", data, "--with-seal-key")
        kept = (data / "log/checkpoint").read_text()
    keystead("backup", "drill", tmp_path / "b.tar")
    again = tmp_path / "again"
    keystead("backup", "restore", tmp_path / "b.tar", "--data-dir", again)
    with RunningServer(again) as restored:
        restored.client("kms").create_key()
        settled(restored)
    vkey = keystead("audit", "key", "--data-dir", again).strip()
    (tmp_path / "kept").write_text(kept)
    assert run(["consistency", str(tmp_path / "kept"), str(again), "--vkey", vkey]) == 0
    assert run(["bundle", str(again), "--vkey", vkey]) == 0
    assert "pruned" in capsys.readouterr().out
    assert keystead("audit", "verify", "--data-dir", again)


def test_before_what_goes_is_told_nothing_goes(data):
    days = ("--retention-days", "30")
    with RunningServer(data, **settings(data, archive_bucket=None)) as server:
        settled(server)
    before = sorted((data / "log/tile").rglob("*")), segments(data)
    in_the_way = data / "log" / f".pruned.{os.getpid()}"
    in_the_way.mkdir()
    told = keystead("audit", "retention", "apply", "--data-dir", data, *days, status=1)
    assert "cannot be written" in told
    assert (sorted((data / "log/tile").rglob("*")), segments(data)) == before
    in_the_way.rmdir()
    keystead("audit", "retention", "apply", "--data-dir", data, *days)
    assert len(segments(data)) < len(before[1])
    assert keystead("audit", "verify", "--data-dir", data)


@pytest.mark.parametrize("command", [("audit", "verify"), ("doctor",)])
@pytest.mark.parametrize("at", [1, 2])
def test_a_check_takes_nothing_for_missing_that_goes_by_its_age_meanwhile(monkeypatch, data, command, at):
    """A server that looks at what is old enough leaves it to its next look, whatever the check has come to."""
    given = settings(data, archive_bucket=None)
    with RunningServer(data, **given) as server:
        settled(server)
    before, pruned, steps = segments(data), [], itertools.count(1)
    with opened(data, the_seal(data, None)) as store:
        keyring, index = Keyring.open(store, SystemEntropy()), Index(data)
        index.catch_up()
        route = Route(store, keyring, index, None, data)

        def look():
            return prune(route, Settings(**given), time.time(), SystemEntropy())

        def meanwhile(step):
            def stepped(*arguments):
                found = step(*arguments)
                if next(steps) == at:
                    pruned.append(look())
                return found

            return stepped

        monkeypatch.setattr(journals, "check", meanwhile(journals.check))
        monkeypatch.setattr(verify, "known_pruned", meanwhile(verify.known_pruned))
        assert "FAIL" not in keystead(*command, "--data-dir", data).upper()
        assert pruned == [None]
        assert look().segments
        assert segments(data)[0] not in before[:-2]
