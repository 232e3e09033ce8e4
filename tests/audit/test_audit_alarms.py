"""Alarms: which events raise them, that none is lost, and that a receiver gets what it can trust."""

import hashlib
import hmac
import http.server
import json
import threading

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from keystead import errors
from keystead.api.watching import Watching
from keystead.api.webhook import SIGNATURE, AlarmSettings, read_alarms
from keystead.audit import alarms
from keystead.audit.alarm_rules import ALARMS, Change, chosen, decode
from keystead.audit.alarms import Watch
from keystead.audit.event import operator_event
from keystead.audit.journal import Journal
from keystead.cli.main import cli
from keystead.clock import SystemClock
from keystead.testing import RunningServer

SECRET = b"a secret of some length"
OUTSIDER = "999999999999"


class Receiver:
    """A receiver on loopback; `status` is what it answers, `got` what it was sent.

    Until it starts connections to its port are refused, and nobody else can have the port.
    """

    def __init__(self):
        self.got, self.status, self.arrived = [], 200, threading.Condition()
        self.server = http.server.ThreadingHTTPServer(
            ("127.0.0.1", 0), self._handler(), bind_and_activate=False
        )
        self.server.server_bind()
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True)

    def start(self):
        self.server.server_activate()
        self.thread.start()
        return self

    def _handler(receiver):  # noqa: N805  the handler's own self is another one
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.arrived:
                    receiver.got.append((self.path, dict(self.headers), body))
                    receiver.arrived.notify_all()
                self.send_response(receiver.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *given):
                pass

        return Handler

    def wait_for(self, count):
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.got) >= count, 60)

    def rules(self):
        return [json.loads(body)["rule"] for _, _, body in self.got]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def receiver():
    one = Receiver().start()
    yield one
    one.close()


def settings_file(directory, port, more=""):
    (directory / "secret").write_bytes(SECRET + b"\n")
    path = directory / "alarms.toml"
    path.write_text(
        f'webhook = "http://127.0.0.1:{port}/hook?a=b"\nsecret_file = "{directory / "secret"}"\n{more}'
    )
    return path


# ---------------------------------------------------------------------------------- rules


@pytest.fixture(scope="module")
def raised():
    """The rules that a server's events raise, by the operation of the event."""
    with RunningServer() as server:
        watch = Watch(server.data_dir, ALARMS)
        assert watch.look() == ()
        admin = server.user(
            "admin", {"all": {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}}
        )
        nobody = server.user("nobody")
        kms = admin.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        blob = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
        kms.encrypt(KeyId=key, Plaintext=b"x")
        kms.decrypt(CiphertextBlob=blob)
        kms.put_key_policy(KeyId=key, Policy=kms.get_key_policy(KeyId=key)["Policy"])
        server.root(OUTSIDER)
        for account in (OUTSIDER, server.settings.account_id):
            kms.create_grant(
                KeyId=key, GranteePrincipal=f"arn:aws:iam::{account}:root", Operations=["Decrypt"]
            )
        for _ in range(12):
            with pytest.raises(ClientError):
                nobody.client().list_keys()
        with pytest.raises(ClientError):
            nobody.client().disable_key(KeyId=key)
        kms.disable_key(KeyId=key)
        kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
        admin.client("iam").put_user_policy(
            UserName="nobody", PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []}
            | {"Statement": [{"Effect": "Allow", "Action": "kms:ListKeys", "Resource": "*"}]}),
        )  # fmt: skip
        server.client().list_keys()
        server.client().list_keys()
        found = watch.look()
        assert watch.look() == ()
        assert watch.waiting() == found
        return found


def test_each_event_raises_the_alarms_that_it_should(raised):
    assert [(notice.rule, notice.event_name) for notice in raised] == [
        ("new-principal", "Encrypt"),
        ("key-policy", "PutKeyPolicy"),
        ("grant-to-outsider", "CreateGrant"),
        ("cis-unauthorized-calls", "ListKeys"),
        ("disable-key", "DisableKey"),
        ("disable-key", "DisableKey"),
        ("schedule-key-deletion", "ScheduleKeyDeletion"),
        ("cis-iam-policy-change", "PutUserPolicy"),
        ("cis-root-use", "ListKeys"),
    ]


def test_an_alarm_names_who_what_and_where(raised):
    tried, notice = [notice for notice in raised if notice.rule == "disable-key"]
    assert (tried.principal[-6:], tried.error_code, notice.error_code) == ("nobody", "AccessDenied", "")
    assert notice.principal.endswith(":user/admin")
    assert notice.resources[0].startswith("arn:aws:kms:us-east-1:")
    assert (notice.event_source, notice.region) == ("kms.amazonaws.com", "us-east-1")
    assert notice.id == f"disable-key/{notice.event_id}"


def test_a_burst_raises_one_alarm_in_its_window(raised):
    (burst,) = [notice for notice in raised if notice.rule == "cis-unauthorized-calls"]
    assert burst.count == 5


