"""What tests of guards ask for, and what they are refused."""

import json
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError

OTHERS = "444455556666"


@contextmanager
def refused(*words):
    with pytest.raises(ClientError) as caught:
        yield caught
    error = caught.value.response["Error"]
    assert error["Code"] in {"AccessDeniedException", "AccessDenied"}, error
    for word in words:
        assert word in error["Message"], error


def policy(*statements, account="000000000000"):
    root = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [root, *statements]})


def let_in(principal, *actions, **more):
    who = principal if principal == "*" else {"AWS": principal}
    return {
        "Sid": "In",
        "Effect": "Allow",
        "Principal": who,
        "Action": list(actions),
        "Resource": "*",
        **more,
    }


def told(server, name):
    """What the newest event of that name says of the guard."""
    found = [event for event in server.events() if event["eventName"] == name]
    return (found[-1].get("additionalEventData") or {}).get("guard")


PARTNER = let_in(f"arn:aws:iam::{OTHERS}:root", "kms:Decrypt")
