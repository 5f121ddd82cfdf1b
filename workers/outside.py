"""Requests to addresses that users name: only to the public internet, unless an administrator allows more.

A name is resolved once, every address it stands for is checked, and the connection goes to an address that was checked:
a second answer of the name server cannot lead it elsewhere. Redirects are not followed.
"""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import SplitResult, urlsplit

SHARED = ipaddress.ip_network("100.64.0.0/10")
"""Carrier-grade NAT, RFC 6598."""
READ = 1024
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(Exception):
    """An address to which nothing is sent."""


class NotPublic(Refused):
    """An address that is not on the public internet; whoever runs the place may allow it all the same."""


@dataclass(frozen=True, slots=True)
class Place:
    """A checked address: where to connect, and what to ask for."""

    url: SplitResult
    host: str
    port: int
    ip: str


def checked(url: str, allowed: Sequence[str] = ()) -> Place:
    """Where a URL leads, if that is allowed. `allowed` has hosts, host:port and networks (CIDR) besides the internet.

    Raises Refused in words for a person.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}.get(parts.scheme, 0)
    except ValueError:
        raise Refused("is no address") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise Refused("must begin with https:// or http:// and a host")
    if parts.username or parts.password:
        raise Refused("must hold no user or password")
    if any(letter <= " " or letter == "\x7f" for letter in url):
        raise Refused("holds blanks or control characters")
    host = parts.hostname
    open_host = host in allowed or f"{host}:{port}" in allowed
    networks = [ipaddress.ip_network(one, strict=False) for one in allowed if is_network(one)]
    found = [ipaddress.ip_address(ip) for ip in resolved(host, port)]
    for ip in found:
        if not (open_host or any(ip in network for network in networks if network.version == ip.version) or public(ip)):
            named = host if host == str(ip) else f"{host} leads to {ip}, which"
            raise NotPublic(f"{named} is not on the public internet")
    return Place(parts, host, port, str(found[0]))


def resolved(host: str, port: int) -> list[str]:
    """Every address that a name stands for. Raises Refused when there is none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise Refused(f"{host} is not found") from None
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def public(ip: Address) -> bool:
    """Whether an address is on the public internet."""
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    if mapped is not None:
        return public(mapped)
    if isinstance(ip, ipaddress.IPv6Address) and ip in ipaddress.ip_network("64:ff9b::/96"):
        return public(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF))
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return False
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or (ip.version == 4 and ip in SHARED))


def is_network(text: str) -> bool:
    try:
        ipaddress.ip_network(text, strict=False)
    except ValueError:
        return False
    return True


def post(url: str, body: bytes, headers: dict[str, str], *, allowed: Sequence[str] = (), timeout: float = 15) -> int:
    """Send `body`; the status of the answer. Raises Refused, or OSError and http.client.HTTPException as they come.

    `timeout` is for each step and, by a timer that hangs up, for the whole: a receiver that answers a byte at a time
    takes no longer than one that does not answer.
    """
    place = checked(url, allowed)
    connection = connected(place, timeout)
    end = threading.Timer(timeout + 1, hang_up, [connection])
    end.daemon = True
    end.start()
    try:
        target = place.url.path or "/"
        connection.request("POST", f"{target}?{place.url.query}" if place.url.query else target, body, headers)
        answer = connection.getresponse()
        answer.read(READ)
        return answer.status
    finally:
        end.cancel()
        connection.close()


def hang_up(connection: http.client.HTTPConnection) -> None:
    with suppress(OSError):
        if connection.sock:
            connection.sock.shutdown(socket.SHUT_RDWR)


def connected(place: Place, timeout: float) -> http.client.HTTPConnection:
    """A connection to the address that was checked, under the name that was asked for."""
    connection: Any
    if place.url.scheme == "https":
        connection = http.client.HTTPSConnection(place.host, place.port, timeout=timeout)
    else:
        connection = http.client.HTTPConnection(place.host, place.port, timeout=timeout)
    connection.sock = plain = socket.create_connection((place.ip, place.port), timeout)
    if place.url.scheme == "https":
        try:
            connection.sock = ssl.create_default_context().wrap_socket(plain, server_hostname=place.host)
        except BaseException:
            plain.close()
            raise
    return connection  # type: ignore[no-any-return]
