import pytest
from botocore.exceptions import ClientError

from keystead.testing import allow, deny


def denied(call, **request):
    with pytest.raises(ClientError) as refusal:
        call(**request)
    return refusal.value.response["Error"]["Code"] == "AccessDeniedException"


def test_users_have_the_permissions_they_are_given(server):
    alice = server.user("alice", {"use": allow("kms:ListKeys")}, tags={"team": "a"})
    assert alice.client().list_keys()["Keys"] == []
    assert denied(alice.client().list_aliases)
    assert alice.client("sts").get_caller_identity()["Arn"] == alice.arn
    group = server.group("readers", {"read": allow("kms:ListAliases")})
    bob = server.user("bob", {"not": deny("kms:ListKeys")}, groups=[group.name])
    assert bob.client().list_aliases()["Aliases"] == []
    assert denied(bob.client().list_keys)


def test_roles_are_assumed_without_ceremony(server):
    role = server.role("reader", {"read": allow("kms:ListKeys")}, account="111122223333")
    session = server.assume(role, "me", tags={"a": "b"})
    assert session.client().list_keys()["Keys"] == []
    assert session.client("sts").get_caller_identity()["Arn"] == (
        "arn:aws:sts::111122223333:assumed-role/reader/me"
    )
    assert denied(session.client().list_aliases)
    server.advance(3601)
    with pytest.raises(ClientError, match="ExpiredToken"):
        session.client().list_keys()
