"""Receipts of calls that are alike, whose events share an entry of the log: each caller's opens its own event."""

import json
from queue import SimpleQueue
from uuid import UUID

import pytest

from keystead.api.receipts import ASKS, Receipts
from keystead.audit.journal import Journal
from keystead.audit.log import Sequencer
from keystead.audit.logfiles import LogFiles
from keystead.audit.logkeys import LogKeys
from keystead.receipts import verify
from keystead.wire.http import Response

KEYS = LogKeys("11111111-1111-4111-8111-111111111111", bytes(32), b"s" * 32)
VKEY = KEYS.signer(KEYS.origin(None)).key.text
CALLS = 20


def event(number):
    members = {
        "eventVersion": "1.11",
        "userIdentity": {"type": "IAMUser", "userName": "ann"},
        "eventTime": "2026-03-01T10:00:00Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "ListKeys",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.17",
        "userAgent": "agent/1",
        "requestParameters": None,
        "responseElements": None,
        "requestID": str(UUID(int=number << 64 | 1)),
        "eventID": str(UUID(int=number << 64 | 2)),
        "readOnly": True,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management",
    }
    return json.dumps(members, separators=(",", ":")).encode()


@pytest.fixture
def journal(tmp_path):
    opened = Journal.open(tmp_path, "w0", prepare_ahead=False)
    yield opened
    opened.abandon()


def test_each_of_several_callers_at_once_gets_that_of_its_own_call(tmp_path, journal):
    events = [json.loads(event(number)) for number in range(CALLS)]
    journal.append([event(number) for number in range(CALLS)])
    answers = SimpleQueue()
    desk = Receipts(
        LogFiles(tmp_path),
        "w0",
        lambda: journal.next_index,
        KEYS.salts,
        lambda call: call(),
        Sequencer(tmp_path, KEYS, lambda _: None).run,
        wait=300,
        most=CALLS,
    )
    for number, one in enumerate(events):
        awaited = desk.awaited(answers.put, "1")
        awaited.recorded(one["eventID"], event(number))
        awaited(Response(200, (("number", str(number)),), b""))
    found = [dict(answers.get().headers) for _ in range(CALLS)]
    desk.close()
    receipts = {int(headers["number"]): verify(headers[ASKS], VKEY) for headers in found}
    assert [receipts[number].event for number in range(CALLS)] == events
    assert [receipts[number].index for number in range(CALLS)] == [0] * 16 + [1] * 4
    assert verify(dict(found[0])[ASKS], VKEY, request_id=events[int(found[0]["number"])]["requestID"])
