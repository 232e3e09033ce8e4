"""What a connection tells of whom it is with."""

from __future__ import annotations

import asyncio
import ipaddress
from functools import lru_cache
from typing import Final

_MEMOISED: Final = 1024  # addresses: many connections come from few


def tls_of(transport: asyncio.BaseTransport) -> tuple[str, str] | None:
    """Version and cipher suite of an encrypted connection."""
    tls = transport.get_extra_info("ssl_object")
    cipher: tuple[str, str, int] | None = None if tls is None else tls.cipher()
    return None if cipher is None else (tls.version() or cipher[1], cipher[0])


def certificate_of(transport: asyncio.BaseTransport) -> bytes:
    """The client's certificate (DER), which the handshake has verified; empty without one."""
    tls = transport.get_extra_info("ssl_object")
    certificate: bytes | None = None if tls is None else tls.getpeercert(binary_form=True)
    return certificate or b""


def address_of(peername: object) -> str:
    """The client's IP address as text, an IPv4-mapped one as IPv4; empty for a Unix socket.

    A policy's aws:SourceIp must see one form of each address, whatever the listening socket is.
    """
    return _one_form(str(peername[0])) if isinstance(peername, tuple) and peername else ""


@lru_cache(_MEMOISED)
def _one_form(host: str) -> str:
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
