"""Receipts of a running server: whoever asks gets one of its own call, and nobody else waits for it."""

import base64
import fcntl
import json
import os
import queue
import threading
from itertools import count, takewhile
from pathlib import Path

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError
from bundles import WITNESSES
from issuers import Authority, Issuer
from signed_http import Client
from witnesses import RunningWitness

from keystead.api.receipts import WHY
from keystead.audit.custody import known_log_keys
from keystead.audit.logfiles import LogFiles
from keystead.receipts import HEADER, METADATA, MISSING_HEADER, ReceiptError, Receipts, verify
from keystead.testing import RunningServer

ROOT = "arn:aws:iam::000000000000:root"


@pytest.fixture(scope="module")
def server():
    """A server that waits for receipts as long as a busy machine needs."""
    with RunningServer(receipt_wait=300) as running:
        yield running


def vkey(server):
    keys = known_log_keys(server.store)
    return keys.signer(keys.origin(None)).key.text


def asking(client, server, **options):
    """The client, every call of which asks; and the list that its receipts are put into."""
    kept = []
    Receipts(vkey(server), keep=kept.append, **options).register(client.meta.events)
    return client, kept


@pytest.mark.parametrize(
    ("service", "operation", "members"),
    [
        ("kms", "list_keys", {}),
        ("kms", "create_key", {}),
        ("iam", "list_users", {}),
        ("sts", "get_caller_identity", {}),
        ("organizations", "list_roots", {}),
        ("cloudtrail", "describe_trails", {}),
        ("s3", "list_objects_v2", {"Bucket": "nowhere"}),
    ],
)
def test_a_call_of_any_service_gets_its_receipt(server, service, operation, members):
    client, kept = asking(server.client(service), server)
    try:
        answer = getattr(client, operation)(**members)
    except client.exceptions.ClientError as error:
        answer = error.response
    (receipt,) = kept
    assert answer["ResponseMetadata"][METADATA] is receipt
    assert receipt.entry["requestID"] == answer["ResponseMetadata"]["RequestId"]
    assert receipt.event["userIdentity"]["arn"] == ROOT
    assert receipt.event["eventID"] == receipt.entry["eventID"]
    assert receipt.event in server.events()
    assert receipt.index < receipt.size


def test_a_receipt_opens_what_the_caller_asked_for(server):
    kms, kept = asking(server.client("kms"), server)
    key = kms.create_key()["KeyMetadata"]["Arn"]
    kms.encrypt(KeyId=key, Plaintext=b"secret text", EncryptionContext={"patient": "Jane Roe"})
    created, encrypted = kept
    assert created.entry["keys"] == encrypted.entry["keys"] == [key]
    assert encrypted.event["requestParameters"]["encryptionContext"] == {"patient": "Jane Roe"}
    assert "writes" in created.entry
    assert b"secret text" not in base64.b64decode(encrypted.text)


def test_a_denied_call_gets_one_too(server):
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    user = server.user("eve")
    kms, kept = asking(user.client(), server)
    with pytest.raises(ClientError, match="AccessDenied"):
        kms.encrypt(KeyId=key, Plaintext=b"x")
    assert kept[0].entry["errorCode"] == "AccessDenied"
    assert kept[0].event["userIdentity"]["arn"] == user.arn


def test_a_call_into_another_account_gets_that_of_its_callers_event(server):
    other = "111122223333"
    policy = {
        "Statement": [{"Effect": "Allow", "Principal": {"AWS": other}, "Action": "kms:*", "Resource": "*"}]
    }
    policy["Statement"].append(policy["Statement"][0] | {"Principal": {"AWS": "000000000000"}})
    key = server.client("kms").create_key(Policy=json.dumps(policy))["KeyMetadata"]["Arn"]
    kms, kept = asking(server.client("kms", account=other), server)
    kms.encrypt(KeyId=key, Plaintext=b"x")
    assert kept[0].entry["recipientAccountId"] == other
    assert kept[0].event["userIdentity"]["accountId"] == other
    assert kept[0].entry["sharedEventID"]


