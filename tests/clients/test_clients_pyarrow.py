"""pyarrow's S3 file system, which is the AWS SDK for C++: always multipart, with checksums behind the body."""

import itertools
import os

import pytest

pyarrow = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
pytestmark = pytest.mark.client

_numbers = itertools.count()


@pytest.fixture
def bucket(server):
    name = f"arrow-{next(_numbers)}"
    server.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def files(environment):
    """A file system with the server's endpoint and credentials."""
    from pyarrow import fs

    scheme, _, address = environment["AWS_ENDPOINT_URL"].partition("://")
    return fs.S3FileSystem(
        access_key=environment["AWS_ACCESS_KEY_ID"],
        secret_key=environment["AWS_SECRET_ACCESS_KEY"],
        region=environment["AWS_REGION"],
        endpoint_override=address,
        scheme=scheme,
        check_directory_existence_before_creation=True,
    )


def test_a_table_is_written_in_parts_and_read_by_columns(files, bucket):
    from pyarrow import parquet

    table = pyarrow.table(
        {"number": list(range(1_000_000)), "noise": [os.urandom(16) for _ in range(1_000_000)]}
    )
    parquet.write_table(table, f"{bucket}/tables/one.parquet", filesystem=files)
    assert parquet.read_table(f"{bucket}/tables/one.parquet", filesystem=files).equals(table)
    some = parquet.read_table(
        f"{bucket}/tables", filesystem=files, columns=["number"], filters=[("number", ">=", 999_990)]
    )
    assert some["number"].to_pylist() == list(range(999_990, 1_000_000))


def test_directories_files_copies_and_deletes(files, bucket):
    from pyarrow import fs

    files.create_dir(f"{bucket}/dir/sub")
    with files.open_output_stream(f"{bucket}/dir/sub/file") as stream:
        stream.write(b"content")
    with files.open_output_stream(f"{bucket}/dir/empty"):
        pass
    files.copy_file(f"{bucket}/dir/sub/file", f"{bucket}/dir/copy")
    files.move(f"{bucket}/dir/copy", f"{bucket}/dir/moved")
    found = {
        info.path: info.size for info in files.get_file_info(fs.FileSelector(f"{bucket}/dir", recursive=True))
    }
    assert {path.removeprefix(f"{bucket}/dir"): size for path, size in found.items()} == {
        "/sub": None,
        "/sub/file": 7,
        "/empty": 0,
        "/moved": 7,
    }
    with files.open_input_file(f"{bucket}/dir/moved") as file:
        file.seek(3)
        assert file.read() == b"tent"
    files.delete_dir(f"{bucket}/dir")
    assert files.get_file_info(f"{bucket}/dir").type == fs.FileType.NotFound


def test_a_missing_file_and_a_refusal_are_told(files, bucket, server):
    with pytest.raises(FileNotFoundError):
        files.open_input_file(f"{bucket}/nothing")
    with pytest.raises(OSError, match="exist"):
        files.open_output_stream("no-such-bucket-here/x").close()
