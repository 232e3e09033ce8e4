"""Events have CloudTrail's form."""

import json
from itertools import starmap

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead import errors
from keystead.audit import event, form
from keystead.identity import Caller
from keystead.wire.models import kms

ACCOUNT = "111122223333"
ARN = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
CALLER = Caller("Root", f"arn:aws:iam::{ACCOUNT}:root", ACCOUNT, ACCOUNT, "AKIAEXAMPLE000000000")
KEY = form.Resource(ACCOUNT, event.KEY_TYPE, ARN)
REQUEST = kms.EncryptRequest(key_id="alias/a", plaintext=b"very secret", encryption_context={"a": "b"})


def context(**changes):
    given = {
        "request_id": "r",
        "event_id": "e",
        "time": 1660171107.9,
        "region": "us-east-1",
        "account": ACCOUNT,
        "identity": event.identity_of(CALLER),
        "source_ip": "192.0.2.1",
        "user_agent": "aws-cli/2",
    }
    return form.EventContext(**(given | changes))


def test_a_successful_call():
    made = event.call_event(
        context(),
        "kms",
        "Encrypt",
        REQUEST,
        response=kms.EncryptResponse(ciphertext_blob=b"blob", key_id=ARN),
        resources=[KEY],
        additional={"keyMaterialId": "ab" * 32},
    )
    assert json.loads(made) == {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "Root",
            "principalId": ACCOUNT,
            "arn": f"arn:aws:iam::{ACCOUNT}:root",
            "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLE000000000",
        },
        "eventTime": "2022-08-10T22:38:27Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.1",
        "userAgent": "aws-cli/2",
        "requestParameters": {
            "keyId": "alias/a",
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT",
            "encryptionContext": {"a": "b"},
        },
        "responseElements": None,
        "additionalEventData": {"keyMaterialId": "ab" * 32},
        "requestID": "r",
        "eventID": "e",
        "readOnly": True,
        "resources": [{"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": ARN}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    }


def test_a_denied_call_shows_why_but_no_parameters():
    made = event.call_event(
        context(), "kms", "Encrypt", REQUEST, error=errors.AccessDenied("no"), resources=[KEY]
    )
    found = json.loads(made)
    assert (found["errorCode"], found["errorMessage"]) == ("AccessDenied", "no")
    assert found["requestParameters"] is None
    assert found["responseElements"] is None


def test_another_error_keeps_its_name_and_the_parameters():
    made = event.call_event(
        context(), "kms", "EnableKey", kms.EnableKeyRequest(key_id="k"), error=errors.NotFound(), key_arn=ARN
    )
    found = json.loads(made)
    assert found["errorCode"] == "NotFoundException"
    assert "errorMessage" not in found
    assert found["requestParameters"] == {"keyId": "k"}
    assert found["responseElements"] is None


def test_a_change_shows_its_answer_and_the_key():
    metadata = kms.KeyMetadata(key_id="k", arn=ARN, aws_account_id=ACCOUNT, creation_date=1660171107.5)
    made = event.call_event(
        context(),
        "kms",
        "CreateKey",
        kms.CreateKeyRequest(tags=[kms.Tag(tag_key="a", tag_value="b")], policy="{}"),
        response=kms.CreateKeyResponse(key_metadata=metadata),
        resources=[KEY],
    )
    found = json.loads(made)
    assert found["requestParameters"] == {"tags": [{"tagKey": "a", "tagValue": "b"}], "policy": "{}"}
    assert found["responseElements"] == {
        "keyMetadata": {
            "AWSAccountId": ACCOUNT,
            "keyId": "k",
            "arn": ARN,
            "creationDate": "Aug 10, 2022, 10:38:27 PM",
        }
    }
    assert found["readOnly"] is False


def test_both_accounts_of_a_call_share_an_id():
    owner = context(event_id="e2", account="444455556666", identity=event.identity_elsewhere(CALLER))
    made = starmap(
        lambda ctx, key: json.loads(
            event.call_event(ctx, "kms", "Encrypt", REQUEST, resources=[key], shared_event_id="s")
        ),
        [(context(), KEY), (owner, KEY)],
    )
    mine, theirs = made
    assert mine["sharedEventID"] == theirs["sharedEventID"] == "s"
    assert mine["eventID"] != theirs["eventID"]
    assert theirs["userIdentity"] == {"type": "AWSAccount", "principalId": ACCOUNT, "accountId": ACCOUNT}


def test_a_sessions_identity():
    issuer = event.SessionIssuer(
        type="Role", principal_id="AROAX", arn="arn:aws:iam::1:role/R", account_id="1", user_name="R"
    )
    attributes = event.SessionAttributes(creation_date="2022-08-10T22:38:27Z", mfa_authenticated="false")
    session = event.SessionContext(session_issuer=issuer, attributes=attributes)
    identity = msgspec.structs.replace(event.identity_of(CALLER), type="AssumedRole", session_context=session)
    found = json.loads(event.call_event(context(identity=identity), "kms", "Encrypt", REQUEST))
    assert found["userIdentity"]["sessionContext"] == {
        "sessionIssuer": {
            "type": "Role",
            "principalId": "AROAX",
            "arn": "arn:aws:iam::1:role/R",
            "accountId": "1",
            "userName": "R",
        },
        "webIdFederationData": {},
        "attributes": {"creationDate": "2022-08-10T22:38:27Z", "mfaAuthenticated": "false"},
    }


def test_what_a_service_does_by_itself():
    made = event.service_event(
        event_id="e",
        time=0,
        region="us-east-1",
        account=ACCOUNT,
        service="kms",
        name="DeleteKey",
        resources=[KEY],
        details={"keyId": "k"},
    )
    found = json.loads(made)
    assert found["userIdentity"] == {
        "type": "AWSService",
        "accountId": ACCOUNT,
        "invokedBy": "AWS Internal",
    }
    assert found["eventType"] == "AwsServiceEvent"
    assert found["requestParameters"] is None
    assert found["serviceEventDetails"] == {"keyId": "k"}
    assert "requestID" not in found


def test_the_connections_details():
    tls = form.TlsDetails("TLSv1.3", "TLS_AES_128_GCM_SHA256", "kms.example")
    found = json.loads(event.call_event(context(tls=tls), "kms", "Encrypt", REQUEST))
    assert found["tlsDetails"] == {
        "tlsVersion": "TLSv1.3",
        "cipherSuite": "TLS_AES_128_GCM_SHA256",
        "clientProvidedHostHeader": "kms.example",
    }


def test_an_operation_without_a_rule_has_no_event():
    with pytest.raises(KeyError):
        event.call_event(context(), "kms", "Unheard", REQUEST)


@given(agent=st.text(max_size=60), ip=st.text(max_size=40), key_id=st.text(max_size=40))
@settings(max_examples=60, deadline=None)
def test_what_a_caller_chooses_stays_within_its_member_and_on_one_line(agent, ip, key_id):
    made = event.call_event(
        context(user_agent=agent, source_ip=ip),
        "kms",
        "Encrypt",
        kms.EncryptRequest(key_id=key_id, plaintext=b"very secret"),
    )
    assert b"\n" not in made
    assert b"very secret" not in made
    found = json.loads(made)
    assert found["userAgent"] == agent
    assert found["sourceIPAddress"] == ip
    assert found["requestParameters"]["keyId"] == key_id
