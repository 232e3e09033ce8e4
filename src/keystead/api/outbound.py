"""Documents fetched from other machines over HTTPS, without becoming anybody's way into this network.

The host's addresses are resolved once and judged, and only addresses that were judged are connected to, so
that a name cannot lead elsewhere a moment later (DNS rebinding). No redirect is followed, no proxy used, and
time and size are bounded.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Final
from urllib.parse import SplitResult, urlsplit

from keystead.errors import KeysteadError

LARGEST: Final = 512 * 1024
"""Bytes of a document; those of identity providers are a few thousand."""
TIMEOUT: Final = 5.0
"""Seconds for all of it, from the connection on."""
_OK: Final = 200


class UnreachableError(KeysteadError):
    """A document could not be had; the message is the reason."""


def fetch(url: str, context: ssl.SSLContext, *, private: bool = False) -> bytes:
    """The document at an `https` URL; `private` lets its host be one that is not of the public Internet.

    Raises:
        UnreachableError: it cannot be had, or its host must not be asked.
    """
    parts = _parts(url)
    host, port = parts.hostname or "", parts.port or http.client.HTTPS_PORT
    addresses = permitted_addresses(host, port, private=private)
    try:
        with _connected(host, port, addresses, context) as connection:
            return _get(connection, parts)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UnreachableError(f"{host} did not answer as it should ({type(error).__name__})") from None


def _parts(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        valid = parts.port is None or parts.port > 0
    except ValueError:
        raise UnreachableError("its URL is malformed") from None
    if not valid or parts.scheme != "https" or not parts.hostname or "@" in parts.netloc or parts.fragment:
        raise UnreachableError("its URL is not a plain https URL")
    return parts


def permitted_addresses(host: str, port: int, *, private: bool) -> list[str]:
    """The host's addresses, all of which may be connected to.

    Raises:
        UnreachableError: it has none, or one that is private, loopback, link-local or otherwise not global.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise UnreachableError(f"the name {host} cannot be resolved") from None
    addresses = list(dict.fromkeys(str(address[0]) for *_, address in found))
    if not private and not all(map(_is_global, addresses)):
        raise UnreachableError(f"{host} has an address that is not of the public Internet")
    return addresses


def _is_global(text: str) -> bool:
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        # Addresses that carry an IPv4 one lead where that leads (RFC 4291, RFC 3056, RFC 4380, RFC 6052).
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            address = inner
    return address.is_global and not address.is_multicast


_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


@contextlib.contextmanager
def _connected(
    host: str, port: int, addresses: list[str], context: ssl.SSLContext
) -> Iterator[http.client.HTTPSConnection]:
    """A TLS connection to one of the addresses under the host's own name, which is cut when its time is up."""
    plain = _first(addresses, port)
    # The name counts for SNI and the certificate; the address has been judged.
    tls = context.wrap_socket(plain, server_hostname=host, do_handshake_on_connect=False)
    cut = threading.Timer(TIMEOUT, _cut, (tls,))
    cut.daemon = True
    cut.start()
    try:
        tls.do_handshake()
        connection = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=context)
        connection.sock = tls
        yield connection
    finally:
        cut.cancel()
        tls.close()


def _first(addresses: list[str], port: int) -> socket.socket:
    failure: OSError = OSError("no address")
    for address in addresses:
        try:
            return socket.create_connection((address, port), TIMEOUT)
        except OSError as error:
            failure = error
    raise failure


def _cut(tls: ssl.SSLSocket) -> None:
    """None; whoever reads or writes the socket fails now, however slowly the other side goes on."""
    with contextlib.suppress(OSError):
        # Not the method of SSLSocket, which would have the reader go on without TLS.
        socket.socket.shutdown(tls, socket.SHUT_RDWR)


def _get(connection: http.client.HTTPSConnection, parts: SplitResult) -> bytes:
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection.request("GET", target, headers={"Accept": "application/json"})
    answer = connection.getresponse()
    if answer.status != _OK:
        raise UnreachableError(f"{parts.hostname} answered with status {answer.status}")
    body = answer.read(LARGEST + 1)
    if len(body) > LARGEST:
        raise UnreachableError(f"{parts.hostname} answered with more than {LARGEST} bytes")
    if answer.length:  # http.client tells of a short body only who reads without a limit
        raise http.client.IncompleteRead(body, answer.length)
    return body
