"""The brake: one caller deletes or re-encrypts so many objects of a bucket in a while, and no more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError
from evidence import findings

from keystead.storage.write import COUNTERS
from keystead.testing.people import allow
from keystead.testing.server import RunningServer

MOST, SECONDS = 3, 600


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(brake_objects=MOST, brake_seconds=SECONDS) as running:
        yield running
        assert findings(running.data_dir) == ()


@pytest.fixture
def person(server: RunningServer, bucket: str, made: Any) -> Any:
    """A client of somebody who may do with S3 and KMS what there is, and has nothing of our own."""
    return made(server.user(f"user-{bucket}", {"p": allow("s3:*", "kms:*")}))


@pytest.fixture
def keys(server: RunningServer) -> tuple[str, str]:
    kms = server.client("kms")
    first, second = (kms.create_key()["KeyMetadata"]["Arn"] for _ in range(2))
    return first, second


def fill(s3: Any, bucket: str, key: str) -> None:
    for number in range(2 * MOST):
        s3.put_object(
            Bucket=bucket, Key=str(number), Body=b"x", ServerSideEncryption="aws:kms", SSEKMSKeyId=key
        )


def slowed(call: Callable[[], Any]) -> None:
    with pytest.raises(ClientError) as caught:
        call()
    answer = caught.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("SlowDown", 503)
    assert "keystead:OverrideBrake" in answer["Error"]["Message"]


def delete(s3: Any, bucket: str, number: int, _key: str) -> Any:
    return s3.delete_object(Bucket=bucket, Key=str(number))


def update(s3: Any, bucket: str, number: int, key: str) -> Any:
    wanted = {"SSEKMS": {"KMSKeyArn": key, "BucketKeyEnabled": False}}
    return s3.update_object_encryption(Bucket=bucket, Key=str(number), ObjectEncryption=wanted)


def copy(s3: Any, bucket: str, number: int, key: str) -> Any:
    name = str(number)
    sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": key}
    return s3.copy_object(Bucket=bucket, Key=name, CopySource=f"{bucket}/{name}", **sealed)


@pytest.mark.parametrize("act", [delete, update, copy])
def test_beyond_the_number_a_caller_is_slowed_down_until_the_while_is_over(
    server: RunningServer, s3: Any, bucket: str, person: Any, keys: tuple[str, str], act: Any
) -> None:
    fill(s3, bucket, keys[0])
    server.clock.advance(SECONDS - server.clock.now() % SECONDS)
    for number in range(MOST):
        act(person, bucket, number, keys[1])
    slowed(lambda: act(person, bucket, MOST, keys[1]))
    assert s3.get_object(Bucket=bucket, Key=str(MOST))["Body"].read() == b"x"
    assert s3.head_object(Bucket=bucket, Key=str(MOST))["SSEKMSKeyId"] == keys[0]
    refused = [each for each in server.events() if each.get("errorCode") == "SlowDown"][-1]
    assert refused["userIdentity"]["userName"] == f"user-{bucket}"
    server.clock.advance(SECONDS)
    act(person, bucket, MOST, keys[1])


def test_many_at_once_are_refused_as_a_whole(
    s3: Any, bucket: str, person: Any, keys: tuple[str, str]
) -> None:
    fill(s3, bucket, keys[0])
    named = [{"Key": str(number)} for number in range(MOST + 1)]
    slowed(lambda: person.delete_objects(Bucket=bucket, Delete={"Objects": named}))
    assert s3.list_objects_v2(Bucket=bucket)["KeyCount"] == 2 * MOST
    person.delete_objects(Bucket=bucket, Delete={"Objects": named[:MOST]})
    slowed(lambda: person.delete_objects(Bucket=bucket, Delete={"Objects": named[MOST:]}))


def test_sessions_of_a_role_are_one_caller_others_and_other_buckets_are_not(
    server: RunningServer, s3: Any, bucket: str, person: Any, made: Any
) -> None:
    role = server.role(f"role-{bucket}", {"p": allow("s3:*")})
    sessions = [made(server.assume(role, name)) for name in ("one", "two")]
    for number in range(MOST):
        sessions[number % 2].delete_object(Bucket=bucket, Key=str(number))
    for session in sessions:
        slowed(lambda session=session: session.delete_object(Bucket=bucket, Key="k"))  # type: ignore[misc]
    person.delete_object(Bucket=bucket, Key="k")
    s3.create_bucket(Bucket=f"{bucket}-other")
    sessions[0].delete_object(Bucket=f"{bucket}-other", Key="k")


def test_the_permission_overrides_it_and_all_permissions_of_s3_do_not(
    server: RunningServer, s3: Any, bucket: str, person: Any, made: Any
) -> None:
    free = made(server.user(f"free-{bucket}", {"p": allow("s3:*", "keystead:OverrideBrake")}))
    for number in range(2 * MOST):
        free.delete_object(Bucket=bucket, Key=str(number))
    for _ in range(MOST):
        person.delete_object(Bucket=bucket, Key="k")
    slowed(lambda: person.delete_object(Bucket=bucket, Key="k"))


def test_counts_of_the_past_are_dropped(server: RunningServer, bucket: str, person: Any) -> None:
    def counts() -> int:
        return len(server.store.transaction().scan(COUNTERS, "s3 brake/"))

    person.delete_object(Bucket=bucket, Key="k")
    before = counts()
    for _ in range(3):
        server.clock.advance(SECONDS)
        person.delete_object(Bucket=bucket, Key="k")
    assert counts() == before


def test_without_the_setting_there_is_no_limit() -> None:
    with RunningServer() as server:
        s3 = server.client_of(server.user("a", {"p": allow("s3:*")}), "s3")
        s3.create_bucket(Bucket="free")
        for number in range(30):
            s3.delete_object(Bucket="free", Key=str(number))
        assert server.store.transaction().scan(COUNTERS, "s3 brake/") == []
