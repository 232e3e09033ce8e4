"""A store of objects that fails, or gives back what it should not: an S3 error or a broken answer, never wrong bytes."""

import os

import pytest
from botocore.exceptions import ClientError, IncompleteReadError, ResponseStreamingError

import keystead.app.server
from keystead.objects import MemoryBlobs
from keystead.testing import RunningServer
from keystead.testing.blobs import BlobFault, FaultyBlobs

LONG = os.urandom(3_000_000)
SHORT = os.urandom(100_000)
BODIES = {"long": LONG, "short": SHORT}


@pytest.fixture(scope="module")
def blobs():
    return FaultyBlobs(MemoryBlobs())


@pytest.fixture(scope="module")
def server(blobs):
    patch = pytest.MonkeyPatch()
    patch.setattr(keystead.app.server, "open_blobs", lambda _settings, _directory: blobs)
    with RunningServer(inline_objects=0) as running:
        yield running
    patch.undo()


@pytest.fixture
def stored(s3, bucket, blobs):
    """A bucket with a long and a short object, and another whose blob can be given in place of theirs."""
    blobs.fault = None
    before = {entry.name for entry in blobs.stored()}
    s3.put_object(Bucket=bucket, Key="other", Body=LONG)
    (blobs.other,) = {entry.name for entry in blobs.stored()} - before
    for name, body in BODIES.items():
        s3.put_object(Bucket=bucket, Key=name, Body=body)
    yield bucket
    blobs.fault = None


def refused(call, **named):
    with pytest.raises(ClientError) as told:
        call(**named)
    answer = told.value.response
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"]


def receive(s3, bucket, got):
    for piece in s3.get_object(Bucket=bucket, Key="long")["Body"].iter_chunks(65_536):
        got += piece


TOLD = {
    BlobFault.REFUSED: (503, "ServiceUnavailable"),
    BlobFault.MISSING: (500, "InternalError"),
    BlobFault.SHORT: (500, "InternalError"),
    BlobFault.FLIPPED: (500, "InternalError"),
    BlobFault.BROKEN: (503, "ServiceUnavailable"),
    BlobFault.SWAPPED: (500, "InternalError"),
}


@pytest.mark.parametrize("fault", TOLD)
def test_a_short_object_that_cannot_be_read_is_an_error(s3, stored, blobs, fault):
    blobs.fault = fault
    assert refused(s3.get_object, Bucket=stored, Key="short") == TOLD[fault]
    blobs.fault = None
    assert s3.get_object(Bucket=stored, Key="short")["Body"].read() == SHORT


@pytest.mark.parametrize("fault", TOLD)
def test_of_a_long_object_nothing_wrong_arrives_and_its_end_is_not_taken_for_one(s3, stored, blobs, fault):
    blobs.fault = fault
    got = bytearray()
    with pytest.raises((ClientError, IncompleteReadError, ResponseStreamingError)):
        receive(s3, stored, got)
    assert got == LONG[: len(got)]
    assert len(got) < len(LONG)
    blobs.fault = None
    assert s3.get_object(Bucket=stored, Key="long")["Body"].read() == LONG


@pytest.mark.parametrize("fault", [BlobFault.FLIPPED, BlobFault.SWAPPED])
def test_a_range_that_cannot_be_verified_is_an_error(s3, stored, blobs, fault):
    blobs.fault = fault
    assert refused(s3.get_object, Bucket=stored, Key="long", Range="bytes=2000000-2000010") == TOLD[fault]


@pytest.mark.parametrize("fault", [BlobFault.LOST, BlobFault.PERSISTED])
@pytest.mark.parametrize("size", [10, 3_000_000])
def test_a_put_that_the_store_does_not_take_is_refused_and_changes_nothing(s3, stored, blobs, fault, size):
    blobs.fault = fault
    told = refused(s3.put_object, Bucket=stored, Key="short", Body=bytes(size))
    assert told == (503, "ServiceUnavailable")
    blobs.fault = None
    assert s3.get_object(Bucket=stored, Key="short")["Body"].read() == SHORT
    s3.put_object(Bucket=stored, Key="short", Body=bytes(size))
    assert s3.get_object(Bucket=stored, Key="short")["Body"].read() == bytes(size)


def test_heads_lists_and_deletes_need_no_store(s3, stored, blobs):
    blobs.fault = BlobFault.REFUSED
    assert s3.head_object(Bucket=stored, Key="long")["ContentLength"] == len(LONG)
    s3.delete_object(Bucket=stored, Key="long")
    found = [entry["Key"] for entry in s3.list_objects_v2(Bucket=stored)["Contents"]]
    assert found == ["other", "short"]


def test_a_copy_of_what_cannot_be_read_is_an_error_and_makes_nothing(s3, stored, blobs):
    blobs.fault = BlobFault.FLIPPED
    named = {"Bucket": stored, "Key": "copy", "CopySource": f"{stored}/long"}
    assert refused(s3.copy_object, **named) == (500, "InternalError")
    blobs.fault = None
    assert refused(s3.head_object, Bucket=stored, Key="copy") == (404, "404")
