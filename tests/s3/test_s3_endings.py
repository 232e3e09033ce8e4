"""An upload is completed once, and answered as often as that is asked for; nothing of it stays behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from keystead.services.s3.endings import COMPLETIONS, KEPT
from keystead.services.s3.garbage import GARBAGE, GRACE
from keystead.services.s3.tables import PARTS, UPLOADS, Part, part_place
from keystead.testing.server import RunningServer


def client(server: RunningServer) -> Any:
    return server.client_of(server.root(), "s3", config=Config(retries={"total_max_attempts": 1}))


def upload_with_part(s3: Any, bucket: str, **more: Any) -> dict[str, Any]:
    """What completes an upload of one part."""
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k", **more)["UploadId"]
    named = {"Bucket": bucket, "Key": "k", "UploadId": upload}
    algorithm = more.get("ChecksumAlgorithm", "CRC32")
    part = s3.upload_part(**named, PartNumber=1, Body=b"body", ChecksumAlgorithm=algorithm)
    row = {"PartNumber": 1, **{name: part[name] for name in ("ETag", f"Checksum{algorithm}")}}
    return {**named, "MultipartUpload": {"Parts": [row]}}


def told(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def refused(call: Any, **named: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**named)
    return str(caught.value.response["Error"]["Code"])


@pytest.mark.parametrize("encryption", ["AES256", "aws:kms"])
def test_a_completion_that_is_repeated_is_answered_as_before(s3: Any, bucket: str, encryption: str) -> None:
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    asked = upload_with_part(s3, bucket, ServerSideEncryption=encryption, ChecksumAlgorithm="SHA256")
    first = s3.complete_multipart_upload(**asked)
    assert told(s3.complete_multipart_upload(**asked)) == told(first)
    assert first["VersionId"]
    assert len(s3.list_object_versions(Bucket=bucket)["Versions"]) == 1
    # Not changed by what became of the object since, nor by a condition that held the first time only.
    s3.put_object(Bucket=bucket, Key="k", Body=b"newer")
    assert told(s3.complete_multipart_upload(**asked, IfNoneMatch="*")) == told(first)
    assert s3.get_object(Bucket=bucket, Key="k")["Body"].read() == b"newer"


def test_other_requests_about_a_completed_upload_are_told_that_it_is_gone(s3: Any, bucket: str) -> None:
    asked = upload_with_part(s3, bucket)
    s3.complete_multipart_upload(**asked)
    others = {**asked, "MultipartUpload": {"Parts": [{"PartNumber": 2, "ETag": '"0"'}]}}
    assert refused(s3.complete_multipart_upload, **others) == "NoSuchUpload"
    assert refused(s3.complete_multipart_upload, **{**asked, "Key": "other"}) == "NoSuchUpload"
    named = {name: asked[name] for name in ("Bucket", "Key", "UploadId")}
    assert refused(s3.abort_multipart_upload, **named) == "NoSuchUpload"
    assert refused(s3.list_parts, **named) == "NoSuchUpload"
    assert refused(s3.upload_part, **named, PartNumber=1, Body=b"") == "NoSuchUpload"


def test_who_may_not_complete_is_denied_though_it_was_completed(
    s3: Any, bucket: str, server: Any, made: Any
) -> None:
    asked = upload_with_part(s3, bucket)
    s3.complete_multipart_upload(**asked)
    assert refused(made(server.user("nobody")).complete_multipart_upload, **asked) == "AccessDenied"


def test_an_aborted_upload_is_not_completed(s3: Any, bucket: str) -> None:
    asked = upload_with_part(s3, bucket)
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=asked["UploadId"])
    assert refused(s3.complete_multipart_upload, **asked) == "NoSuchUpload"


def test_a_repetition_is_answered_after_a_restart_and_forgotten_in_time(tmp_path: Path) -> None:
    with RunningServer(tmp_path) as server:
        s3 = client(server)
        s3.create_bucket(Bucket="bucket")
        asked = upload_with_part(s3, "bucket")
        first = s3.complete_multipart_upload(**asked)
        root = server.credential()
    with RunningServer(tmp_path, clock=server.clock) as again:
        again._credentials[root.account] = root
        s3 = client(again)
        first["Location"] = f"{again.url}/bucket/k"  # it listens elsewhere now
        assert told(s3.complete_multipart_upload(**asked)) == told(first)
        again.advance(KEPT - 60)
        assert told(s3.complete_multipart_upload(**asked)) == told(first)
        again.advance(61)
        assert refused(s3.complete_multipart_upload, **asked) == "NoSuchUpload"
        assert again.store.transaction().scan(COMPLETIONS, "") == []
        assert s3.get_object(Bucket="bucket", Key="k")["Body"].read() == b"body"


@pytest.mark.parametrize("ending", ["complete", "abort"])
def test_a_part_that_arrives_while_its_upload_ends_is_dropped(
    s3: Any, bucket: str, server: Any, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    asked = upload_with_part(s3, bucket)
    named = {name: asked[name] for name in ("Bucket", "Key", "UploadId")}
    submit, left = server.app.committer.submit, [lambda: s3.upload_part(**named, PartNumber=2, Body=b"late")]

    def held(*submissions: Any) -> None:
        writes = [
            write for each in submissions if each.transaction for write in each.transaction.writes.values()
        ]
        if any(write.table is UPLOADS and write.record is None for write in writes) and left:
            left.pop()()
        submit(*submissions)

    monkeypatch.setattr(server.app.committer, "submit", held)
    if ending == "complete":
        s3.complete_multipart_upload(**asked)
    else:
        s3.abort_multipart_upload(**named)
    tx = server.store.transaction()
    ((_, late),) = tx.scan(PARTS, f"{asked['UploadId']}/")
    assert isinstance(late, Part)
    assert tx.get(PARTS, part_place(asked["UploadId"], 2)) == late
    server.advance(GRACE + 1)
    tx = server.store.transaction()
    assert tx.scan(PARTS, f"{asked['UploadId']}/") == []
    assert late.blob in {note.blob for _, note in tx.scan(GARBAGE, "")}
