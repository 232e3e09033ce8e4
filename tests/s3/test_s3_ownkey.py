"""S3's own key: made once, made anew every year and on demand; what was put stays readable, and under the key of then."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from click.testing import CliRunner
from evidence import findings

from keystead.cli.main import cli
from keystead.keyring import MATERIALS
from keystead.services.s3 import ownkey
from keystead.services.s3.tables import BUCKETS, OBJECTS
from keystead.testing.server import RunningServer

CONFIG = Config(retries={"total_max_attempts": 1})


@pytest.fixture
def server(tmp_path: Path) -> Iterator[RunningServer]:
    with RunningServer(tmp_path) as running:
        yield running
    assert findings(tmp_path) == ()


@pytest.fixture
def s3(server: RunningServer) -> Any:
    s3 = server.client_of(server.root(), "s3", config=CONFIG)
    s3.create_bucket(Bucket="bucket")
    return s3


def put(s3: Any, key: str, mode: str = "AES256") -> None:
    s3.put_object(Bucket="bucket", Key=key, Body=key.encode() * 100, ServerSideEncryption=mode)


def under(server: RunningServer, key: str) -> str:
    """The material that an object's data key is under."""
    tx = server.store.transaction()
    bucket = tx.get(BUCKETS, "bucket")
    assert bucket is not None
    version = tx.get(OBJECTS, f"{bucket.id}/{key}")
    assert version is not None
    return version.envelope.own


def read(s3: Any, *keys: str) -> None:
    for key in keys:
        assert s3.get_object(Bucket="bucket", Key=key)["Body"].read() == key.encode() * 100


def test_the_first_is_made_with_the_first_bucket(server: RunningServer, s3: Any) -> None:
    key = ownkey.newest(server.store.transaction())
    assert key is not None
    put(s3, "first")
    put(s3, "second", "aws:kms:dsse")
    s3.create_bucket(Bucket="another")
    assert [under(server, each) for each in ("first", "second")] == [key.material, key.material]
    assert ownkey.newest(server.store.transaction()) == key
    read(s3, "first", "second")


def test_where_buckets_were_before_one_is_made_when_it_is_needed(server: RunningServer, s3: Any) -> None:
    tx = server.store.transaction()
    tx.delete(ownkey.OWN_KEYS, "newest")
    server.store.commit([tx])
    server.advance(1)
    assert ownkey.newest(server.store.transaction()) is None
    put(s3, "first")
    server.advance(1)
    key = ownkey.newest(server.store.transaction())
    assert key is not None
    put(s3, "second")
    assert [under(server, each) for each in ("first", "second")] == ["", key.material]
    read(s3, "first", "second")


def test_every_year_there_is_another(server: RunningServer, s3: Any) -> None:
    put(s3, "zero")
    server.advance(1)
    put(s3, "one")
    server.advance(ownkey.PERIOD - 100)
    put(s3, "same")
    server.advance(200)
    put(s3, "two")
    one, same, two = (under(server, key) for key in ("one", "same", "two"))
    assert one == same != two
    # After years of absence there is one new key, not one for each year.
    server.advance(3 * ownkey.PERIOD)
    put(s3, "three")
    assert under(server, "three") not in {one, two}
    rows = [place for place, _ in server.store.transaction().scan(MATERIALS, "s3/")]
    assert len(rows) == 3
    read(s3, "zero", "one", "same", "two", "three")


def test_an_operator_makes_another_beside_the_server(server: RunningServer, s3: Any, tmp_path: Path) -> None:
    put(s3, "zero")
    server.advance(1)
    put(s3, "one")
    words = ["s3", "rotate-key", "--data-dir", str(tmp_path)]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert (done.exit_code, "new own key" in done.output) == (0, True)
    put(s3, "two")
    assert "" != under(server, "one") != under(server, "two")
    read(s3, "zero", "one", "two")


def test_an_upload_that_was_begun_before_is_completed_after(server: RunningServer, s3: Any) -> None:
    put(s3, "zero")
    server.advance(1)
    named = {"Bucket": "bucket", "Key": "k"}
    upload = s3.create_multipart_upload(**named)["UploadId"]
    server.advance(ownkey.PERIOD + 1)
    part = s3.upload_part(**named, UploadId=upload, PartNumber=1, Body=b"k" * 100)
    parts = {"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    s3.complete_multipart_upload(**named, UploadId=upload, MultipartUpload=parts)
    read(s3, "k")


def test_a_data_key_opens_where_it_belongs_only(server: RunningServer, s3: Any) -> None:
    put(s3, "zero")
    server.advance(1)
    put(s3, "one")
    put(s3, "two")

    def swap(tx: Any) -> None:
        bucket = tx.get(BUCKETS, "bucket")
        one, two = (tx.get(OBJECTS, f"{bucket.id}/{key}") for key in ("one", "two"))
        tx.put(OBJECTS, f"{bucket.id}/one", msgspec.structs.replace(one, envelope=two.envelope))

    server.store.run(swap)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket="bucket", Key="one")
    assert caught.value.response["Error"]["Code"] == "InternalError"
    read(s3, "two")
    s3.delete_object(Bucket="bucket", Key="one")


def test_nobody_has_it_in_an_account(server: RunningServer, s3: Any) -> None:
    put(s3, "zero")
    server.advance(1)
    assert server.client_of(server.root(), "kms").list_keys()["Keys"] == []
