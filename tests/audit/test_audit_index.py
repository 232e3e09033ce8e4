import errno
import json
import os
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.query import Filter, find

KEY = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER = "arn:aws:kms:us-east-1:111122223333:key/99999999-12ab-34cd-56ef-1234567890ab"


def event(number, **members):
    return {
        "eventTime": f"2026-03-01T10:{number // 60 % 60:02d}:{number % 60:02d}Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": "us-east-1",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/alice",
            "accessKeyId": "AKIA1",
            "userName": "alice",
        },
        "requestParameters": {"keyId": KEY},
        "eventID": f"id-{number}",
        "readOnly": True,
        "resources": [{"accountId": "111122223333", "type": "AWS::KMS::Key", "ARN": KEY}],
        "recipientAccountId": "111122223333",
    } | members


def encoded(*events):
    return [json.dumps(each).encode() for each in events]


@pytest.fixture
def journal(root):
    journal = Journal.open(root, "w0", segment_size=8192, prepare_ahead=False)
    yield journal
    journal.abandon()


def ids(index, **asked):
    return [json.loads(found.payload)["eventID"] for found in find(index, Filter(**asked))]


def test_all_who_come_first_at_once_find_an_index(root):
    """Turning a file to WAL shuts others out at once, however long they would wait."""
    together = threading.Barrier(6)

    def first(_number):
        together.wait(300)
        return Index(root).positions()

    with ThreadPoolExecutor(6) as pool:
        for _ in range(40):
            assert list(pool.map(first, range(6))) == [{}] * 6
            # Where the last two close at once, SQLite leaves the files beside it to whoever comes next.
            left = {file.name for file in (root / "log").iterdir()} - {"index.db-wal", "index.db-shm"}
            assert left == {"index.db", "index.lock"}
            assert (root / "log" / "index.db").stat().st_mode & 0o777 == 0o600
            (root / "log" / "index.db").unlink()


def test_no_folder_comes_and_goes_where_others_may_walk(root, monkeypatch):
    """`Path.rglob`, which many use, raises where a folder is gone by the time that it looks into it."""
    seen, rename = [], Path.rename

    def looking(source, target):
        seen.extend(path for path in (root / "log").iterdir() if path.is_dir())
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", looking)
    assert Index(root).positions() == {}
    assert seen == []


