"""s3fs and pandas against the server that the environment names; prints one JSON object. The argument is a key."""

import json
import os
import sys

import botocore.session
import pandas as pd
import s3fs

KEY = sys.argv[1]
SEALED = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY}
AWS = botocore.session.get_session()
files = s3fs.S3FileSystem(s3_additional_kwargs=SEALED, use_listings_cache=False)


def tables() -> None:
    table = pd.DataFrame({"number": range(10_000), "text": [f"row {n}" for n in range(10_000)]})
    table.to_csv("s3://frames/dir/table.csv", index=False, storage_options={"s3_additional_kwargs": SEALED})
    assert pd.read_csv("s3://frames/dir/table.csv").equals(table)
    info = AWS.create_client("s3").head_object(Bucket="frames", Key="dir/table.csv")
    assert (info["ServerSideEncryption"], info["SSEKMSKeyId"]) == ("aws:kms", KEY)


def found() -> list[str]:
    return sorted(files.find("frames"))


def trees() -> None:
    files.pipe({"frames/dir/a": b"first", "frames/dir/sub/b": b"second"})
    files.cp("frames/dir", "frames/copy", recursive=True)
    files.mv("frames/copy/sub/b", "frames/copy/moved")
    assert found() == [
        "frames/copy/a", "frames/copy/moved", "frames/copy/table.csv",
        "frames/dir/a", "frames/dir/sub/b", "frames/dir/table.csv",
    ]  # fmt: skip
    assert sorted(files.glob("frames/*/a")) == ["frames/copy/a", "frames/dir/a"]
    assert files.isdir("frames/dir/sub")
    assert not files.exists("frames/dir/none")
    files.rm("frames/copy", recursive=True)
    assert found() == ["frames/dir/a", "frames/dir/sub/b", "frames/dir/table.csv"]


def parts() -> None:
    body = os.urandom(11_000_000)
    with files.open("frames/large", "wb", block_size=5 * 2**20) as file:
        file.write(body)
    with files.open("frames/large", "rb", block_size=2**20) as file:
        file.seek(5_242_870)
        assert file.read(20) == body[5_242_870:5_242_890]
    assert files.cat("frames/large") == body


def refusal(name: str) -> Exception:
    """Why the file cannot be read."""
    try:
        files.cat(name)
    except OSError as error:
        return error
    raise AssertionError(f"{name} was read")


def refusals() -> None:
    assert isinstance(refusal("frames/none"), FileNotFoundError)
    AWS.create_client("kms").disable_key(KeyId=KEY)
    assert "is disabled" in str(refusal("frames/dir/a"))


files.mkdir("frames")
CHAPTERS = {"tables": tables, "files": trees, "parts": parts, "refusals": refusals}
for chapter in CHAPTERS.values():
    chapter()
sys.stdout.write(json.dumps({"passed": list(CHAPTERS)}))