def test_an_unsigned_call_that_proves_who_makes_it_gets_one(tmp_path):
    issuer = Issuer(Authority(), tmp_path)
    issuer.add_key("k1")
    (tmp_path / "ca.pem").write_bytes(issuer.authority.pem)
    trusted = {"oidc_ca": str(tmp_path / "ca.pem"), "oidc_allow_private_issuers": (issuer.url,)}
    with RunningServer(**trusted, receipt_wait=300) as running:
        provider = running.client("iam").create_open_id_connect_provider(
            Url=issuer.url, ClientIDList=["app"]
        )["OpenIDConnectProviderArn"]
        statement = {"Effect": "Allow", "Principal": {"Federated": provider}}
        statement["Action"] = "sts:AssumeRoleWithWebIdentity"
        role = running.role("Web", trust={"Version": "2012-10-17", "Statement": [statement]})
        unsigned = Config(signature_version=UNSIGNED, retries={"total_max_attempts": 1})
        sts, kept = asking(
            boto3.client("sts", endpoint_url=running.url, region_name="us-east-1", config=unsigned), running
        )
        asked = {"RoleArn": role.arn, "RoleSessionName": "pod"}
        sts.assume_role_with_web_identity(**asked, WebIdentityToken=issuer.token("k1", aud="app"))
        assert kept[0].event["userIdentity"]["type"] == "WebIdentityUser"
        with pytest.raises(ClientError, match="InvalidIdentityToken") as refused:
            sts.assume_role_with_web_identity(**asked, WebIdentityToken="no.token.at-all")
        assert refused.value.response["ResponseMetadata"]["HTTPHeaders"][MISSING_HEADER] == "not-recorded"
        sts.close()
    issuer.close()


def test_who_does_not_ask_gets_none_and_who_is_nobody_is_told_so(server):
    client = Client(server.port, server.access_key_id, server.secret_access_key)
    answer = client.call("ListKeys", {})
    assert answer.status == 200
    assert HEADER not in answer.headers
    assert MISSING_HEADER not in answer.headers
    stranger = Client(server.port, server.access_key_id, "another secret")
    answer = stranger.send(stranger.prepare("ListKeys", {}, headers={HEADER: "1"}))
    assert answer.status == 400
    assert answer.headers[MISSING_HEADER] == "not-recorded"


