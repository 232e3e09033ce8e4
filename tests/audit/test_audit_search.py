"""Answers of the index beside those of a look at every event."""

import json
import tempfile
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.audit.filling import Filling
from keystead.audit.index import Index
from keystead.audit.journal import Journal
from keystead.audit.query import Filter, Place, find
from keystead.audit.segment import SECTOR, decode_header

ACCOUNT, REGIONS = "111122223333", ("us-east-1", "eu-west-1")
KEYS = tuple(f"arn:aws:kms:us-east-1:{ACCOUNT}:key/{n}234abcd-12ab-34cd-56ef-1234567890ab" for n in range(3))
ALIASES = ("alias/x", f"arn:aws:kms:us-east-1:{ACCOUNT}:alias/x", "alias/y")
NAMES = ("Encrypt", "Decrypt", "CreateKey")
SOURCES = ("kms.amazonaws.com", "iam.amazonaws.com")
# Such as would lead a careless cut astray.
TRAPS = ("a", "responseElements", "readOnly", "eventID", "eventCategory", "requestParameters", 'q"', "=")
PAIRS = st.dictionaries(st.sampled_from(TRAPS), st.sampled_from(("1", "2", '",', "{")), max_size=3)


def user(name):
    return {
        "type": "IAMUser",
        "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "accessKeyId": f"AKIA{name}",
        "userName": name,
    }