def test_rules_can_be_changed_and_only_those_that_there_are():
    assert len(chosen({rule.name: Change(enabled=False) for rule in ALARMS})) == 0
    (burst,) = [
        r for r in chosen({"decrypt-burst": Change(count=3, window=5.0)}) if r.name == "decrypt-burst"
    ]
    assert (burst.count, burst.window) == (3, 5.0)
    with pytest.raises(errors.SettingsError, match="no alarm called 'nothing'"):
        chosen({"nothing": Change()})
    with pytest.raises(errors.SettingsError, match="count is 1 or more"):
        chosen({"disable-key": Change(count=0)})


CALLER = {"type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/a"}


@pytest.mark.parametrize(
    ("service", "name", "error", "rules"),
    [
        ("kms", "ScheduleKeyDeletion", "AccessDenied", ["schedule-key-deletion", "cis-unauthorized-calls"]),
        ("kms", "PutKeyPolicy", "MalformedPolicyDocumentException", []),
        ("iam", "CreatePolicyVersion", "LimitExceeded", ["cis-iam-policy-change"]),
        ("iam", "UpdateAssumeRolePolicy", "", ["cis-iam-policy-change"]),
        ("iam", "GetPolicy", "", []),
        ("s3", "PutBucketPolicy", "", ["cis-bucket-policy-change"]),
        (
            "s3",
            "DeleteBucketLifecycle",
            "AccessDenied",
            ["cis-unauthorized-calls", "cis-bucket-policy-change"],
        ),
        ("s3", "HeadBucket", "AccessDenied", []),
        ("s3", "GetObject", "AccessDeniedException", ["cis-unauthorized-calls"]),
        ("organizations", "MoveAccount", "AccountNotFoundException", ["cis-organization-change"]),
        ("cloudtrail", "StopLogging", "AccessDenied", ["cis-unauthorized-calls", "cis-trail-change"]),
        ("ec2", "RunInstances", "Client.UnauthorizedOperation", ["cis-unauthorized-calls"]),
    ],
)
def test_alarms_of_the_benchmark_hold_for_calls_that_failed_too(service, name, error, rules):
    told = {
        "eventID": "e", "eventName": name, "eventSource": f"{service}.amazonaws.com",
        "eventTime": "2026-01-01T00:00:00Z", "userIdentity": CALLER,
    } | ({"errorCode": error} if error else {})  # fmt: skip
    assert [rule.name for rule in ALARMS if rule.matches(decode(json.dumps(told)))] == rules


# ----------------------------------------------------------------------------- durability


def event(number, name="DisableKey", who="arn:aws:iam::1:user/a"):
    return json.dumps(
        {
            "eventID": f"e{number}", "eventName": name, "eventSource": "kms.amazonaws.com",
            "eventTime": f"2026-01-01T00:00:{number % 60:02d}Z", "userIdentity": {"type": "IAMUser", "arn": who},
        }
    ).encode()  # fmt: skip


@pytest.fixture
def journal(root):
    made = Journal.open(root, "w0", prepare_ahead=False)
    yield made
    made.abandon()


def ids(notices):
    return [notice.event_id for notice in notices]


def test_what_happened_before_the_first_watch_raises_nothing(root, journal):
    journal.append([event(1)])
    watch = Watch(root, ALARMS)
    assert watch.look() == ()
    journal.append([event(2)])
    assert ids(watch.look()) == ["e2"]


def test_alarms_that_wait_survive_whoever_found_them_and_are_not_found_again(root, journal):
    Watch(root, ALARMS).look()
    journal.append([event(1), event(2)])
    assert ids(Watch(root, ALARMS).look()) == ["e1", "e2"]
    later = Watch(root, ALARMS)
    assert later.look() == ()
    assert ids(later.waiting()) == ["e1", "e2"]
    later.told(later.waiting()[0])
    assert ids(Watch(root, ALARMS).waiting()) == ["e2"]


def test_a_disk_that_refuses_loses_no_alarm(root, journal, monkeypatch):
    watch = Watch(root, ALARMS)
    watch.look()
    journal.append([event(1)])

    def refuse(_handle):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(alarms.os, "fsync", refuse)
        with pytest.raises(errors.JournalError, match="No space"):
            watch.look()
    assert ids(Watch(root, ALARMS).look()) == ["e1"]


def test_while_too_many_wait_the_journals_keep_the_rest(root, journal, monkeypatch):
    monkeypatch.setattr(alarms, "MOST_WAITING", 3)
    watch = Watch(root, ALARMS)
    watch.look()
    for number in range(3):
        journal.append([event(number)])
    assert len(watch.look()) == 3
    journal.append([event(9)])
    assert watch.look() == ()
    watch.told(watch.waiting()[0])
    assert ids(watch.look()) == ["e9"]


def test_a_call_that_two_accounts_are_told_of_raises_one_alarm(root, journal):
    watch = Watch(root, ALARMS)
    watch.look()
    owners = json.loads(event(2)) | {"userIdentity": {"type": "AWSAccount", "principalId": "AIDA"}}
    journal.append([event(1), json.dumps(owners).encode()])
    assert ids(watch.look()) == ["e1"]