@pytest.fixture
def nobody_leads(tmp_path):
    """A data directory in which somebody else claims to lead, and sequences nothing; called, they give up."""
    held = os.open(tmp_path / "leader", os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(held, fcntl.LOCK_EX)

    def give_up():
        nonlocal held
        if held >= 0:
            os.close(held)
        held = -1

    yield tmp_path, give_up
    give_up()


def test_while_the_log_stands_still_only_who_asked_waits(nobody_leads):
    directory, give_up = nobody_leads
    with RunningServer(directory, receipt_wait=300) as running:
        kms, kept = asking(running.client("kms"), running)
        asked = threading.Thread(target=kms.list_keys)
        asked.start()
        plain = running.client("kms")
        for _ in range(20):
            plain.list_keys()
        assert asked.is_alive()
        give_up()
        asked.join()
        assert kept[0].entry["eventName"] == "ListKeys"


def test_an_answer_goes_out_without_its_receipt_when_the_log_stands_still_too_long(nobody_leads):
    directory, give_up = nobody_leads
    with RunningServer(directory, receipt_wait=1) as running:
        kms, _ = asking(running.client("kms"), running)
        with pytest.raises(ReceiptError) as missed:
            kms.create_key()
        assert missed.value.kind == "missing"
        answer = missed.value.answer
        reason, _, event = answer["ResponseMetadata"]["HTTPHeaders"][MISSING_HEADER].partition("; event=")
        assert reason == "late"
        assert running.events()[-1]["eventID"] == event
        lenient, _ = asking(running.client("kms"), running, required=False)
        assert [key["KeyId"] for key in lenient.list_keys()["Keys"]] == [answer["KeyMetadata"]["KeyId"]]
        with pytest.raises(ClientError, match="NotFound"):
            kms.describe_key(KeyId="12345678-1234-4234-8234-123456789012")
        give_up()


def test_no_more_wait_than_agreed(nobody_leads):
    directory, give_up = nobody_leads
    with RunningServer(directory, receipt_wait=300, max_waiting=1) as running:
        outcomes = queue.SimpleQueue()

        def ask(kms):
            try:
                outcomes.put(kms.list_keys()["ResponseMetadata"][METADATA].entry["eventName"])
            except ReceiptError as error:
                outcomes.put(str(error))
            except ClientError:  # one request waits for its turn at most, too
                ask(kms)

        clients = [asking(running.client("kms"), running)[0] for _ in range(2)]
        threads = [threading.Thread(target=ask, args=(kms,)) for kms in clients]
        for thread in threads:
            thread.start()
        assert outcomes.get().startswith("missing: busy; event=")
        give_up()
        assert outcomes.get() == "ListKeys"
        for thread in threads:
            thread.join()


def test_a_damaged_log_gives_no_receipts_but_answers(tmp_path, nobody_leads):
    directory, _ = nobody_leads
    (directory / "log").mkdir()
    (directory / "log" / "head").write_text("no head")
    with RunningServer(directory, receipt_wait=1) as running:
        kms, _ = asking(running.client("kms"), running)
        with pytest.raises(ReceiptError, match="missing: late") as missed:
            kms.list_keys()
        assert missed.value.answer["Keys"] == []


def test_who_asks_for_cosignatures_gets_them(tmp_path):
    """Also where the log goes on before the witness has answered."""
    with RunningServer(tmp_path / "d") as running:
        keys = known_log_keys(running.store)
    log = keys.signer(keys.origin(None)).key
    with RunningWitness(tmp_path / "w", log) as witness:
        key = witness.signer.key
        asked = f"http://127.0.0.1:{witness.port} {key.text}"
        with RunningServer(tmp_path / "d", witnesses=(asked,), receipt_wait=300) as running:
            kms, kept = asking(running.client("kms"), running, witnesses=[key.text])
            plain = running.client("kms")
            for _ in range(5):
                kms.list_keys()
                plain.generate_random(NumberOfBytes=1)
            assert [receipt.witnesses for receipt in kept] == [(key.name,)] * 5


def test_where_too_few_witnesses_sign_the_receipt_comes_without_them(tmp_path):
    """Time is up at the moment at which the log shows the event, also if it has been read just before."""
    nobody, asked_at = WITNESSES[0].key.text, iter((0.0,))

    def tick():
        head = LogFiles(tmp_path).head()
        known = 0 if head is None else head.journals.get("w0", 0)
        return next(asked_at, 2.0 if known >= running.app.journal.next_index else 0.0)

    with RunningServer(tmp_path, receipt_wait=1) as running:
        running.app._receipts._tick = tick
        kms, _ = asking(running.client("kms"), running, witnesses=[nobody])
        with pytest.raises(ReceiptError, match="unwitnessed: 0 of") as missed:
            kms.list_keys()
        text = missed.value.answer["ResponseMetadata"]["HTTPHeaders"][HEADER]
        assert verify(text, vkey(running)).witnesses == ()


def test_every_receipt_of_a_long_log_holds(tmp_path):
    """Beyond one bundle, where partial tiles are followed by full ones while receipts are made of them."""
    with RunningServer(tmp_path, receipt_wait=300) as running:
        plain = running.client("kms")
        kms, kept = asking(running.client("kms"), running)
        done = threading.Event()

        def crowd():
            for number in takewhile(lambda _: not done.is_set(), count()):
                plain.generate_random(NumberOfBytes=1 + number % 2)  # no two in a row share an entry

        others = threading.Thread(target=crowd)
        others.start()
        try:
            while not kept or kept[-1].size < 600:
                kms.list_keys()
        finally:
            done.set()
            others.join()
        for receipt in kept:
            assert verify(receipt.text, vkey(running)) == receipt


def test_every_reason_is_explained():
    page = (Path(__file__).parents[2] / "docs/how-to/receipts.md").read_text()
    assert all(f"`{reason}`" in page for reason in WHY)