def test_an_index_is_made_where_there_are_no_hard_links(root, monkeypatch):
    """exFAT and some network mounts refuse them so."""

    def refused(_source, _target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    assert Index(root).positions() == {}


def test_an_index_that_a_crash_left_half_made_is_made_anew(root):
    (root / "log").mkdir()
    for name in ("index.new", "index.new-wal", "index.db-wal", "index.db-shm"):
        (root / "log" / name).write_bytes(b"left")
    assert Index(root).positions() == {}
    assert sorted(file.name for file in (root / "log").iterdir()) == ["index.db", "index.lock"]


def test_takes_in_what_came_since_and_nothing_twice(root, journal):
    index = Index(root)
    journal.append(encoded(event(1), event(2)))
    assert index.catch_up().events == 2
    assert index.catch_up().events == 0
    for number in range(3, 40):
        journal.append(encoded(event(number)))
    assert index.catch_up().events == 37
    assert ids(index) == [f"id-{number}" for number in range(39, 0, -1)]


CASES = {
    "event_id": ("id-7", {}),
    "operation": ("Decrypt", {"eventName": "Decrypt"}),
    "source": ("iam.amazonaws.com", {"eventSource": "iam.amazonaws.com", "resources": []}),
    "user": (
        "bob",
        {"userIdentity": {"type": "IAMUser", "userName": "bob", "arn": "arn:aws:iam::1:user/bob"}},
    ),
    "principal": (
        "arn:aws:iam::1:role/R",
        {
            "userIdentity": {
                "type": "AssumedRole",
                "arn": "arn:aws:sts::1:assumed-role/R/s",
                "sessionContext": {"sessionIssuer": {"arn": "arn:aws:iam::1:role/R"}},
            }
        },
    ),
    "access_key_id": ("AKIA2", {"userIdentity": {"type": "Root", "accessKeyId": "AKIA2"}}),
    "outcome": ("AccessDenied", {"errorCode": "AccessDenied"}),
    "context": ((("a", "b"),), {"requestParameters": {"encryptionContext": {"a": "b", "c": "d"}}}),
    "account": ("999999999999", {"recipientAccountId": "999999999999"}),
    "region": ("eu-west-1", {"awsRegion": "eu-west-1"}),
    "read_only": (False, {"readOnly": False}),
    "resource_type": ("AWS::KMS::Alias", {"requestParameters": {"keyId": "alias/x"}}),
}


@pytest.mark.parametrize("name", CASES)
def test_finds_by(root, journal, name):
    value, members = CASES[name]
    journal.append(encoded(*(event(number) for number in range(1, 7)), event(7, **members)))
    index = Index(root)
    index.catch_up()
    assert ids(index, **{name: value}) == ["id-7"]
    assert ids(index, **{name: value}, until=0) == []


@pytest.mark.parametrize(
    "key",
    [OTHER, OTHER.rpartition("/")[2], "alias/x", "arn:aws:kms:us-east-1:111122223333:alias/x"],
)
def test_finds_keys_by_arn_id_and_alias(root, journal, key):
    named = key if "alias" in key else "k"
    resources = [{"type": "AWS::KMS::Key", "ARN": OTHER}]
    journal.append(
        encoded(event(1), event(2, resources=resources, requestParameters={"keyId": named}), event(3))
    )
    index = Index(root)
    index.catch_up()
    assert ids(index, key=key) == ["id-2"]


def test_a_pattern_in_a_name_is_no_pattern(root, journal):
    journal.append(encoded(event(1)))
    index = Index(root)
    index.catch_up()
    assert ids(index, key="%") == []
    assert ids(index, key="1234abcd-12ab-34cd-56ef-1234567890a_") == []


def test_failures_and_successes(root, journal):
    journal.append(
        encoded(event(1), event(2, errorCode="NotFoundException"), event(3, errorCode="AccessDenied"))
    )
    index = Index(root)
    index.catch_up()
    assert ids(index, outcome="error") == ["id-3", "id-2"]
    assert ids(index, outcome="ok") == ["id-1"]


def test_pages_go_on_behind_a_place(root, journal):
    for number in range(50):
        journal.append(encoded(event(number // 5, eventID=f"id-{number}")))
    index = Index(root)
    index.catch_up()
    everything = ids(index, operation="Encrypt")
    for newest in (True, False):
        after, seen = None, []
        while page := [
            f
            for f, _ in zip(
                find(index, Filter(), newest_first=newest, after=after, page=3), range(7), strict=False
            )
        ]:
            seen += [json.loads(f.payload)["eventID"] for f in page]
            after = page[-1].place
        assert seen == (everything if newest else everything[::-1])


def test_two_journals_are_one_in_time(root, journal):
    second = Journal.open(root, "w1", prepare_ahead=False)
    for number in range(20):
        (journal, second)[number % 2].append(encoded(event(number)))
    second.abandon()
    index = Index(root)
    index.catch_up()
    assert ids(index) == [f"id-{number}" for number in range(19, -1, -1)]


def test_pruned_segments_are_passed_over(root, journal):
    index = Index(root)
    for number in range(40):
        journal.append(encoded(event(number)))
    index.catch_up()
    segments = sorted((root / "journal/w0").glob("*.seg"))
    assert len(segments) > 3
    segments[0].unlink()
    left = ids(index)
    assert 0 < len(left) < 40
    assert index.forget_pruned() == 40 - len(left)
    assert ids(index) == left
    segments[1].unlink()
    assert index.rebuild() == len(ids(index)) < len(left)


def test_a_journal_pruned_before_it_was_read_is_taken_up_where_it_begins(root, journal):
    index = Index(root)
    journal.append(encoded(event(0)))
    index.catch_up()
    for number in range(1, 60):
        journal.append(encoded(event(number)))
    for segment in sorted((root / "journal/w0").glob("*.seg"))[:3]:
        segment.unlink()
    index.catch_up()
    assert "id-59" in ids(index)


def test_a_damaged_index_is_made_anew(root, journal):
    journal.append(encoded(event(1)))
    index = Index(root)
    index.catch_up()
    index.path.write_bytes(b"nonsense" * 1000)
    assert index.rebuild() == 1
    assert ids(index) == ["id-1"]


def test_what_the_writer_abandoned_is_forgotten(root, journal):
    """A failed sync: the writer goes on in a new segment before records that a reader may have seen."""
    journal.append(encoded(event(1)))
    view = journal._view
    journal.append(encoded(event(2)))
    index = Index(root)
    assert index.catch_up().events == 2
    journal._view = view
    journal._failure = "pretend that the second sync failed"
    journal.reopen()
    journal.append(encoded(event(3), event(4)))
    index.catch_up()
    assert ids(index) == ["id-4", "id-3", "id-1"]


def test_a_torn_group_is_not_read_before_it_is_whole(root, journal):
    journal.append(encoded(event(1)))
    index = Index(root)
    index.catch_up()
    path = root / "journal/w0/00000000.seg"
    before = path.read_bytes()
    journal.append(encoded(*(event(number) for number in range(2, 6))))
    whole = path.read_bytes()
    path.write_bytes(whole[: 512 * 4] + before[512 * 4 :])
    assert index.catch_up().events == 0
    path.write_bytes(whole)
    assert index.catch_up().events == 4


SOME = st.sampled_from(["a", "b"])
MEMBERS = st.fixed_dictionaries(
    {
        "eventName": SOME,
        "errorCode": st.sampled_from(["", "x", "y"]),
        "readOnly": st.booleans(),
        "awsRegion": SOME,
        "recipientAccountId": SOME,
        "userIdentity": st.fixed_dictionaries({"arn": SOME, "userName": SOME, "accessKeyId": SOME}),
        "requestParameters": st.none()
        | st.fixed_dictionaries({"encryptionContext": st.dictionaries(SOME, SOME)}),
    }
)
ASKED = st.fixed_dictionaries(
    {},
    optional={
        "operation": SOME,
        "outcome": st.sampled_from(["ok", "error", "x"]),
        "read_only": st.booleans(),
        "region": SOME,
        "account": SOME,
        "principal": SOME,
        "user": SOME,
        "access_key_id": SOME,
        "context": st.lists(st.tuples(SOME, SOME), max_size=1).map(tuple),
    },
)


def matches(each, asked):
    outcome = each["errorCode"]
    told = {
        "operation": each["eventName"],
        "read_only": each["readOnly"],
        "region": each["awsRegion"],
        "account": each["recipientAccountId"],
        "principal": each["userIdentity"]["arn"],
        "user": each["userIdentity"]["userName"],
        "access_key_id": each["userIdentity"]["accessKeyId"],
    }
    wanted = asked.get("outcome", outcome)
    pairs = set(((each["requestParameters"] or {}).get("encryptionContext") or {}).items())
    return (
        all(asked[name] == value for name, value in told.items() if name in asked)
        and (wanted == outcome or (wanted == "ok" and not outcome) or (wanted == "error" and bool(outcome)))
        and set(asked.get("context", ())) <= pairs
    )


@settings(max_examples=40, deadline=None)
@given(st.lists(MEMBERS, max_size=12), st.lists(ASKED, min_size=1, max_size=5))
def test_a_query_finds_what_a_look_at_every_event_finds(scratch, members, questions):
    root = Path(tempfile.mkdtemp(dir=scratch))
    events = [event(number, **each) for number, each in enumerate(members)]
    journal = Journal.open(root, "w0", segment_size=8192, prepare_ahead=False)
    journal.append(encoded(*events))
    journal.abandon()
    index = Index(root)
    index.catch_up()
    for asked in questions:
        expected = [each["eventID"] for each in reversed(events) if matches(each, asked)]
        assert ids(index, **asked) == expected
