"""What an event tells of the connection, and of who stands between a caller and the server."""

import asyncio
import ssl

import pytest
from issuers import Authority, server_names

from keystead.http import serve


@pytest.fixture
def encrypted(fresh_server, tmp_path):
    """A server that also listens with TLS: the server, the URL, and the file with its authority."""
    authority = Authority()
    certificate, key = authority.issue(names=server_names(), client=False)
    (tmp_path / "server.pem").write_bytes(certificate + key)
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    door = asyncio.run_coroutine_threadsafe(
        serve(fresh_server.app.handle, tls=context), fresh_server._loop
    ).result()
    yield fresh_server, f"https://localhost:{door.port}", str(tmp_path / "ca.pem")
    asyncio.run_coroutine_threadsafe(door.drain(5.0), fresh_server._loop).result()


def client_at(server, url, authority):
    import boto3

    root = server.root()
    return boto3.client(
        "kms",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=root.access_key_id,
        aws_secret_access_key=root.secret_access_key,
        verify=authority,
    )


def test_an_encrypted_connection_is_told_with_the_host_that_the_client_named(encrypted):
    server, url, authority = encrypted
    client = client_at(server, url, authority)
    client.list_keys()
    client.close()
    details = server.events()[-1]["tlsDetails"]
    assert details["clientProvidedHostHeader"] == url.removeprefix("https://")
    assert details["tlsVersion"] == "TLSv1.3"
    assert details["cipherSuite"].startswith("TLS_AES_")
    assert set(details) == {"tlsVersion", "cipherSuite", "clientProvidedHostHeader"}


def test_a_plain_connection_has_no_details(fresh_server):
    fresh_server.client().list_keys()
    assert "tlsDetails" not in fresh_server.events()[-1]
