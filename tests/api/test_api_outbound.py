"""Where documents are fetched from, and where never."""

import ipaddress
import socket
import ssl
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st
from issuers import Authority, server_names

from keystead.api import outbound
from keystead.api.outbound import UnreachableError, fetch, permitted_addresses


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://user:secret@example.org/",
        "https://example.org:99999/",
        "https://[::1/",
        "https://example.org/#fragment",
        "//example.org/",
        "",
    ],
)
def test_only_plain_https_urls_are_fetched(url):
    with pytest.raises(UnreachableError, match="URL"):
        fetch(url, ssl.create_default_context(), private=True)


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "127.0.0.1",
        "127.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "2130706433",
        "0x7f000001",
        "017700000001",
    ],
)
def test_what_leads_inwards_is_not_asked(host):
    with pytest.raises(UnreachableError):
        permitted_addresses(host, 443, private=False)


@pytest.mark.parametrize("host", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111"])
def test_public_addresses_are_asked(host):
    assert permitted_addresses(host, 443, private=False) == [host]


@given(st.integers(0, 2**32 - 1).map(ipaddress.IPv4Address))
def test_however_an_ipv4_address_is_dressed_it_is_judged_alike(address):
    def permitted(host):
        try:
            return bool(permitted_addresses(host, 443, private=False))
        except UnreachableError:
            return False

    plain = permitted(str(address))
    number = int(address)
    assert plain == permitted(f"::ffff:{address}") or not plain
    if not plain:
        assert not permitted(f"::ffff:{address}")
        assert not permitted(str(ipaddress.IPv6Address((0x64FF9B << 96) | number)))
        assert not permitted(str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))))


@pytest.fixture
def slow(tmp_path):
    """A TLS server that begins to answer and never ends; its port, and a context that trusts it."""
    authority = Authority()
    certificate, key = authority.issue(names=server_names(), client=False)
    (tmp_path / "server.pem").write_bytes(certificate + key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    listener = socket.create_server(("127.0.0.1", 0))

    def answer():
        plain, _ = listener.accept()
        with context.wrap_socket(plain, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{")
            try:
                while tls.recv(1):
                    pass
            except OSError:
                pass

    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    trusting = ssl.create_default_context(cadata=authority.pem.decode())
    yield listener.getsockname()[1], trusting
    thread.join()
    listener.close()


def test_who_never_finishes_is_cut_off(slow, monkeypatch):
    monkeypatch.setattr(outbound, "TIMEOUT", 0.3)
    port, context = slow
    with pytest.raises(UnreachableError, match="did not answer"):
        fetch(f"https://localhost:{port}/", context, private=True)