def session(role, name):
    issuer = {"type": "Role", "principalId": "AROA", "arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}"
    return {
        "type": "AssumedRole",
        "arn": arn,
        "accessKeyId": "ASIA1",
        "sessionContext": {"sessionIssuer": issuer},
    }


CALLERS = (
    user("ann"),
    user("bob"),
    session("R", "ann"),
    {"type": "Root", "arn": f"arn:aws:iam::{ACCOUNT}:root"},
    {"type": "AWSService", "invokedBy": "s3.amazonaws.com"},
)


@st.composite
def members(draw):
    """An event's members in the order in which they are written; some events lack what others have."""
    some = lambda *values: draw(st.sampled_from(values))  # noqa: E731  short, for this table
    failed = some(None, None, "AccessDenied", "NotFoundException")
    key = some(*KEYS, *ALIASES)
    context = {"encryptionContext": draw(PAIRS)} if draw(st.booleans()) else {}
    source = {"sourceEncryptionContext": draw(PAIRS)} if draw(st.booleans()) else {}
    arn = some(*KEYS, *ALIASES[1:2])
    listed = [{"accountId": ACCOUNT, "type": f"AWS::KMS::{'Alias' if 'alias' in arn else 'Key'}", "ARN": arn}]
    second = some("00", "00", "01", "02")
    return (
        {
            "eventVersion": "1.11",
            "userIdentity": some(*CALLERS),
            "eventTime": f"2026-03-01T10:{some('00', '01')}:{second}Z",
            "eventSource": some(*SOURCES),
            "eventName": some(*NAMES),
            "awsRegion": some(*REGIONS),
            "sourceIPAddress": "192.0.2.1",
            "userAgent": some("a", ',"requestParameters":{', "a" * 3000),
        }
        | ({"errorCode": failed, "errorMessage": "no"} if failed else {})
        | {
            "requestParameters": some(None, {"keyId": key} | context | source),
            "responseElements": some(None, {"x": {"readOnly": True}, "responseElements": "y"}),
        }
        | some({}, {"additionalEventData": {"eventID": "z", "readOnly": "z"}})
        | {"requestID": "r", "eventID": "", "readOnly": draw(st.booleans())}
        | some({}, {"resources": listed})
        | {
            "eventType": "AwsApiCall",
            "managementEvent": some(True, True, False),
            "recipientAccountId": some(ACCOUNT, "4"),
        }
        | some({}, {"serviceEventDetails": {"a": "b"}})
        | some({}, {"sharedEventID": "s"})
        | {"eventCategory": "Management"}
        | some({}, {"tlsDetails": {"clientProvidedHostHeader": "h"}})
    )


TEXTS = {
    "operation": NAMES,
    "source": SOURCES,
    "key": (*KEYS, *ALIASES, KEYS[0].rpartition("/")[2], "%"),
    "resource_type": ("AWS::KMS::Key", "AWS::KMS::Alias"),
    "principal": (
        *(caller.get("arn", "s3.amazonaws.com") for caller in CALLERS),
        f"arn:aws:iam::{ACCOUNT}:role/R",
    ),
    "user": ("ann", "bob", "root"),
    "access_key_id": ("AKIAann", "ASIA1", "none"),
    "outcome": ("ok", "error", "AccessDenied"),
    "account": (ACCOUNT, "4"),
    "region": REGIONS,
    "event_id": tuple(f"{n:08d}-0000-4000-8000-000000000000" for n in range(8)),
    "read_only": (True, False),
    "management": (True, False),
    "since": (1772359200, 1772359201.5, 1772359260),
    "until": (1772359200, 1772359202, 1772359260),
}
QUESTIONS = st.fixed_dictionaries(
    {},
    optional={name: st.sampled_from(values) for name, values in TEXTS.items()}
    | {
        "context": st.lists(
            st.tuples(st.sampled_from(TRAPS), st.sampled_from(("1", "2", "{"))), max_size=2
        ).map(tuple)
    },
)


def seconds(event):
    minute, second = event["eventTime"][14:16], event["eventTime"][17:19]
    return 1772359200 + 60 * int(minute) + int(second)


def told(event):
    """What an event tells of each thing that can be asked for."""
    who, asked = event["userIdentity"], event["requestParameters"] or {}
    issuer = who.get("sessionContext", {}).get("sessionIssuer", {}).get("arn")
    named = {(each["type"], each["ARN"]) for each in event.get("resources", ())}
    if "alias/" in asked.get("keyId", ""):
        named.add(("AWS::KMS::Alias", asked["keyId"]))
    session_name = who["arn"].rpartition("/")[2] if who["type"] == "AssumedRole" else None
    error = event.get("errorCode")
    return {
        "operation": {event["eventName"]},
        "source": {event["eventSource"]},
        "resource_type": {kind for kind, _ in named},
        "principal": {who.get("arn") or who.get("invokedBy"), issuer},
        "user": {who.get("userName") or ("root" if who["type"] == "Root" else session_name)},
        "access_key_id": {who.get("accessKeyId")},
        "outcome": {error, "error"} if error else {"ok"},
        "account": {event["recipientAccountId"]},
        "region": {event["awsRegion"]},
        "event_id": {event["eventID"]},
        "read_only": {event["readOnly"]},
        "management": {event["managementEvent"]},
        "key": {
            end for _, arn in named for end in (arn, arn.rpartition("/")[2], arn[arn.find(":alias/") + 1 :])
        },
    }


def matches(event, asked):
    has, asked = told(event), dict(asked)
    since, until = asked.pop("since", 0), asked.pop("until", 1 << 40)
    parameters = event["requestParameters"] or {}
    contexts = (parameters.get(name, {}).items() for name in ("encryptionContext", "sourceEncryptionContext"))
    pairs = {pair for context in contexts for pair in context}
    wanted = set(asked.pop("context", ()))
    return (
        since <= seconds(event) <= until
        and wanted <= pairs
        and all(asked[name] in has[name] for name in asked)
    )


def paged(index, asked, page, newest_first):
    """All that is found, a few at a time, each time behind the last one's place as a token tells it."""
    after, seen = None, []
    while got := list(islice(find(index, asked, newest_first=newest_first, after=after, page=page), page)):
        seen += [json.loads(each.payload)["eventID"] for each in got]
        after = Place(got[-1].place.time, got[-1].place.row)
    return seen


@settings(max_examples=60, deadline=None)
@given(
    events=st.lists(members(), min_size=1, max_size=24),
    questions=st.lists(QUESTIONS, min_size=1, max_size=4),
    steps=st.lists(st.sampled_from(["fill", "ask", "restart", "none", "none"]), min_size=24, max_size=24),
    size=st.sampled_from([1, 3, 4096]),
    page=st.integers(1, 5),
    pruned=st.booleans(),
)
def test_the_index_answers_as_a_look_at_every_event(scratch, events, questions, steps, size, page, pruned):
    root = Path(tempfile.mkdtemp(dir=scratch))
    journals = [Journal.open(root, name, segment_size=8192, prepare_ahead=False) for name in ("w0", "w1")]
    index = Index(root)
    filling, rows = Filling(index), [[], []]
    with pytest.MonkeyPatch.context() as patch:
        for module in ("batches", "index"):
            patch.setattr(f"keystead.audit.{module}.SIZE", size)
        for number, (event, step) in enumerate(zip(events, steps, strict=False)):
            event["eventID"] = f"{number:08d}-0000-4000-8000-000000000000"
            which = number % 3 == 2
            journals[which].append([json.dumps(event, separators=(",", ":")).encode()])
            rows[which].append(event)
            if step == "fill":
                filling.catch_up(1)
            elif step == "ask":
                index.catch_up()
            elif step == "restart":
                filling.close()
        for journal in journals:
            journal.abandon()
        filling.catch_up(1)
        index.catch_up()
    if pruned:
        rows = [dropped(root, name, had) for name, had in zip(("w0", "w1"), rows, strict=True)]
        index.forget_pruned()
    with index.reading() as connection:
        workers = dict(connection.execute("SELECT name, id FROM worker").fetchall())
    known = [
        (seconds(event), workers[name], place, event)
        for name, had in zip(("w0", "w1"), rows, strict=True)
        for place, event in enumerate(had)
    ]
    known.sort(key=lambda each: each[:3])
    for asked in questions:
        expected = [event["eventID"] for *_, event in known if matches(event, asked)]
        assert paged(index, Filter(**asked), page, newest_first=False) == expected
        assert paged(index, Filter(**asked), page, newest_first=True) == expected[::-1]
    filling.close()


def dropped(root, worker, events):
    """Those of the events that are left after the journal's oldest segment was removed, if there is a younger one."""
    segments = sorted((root / "journal" / worker).glob("*.seg"))
    if len(segments) < 2:
        return events
    segments[0].unlink()
    return events[decode_header(segments[1].read_bytes()[:SECTOR], segments[1].name).first_index :]


def test_rows_of_one_second_go_on_behind_a_place_in_the_middle_of_a_batch(root):
    journal = Journal.open(root, "w0", prepare_ahead=False)
    text = '{"eventTime":"2026-03-01T10:00:00Z","eventName":"E","eventID":"%d"}'
    journal.append([(text % number).encode() for number in range(10_000)])
    journal.abandon()
    index = Index(root)
    assert index.catch_up().events == 10_000
    assert paged(index, Filter(), 999, newest_first=True) == [str(number) for number in range(9_999, -1, -1)]
    assert paged(index, Filter(event_id="4711"), 10, newest_first=True) == ["4711"]


@pytest.mark.parametrize("behind", ["recipientAccountId", "eventID", "eventName"])
def test_what_stands_elsewhere_than_it_is_written_counts_too(root, behind):
    journal = Journal.open(root, "w0", prepare_ahead=False)
    usual = {
        "eventTime": "2026-03-01T10:00:00Z",
        "eventName": "E",
        "requestParameters": None,
        "responseElements": None,
        "requestID": "r",
        "eventID": "00000001-0000-4000-8000-000000000000",
        "readOnly": True,
        "recipientAccountId": ACCOUNT,
    }
    pairs = list(usual.items())
    at = list(usual).index(behind) + 1
    odd = dict([*pairs[:at], ("errorCode", "AccessDenied"), *pairs[at:]])
    journal.append([json.dumps(odd, separators=(",", ":")).encode()])
    journal.abandon()
    index = Index(root)
    index.catch_up()
    assert paged(index, Filter(outcome="error"), 10, newest_first=True) == [usual["eventID"]]


def test_an_index_of_an_older_form_is_made_anew(root):
    journal = Journal.open(root, "w0", prepare_ahead=False)
    journal.append([b'{"eventTime":"2026-03-01T10:00:00Z","eventName":"E","eventID":"1"}'])
    journal.abandon()
    index = Index(root)
    with index.connected() as connection:
        connection.execute("CREATE TABLE event (id INTEGER PRIMARY KEY)")
        connection.execute("DROP TABLE posting")
        connection.execute("CREATE TABLE posting (term INTEGER, time INTEGER, event INTEGER)")
        connection.execute("UPDATE worker SET next = 99")
        connection.execute("PRAGMA user_version = 1")
    assert index.catch_up().events == 1
    assert paged(index, Filter(), 10, newest_first=True) == ["1"]


def test_who_keeps_the_index_open_goes_on_after_another_made_it_anew(root):
    journal = Journal.open(root, "w0", prepare_ahead=False)

    def append(number, name):
        event = {"eventTime": "2026-03-01T10:00:00Z", "eventName": name, "eventID": str(number)}
        journal.append([json.dumps(event).encode()])

    index = Index(root)
    filling = Filling(index)
    append(0, "One")
    append(1, "Two")
    filling.catch_up(10)
    append(2, "Other")
    index.rebuild()
    append(3, "Two")
    filling.catch_up(10)
    assert paged(index, Filter(operation="Two"), 10, newest_first=False) == ["1", "3"]
    assert paged(index, Filter(operation="Other"), 10, newest_first=False) == ["2"]
    filling.close()
    journal.abandon()