# ------------------------------------------------------------------------------- telling


def test_who_is_nobody_known_is_watched_too(root, journal):
    watch = Watch(root, ALARMS)
    watch.look()
    nobody = {"type": "AWSAccount", "principalId": "", "accountId": "anonymous"}
    refused = {"userIdentity": nobody, "errorCode": "AccessDenied"}
    journal.append([json.dumps(json.loads(event(n, "GetObject")) | refused).encode() for n in range(5)])
    (notice,) = watch.look()
    assert (notice.rule, notice.principal) == ("cis-unauthorized-calls", "anonymous")


def test_a_server_tells_its_receiver_signed(receiver, tmp_path):
    path = settings_file(tmp_path, receiver.port, "[rules.cis-root-use]\nenabled = false\n")
    with RunningServer(alarms=str(path)) as server:
        kms = server.client()
        key = kms.create_key()["KeyMetadata"]["KeyId"]
        kms.disable_key(KeyId=key)
        receiver.wait_for(1)
    assert receiver.rules() == ["disable-key"]
    target, headers, body = receiver.got[0]
    assert target == "/hook?a=b"
    assert headers["Content-Type"] == "application/json"
    stamp, code = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    expected = hmac.new(SECRET, f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    assert code == expected


def test_a_receiver_that_is_dead_delays_no_call_and_gets_everything_later(tmp_path):
    dead = Receiver()
    path = settings_file(tmp_path, dead.port, "[rules.cis-root-use]\nenabled = false\n")
    data = tmp_path / "data"
    with RunningServer(data, alarms=str(path)) as server:
        kms = server.client()
        for _ in range(3):
            kms.disable_key(KeyId=kms.create_key()["KeyMetadata"]["KeyId"])
        assert dead.got == []
    back = dead.start()
    try:
        with RunningServer(data, alarms=str(path)):
            back.wait_for(3)
        assert back.rules() == ["disable-key"] * 3
        assert len({json.loads(body)["id"] for *_, body in back.got}) == 3
    finally:
        back.close()


def test_a_receiver_that_refuses_is_told_again(receiver, root, journal, tmp_path):
    watching = Watching(root, read_alarms(settings_file(tmp_path, receiver.port)), SystemClock())
    watching.prepare()
    journal.append([event(1)])
    receiver.status = 500
    watching.run()
    assert receiver.rules() == ["disable-key"]
    assert watching._pause == 1.0
    watching._next += 3600.0
    watching.run()
    assert len(receiver.got) == 1  # it is given time
    receiver.status, watching._next = 204, 0.0
    watching.run()
    assert receiver.rules() == ["disable-key"] * 2
    watching.run()
    assert len(receiver.got) == 2
    watching.close()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('webhook = "http://example.com/"', "https beyond loopback"),
        ('webhook = "https://user@example.com/"', "plain https URL"),
        ('webhook = "ftp://example.com/"', "plain https URL"),
        ("nothing = 1", "nothing"),
        ("[rules.nothing]", "no alarm called"),
        ("=", "alarms.toml"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, text, reason):
    (tmp_path / "secret").write_bytes(SECRET)
    (tmp_path / "alarms.toml").write_text(f'secret_file = "{tmp_path / "secret"}"\n{text}\n')
    with pytest.raises(errors.SettingsError, match=reason):
        read_alarms(tmp_path / "alarms.toml")


def test_without_a_secret_nothing_is_posted(tmp_path):
    (tmp_path / "alarms.toml").write_text('webhook = "https://example.com/"\n')
    with pytest.raises(errors.SettingsError, match="at least 16 bytes"):
        read_alarms(tmp_path / "alarms.toml")
    assert AlarmSettings().webhook == ""


def test_the_command_lists_rules_and_tries_the_receiver(receiver, tmp_path):
    path, run = settings_file(tmp_path, receiver.port), CliRunner()
    listed = run.invoke(cli, ["audit", "alarms", "list", "--output", "json"])
    assert [rule["name"] for rule in json.loads(listed.output)] == [rule.name for rule in ALARMS]
    assert "5 in 300 s" in run.invoke(cli, ["audit", "alarms", "list", "--alarms", str(path)]).output
    assert run.invoke(cli, ["audit", "alarms", "test", "--alarms", str(path)]).exit_code == 0
    assert receiver.rules() == ["test"]
    receiver.status = 403
    refused = run.invoke(cli, ["audit", "alarms", "test", "--alarms", str(path)])
    assert refused.exit_code == 1
    assert "HTTP status 403" in refused.output


@pytest.mark.parametrize(("name", "rules"), [("ReleaseHold", ["hold-released"]), ("PlaceHold", [])])
def test_who_releases_a_hold_is_heard_of(name, rules):
    event = operator_event(
        event_id="11111111-1111-4111-8111-111111111111",
        time=1_700_000_000.0,
        region="us-east-1",
        account="111122223333",
        name=name,
        details={"reason": "settled"},
    )
    assert [rule.name for rule in ALARMS if rule.matches(decode(event))] == rules
