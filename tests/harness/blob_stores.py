"""The stores that sealed objects are kept in, each with a server of its kind where it needs one."""

import base64
import hmac
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import uuid
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import pytest

from keystead.objects import open_blobs
from keystead.settings import Settings

AZURITE = Path(__file__).parents[1] / "objects" / "azurite" / "node_modules" / ".bin"
"""Where `make azurite` installs it."""


@contextmanager
def directory(tmp):
    yield Settings(object_store=f"directory:{tmp / uuid.uuid4().hex}")


@contextmanager
def memory(_tmp):
    yield Settings(object_store="memory:")


@contextmanager
def s3(_tmp):
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    _make_bucket(host, port)
    try:
        yield Settings(
            object_store="s3://sealed/in/here/",
            object_store_endpoint=f"http://{host}:{port}",
            object_store_access_key_id="x",
            object_store_secret_access_key="y",
        )
    finally:
        server.stop()


def _make_bucket(host, port):
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.request("PUT", "/sealed")
    assert connection.getresponse().status == 200
    connection.close()


@contextmanager
def program(name, *arguments, cwd, wait):
    """The running program `name`; the test is skipped if there is none."""
    found = shutil.which(name, path=os.pathsep.join([str(AZURITE), os.environ.get("PATH", "")]))
    if found is None:
        pytest.skip(f"the program {name} is not installed")
    process = subprocess.Popen(
        [found, *arguments],
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    drain = None
    try:
        assert any(wait in line for line in process.stdout), f"{name} ended"
        drain = threading.Thread(target=process.stdout.read, daemon=True)
        drain.start()
        yield
    finally:
        process.terminate()
        process.wait(60)
        if drain is not None:
            drain.join(60)
        process.stdout.close()


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


SIGNED = "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"


@contextmanager
def gs(tmp):
    """A server of S3, which answers what the client of Google's store asks: its XML API has the same requests.

    The emulators of Google's store that can be had know its JSON API only.
    """
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    serving = pytest.importorskip("werkzeug.serving", reason="moto's server is not installed")
    answer = moto.create_backend_app("s3")

    def signed(environ, start):
        environ["HTTP_AUTHORIZATION"] = SIGNED  # for Google's form of it, which moto does not read
        return answer(environ, start)

    server = serving.make_server("127.0.0.1", 0, signed, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    _make_bucket("127.0.0.1", server.server_port)
    account = {"disable_oauth": True}
    account |= dict.fromkeys(("client_email", "private_key", "private_key_id"), "")
    (tmp / "account.json").write_text(json.dumps(account))
    try:
        yield Settings(
            object_store="gs://sealed/in/here",
            object_store_endpoint=f"http://127.0.0.1:{server.server_port}",
            object_store_credentials=str(tmp / "account.json"),
        )
    finally:
        server.shutdown()
        thread.join(60)
        server.server_close()


AZURITE_ACCOUNT = "devstoreaccount1"
AZURITE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""What Azurite's documentation gives everybody."""


@contextmanager
def az(tmp):
    port = free_port()
    options = [
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
        "--inMemoryPersistence",
        "--skipApiVersionCheck",
    ]
    with program("azurite-blob", *options, "--disableTelemetry", cwd=tmp, wait=b"listens on"):
        address = f"http://127.0.0.1:{port}/{AZURITE_ACCOUNT}"
        _make_container(port)
        yield Settings(
            object_store="az://sealed/in/here",
            object_store_endpoint=address,
            object_store_access_key_id=AZURITE_ACCOUNT,
            object_store_secret_access_key=AZURITE_KEY,
        )


def _make_container(port):
    """`obstore` makes no container: the one request that does, signed as Azure's "Authorize with Shared Key" says."""
    headers = f"x-ms-date:{formatdate(usegmt=True)}\nx-ms-version:2023-11-03"
    path = f"/{AZURITE_ACCOUNT}/sealed"
    signed = "PUT" + 12 * "\n" + f"{headers}\n/{AZURITE_ACCOUNT}{path}\nrestype:container"
    mac = base64.b64encode(hmac.digest(base64.b64decode(AZURITE_KEY), signed.encode(), "sha256")).decode()
    sent = dict(line.split(":", 1) for line in headers.splitlines())
    sent |= {"Authorization": f"SharedKey {AZURITE_ACCOUNT}:{mac}", "Content-Length": "0"}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("PUT", f"{path}?restype=container", headers=sent)
    answer = connection.getresponse()
    assert answer.status == 201, answer.read()
    connection.close()


SERVED = {"directory": directory, "memory": memory, "s3": s3, "gs": gs, "az": az}


@contextmanager
def opened(kind, tmp):
    with SERVED[kind](tmp) as settings:
        blobs = open_blobs(settings, tmp)
        yield blobs
        blobs.close()
