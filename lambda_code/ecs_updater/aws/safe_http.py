"""A restricted HTTP GET for hosts that an event names: no event can reach into a private network.

- Only public addresses. A host with a private or loopback address is rejected, unless it is one of
  `private_hosts` of the settings. Special-purpose addresses, such as those of instance metadata,
  are always rejected. The connection goes to the checked address: the name is not resolved again.
- A registry can redirect to one of `private_hosts`, or name its token service there, only if it is
  one itself.
- https with certificate checks. http only if all addresses are loopback.
- At most three redirects, each checked like the first address. The Authorization header is not sent
  to another origin.
- Maximum bytes and seconds for the whole response, however slowly it arrives.
- No credentials, proxies, cookies or netrc.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from http.client import HTTPException
from typing import Any
from urllib.parse import SplitResult, urljoin, urlsplit

from botocore.httpsession import get_cert_path
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

_CONNECT_SECONDS = 3.0
_REDIRECTS = 3
_ADDRESSES_TRIED = 2
_PORTS = {"https": 443, "http": 80}
Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_MAPPED, _NAT64 = ipaddress.ip_network("::ffff:0:0/96"), ipaddress.ip_network("64:ff9b::/96")
"""IPv6 networks whose addresses contain the IPv4 address of the destination."""
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        # Link-local: instance metadata of EC2, ECS and Lambda.
        "169.254.0.0/16",
        "192.0.0.0/24",  # Assigned to protocols.
        "192.88.99.0/24",  # Relays of 6to4.
        "fd00:ec2::/32",  # The metadata over IPv6.
        "2001::/23",  # Assigned to protocols, Teredo's tunnels among them.
        "2002::/16",  # Tunnels of 6to4.
        "3fff::/20",  # For documentation. Python knows it from 3.14 on.
    )
]
"""Always rejected. Includes what `is_global` misses in some releases of Python."""
_PRIVATE_IPV6 = [ipaddress.ip_network(network) for network in ("::1/128", "fc00::/7")]
_ROUTED_IPV6 = ipaddress.ip_network("2000::/3")
"""https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml"""


class HttpFailure(Exception):
    """No usable response. The text has nothing of the response."""


@dataclass(frozen=True)
class Response:
    """Response of any status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    is_of_another_origin: bool = False
    """Whether redirects led to another origin."""


class Http:
    """HTTP client. `private_hosts`: `name` or `name:port` that may have a private address."""

    def __init__(
        self,
        private_hosts: Collection[str] = (),
        resolve: Callable[..., Iterable[Any]] = socket.getaddrinfo,
        clock: Callable[[], float] = time.monotonic,
    ):
        private = [_checked(f"https://{host}") for host in private_hosts]
        self._private, self._private_hosts = set(map(_authority, private)), set(map(_host, private))
        self._resolve = resolve
        self._clock = clock

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Returns a context with the authorities of the system and of the SDK."""
        context = ssl.create_default_context()
        context.load_verify_locations(get_cert_path(True))
        return context

    def origin(self, host: str) -> str:
        """Returns a registry's origin: https, or http for an allowed loopback host with a port."""
        url = _checked(f"https://{host}")
        if not url.port or _authority(url) not in self._private:
            return f"https://{host}"
        is_local = all(
            address.is_loopback for address in self._addresses(url.hostname or "", url.port)
        )
        return f"http://{host}" if is_local else f"https://{host}"

    def get(
        self,
        url: str,
        headers: Mapping[str, str],
        limit: int,
        seconds: float,
        *,
        trusted: bool = False,
        registry: str | None = None,
    ) -> Response:
        """Returns the response of `url`: at most `limit` bytes in `seconds`, redirects included.

        `trusted`: AWS made the URL; it may lead into a private network, as S3's do behind a VPC
        endpoint. `registry`: origin whose response named `url`; None: `url` is the registry's own.
        Raises HttpFailure.
        """
        parts = _checked(url)
        origin = _authority(_checked(registry or url))
        bounds = _Bounds(limit, self._clock() + seconds, trusted, origin)
        sent = dict(headers)
        first = _origin(parts)
        for _ in range(_REDIRECTS + 1):
            response = self._get_once(parts, sent, bounds)
            location = response.headers.get("location")
            if response.status not in (301, 302, 303, 307, 308) or not location:
                return replace(response, is_of_another_origin=_origin(parts) != first)
            target = _checked(location, parts.geturl())
            if _origin(target) != _origin(parts):
                sent = {
                    name: value for name, value in sent.items() if name.lower() != "authorization"
                }
            parts = target
        raise HttpFailure(f"more than {_REDIRECTS} redirects")

    def _get_once(
        self, parts: SplitResult, headers: Mapping[str, str], bounds: "_Bounds"
    ) -> Response:
        failure: Exception | None = None
        for address in self._permitted(parts, bounds)[:_ADDRESSES_TRIED]:
            connection = self._connection(parts, str(address))
            try:
                connection.connect()
            except (HTTPError, OSError) as error:
                failure = error
                connection.close()
                continue
            return self._exchange(connection, parts, headers, bounds)
        raise HttpFailure(f"no connection to {parts.netloc}: {_name(failure)}") from failure

    def _permitted(self, parts: SplitResult, bounds: "_Bounds") -> list[Address]:
        """Returns the addresses of the host if all of them are permitted."""
        name = parts.hostname or ""
        # A public registry must not redirect to a host that is allowed for another registry.
        authority, is_registry_private = _authority(parts), bounds.registry in self._private
        may_be_private = bounds.trusted or (is_registry_private and authority in self._private)
        addresses = self._addresses(name, _port(parts))
        for address in addresses:
            if kind := _rejected_kind(address, may_be_private):
                raise HttpFailure(
                    f"{name} has the {kind} address {address}, and this "
                    "function asks public hosts only"
                )
        is_redirected = (
            not bounds.trusted and not is_registry_private and authority != bounds.registry
        )
        if is_redirected and _host(parts) in self._private_hosts:
            raise HttpFailure(
                f"{name} is a private registry's host, and this function asks "
                "it for that registry only"
            )
        if parts.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise HttpFailure(f"{name} requires http, without encryption")
        return addresses

    def _connection(self, parts: SplitResult, address: str) -> HTTPConnection:
        if parts.scheme == "http":
            return HTTPConnection(address, _port(parts), timeout=_CONNECT_SECONDS)
        return HTTPSConnection(
            address,
            _port(parts),
            timeout=_CONNECT_SECONDS,
            server_hostname=parts.hostname,
            ssl_context=self._tls,
        )

    def _exchange(
        self,
        connection: HTTPConnection,
        parts: SplitResult,
        headers: Mapping[str, str],
        bounds: "_Bounds",
    ) -> Response:
        seconds = bounds.until - self._clock()
        sock = connection.sock
        if seconds <= 0 or sock is None:
            connection.close()
            raise HttpFailure(f"no whole answer from {parts.netloc} in time")
        sock.settimeout(seconds)
        # A socket's time-out applies to each byte: a timer ends the whole response.
        timer = threading.Timer(seconds, _shut_down, [sock])
        timer.daemon = True
        timer.start()
        try:
            path = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.request(
                "GET",
                path,
                headers={"Host": parts.netloc, **headers},
                preload_content=False,
                decode_content=False,
            )
            answer = connection.getresponse()
            body = answer.read(bounds.limit + 1, decode_content=False)
            if len(body) > bounds.limit:
                raise HttpFailure(f"{parts.netloc} answered with more than {bounds.limit} bytes")
            if self._clock() >= bounds.until or answer.length_remaining:
                # A connection that was closed early can look like the end of the response.
                raise TimeoutError
            return Response(
                answer.status, {name.lower(): value for name, value in answer.headers.items()}, body
            )
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise HttpFailure(
                f"no whole answer from {parts.netloc} in time: {_name(error)}"
            ) from error
        finally:
            timer.cancel()
            connection.close()

    def _addresses(self, name: str, port: int) -> list[Address]:
        """Returns the addresses of a name, IPv4 first: outside a VPC, Lambda has no IPv6."""
        try:
            found = self._resolve(name, port, type=socket.SOCK_STREAM)
            addresses = {ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in found}
        except (OSError, UnicodeError, ValueError) as error:
            raise HttpFailure(f"the host {name} cannot be found") from error
        return sorted(addresses, key=lambda address: (address.version, int(address)))


@dataclass(frozen=True)
class _Bounds:
    """Limits of one `get`."""

    limit: int
    until: float
    trusted: bool
    registry: str
    """`host:port` of the registry in the event."""


def _checked(url: str, base: str = "") -> SplitResult:
    """Returns the parts of a URL, relative to `base`. Raises HttpFailure for an invalid one."""
    with suppress(ValueError):
        parts = urlsplit(urljoin(base, url))
        is_text = url.isascii() and url.isprintable() and " " not in url
        if (
            is_text
            and parts.scheme in _PORTS
            and parts.hostname
            and parts.username is None
            and parts.port != 0
        ):
            return parts
    raise HttpFailure("the registry leads to an invalid web address")


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _authority(parts: SplitResult) -> str:
    return f"{_host(parts)}:{_port(parts)}"


def _origin(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, _authority(parts)


def _rejected_kind(address: Address, private: bool) -> str:
    """Returns why an address is rejected; empty: it is permitted. `private`: permits these, too."""
    if address in _MAPPED or address in _NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.is_multicast or any(address in network for network in _SPECIAL):
        return "special-purpose"
    if address.is_global and (address.version == 4 or address in _ROUTED_IPV6):
        return ""
    if address.version == 6 and not any(address in network for network in _PRIVATE_IPV6):
        return "special-purpose"
    return "" if private else "private"


def _shut_down(sock: socket.socket) -> None:
    with suppress(OSError):  # It is already closed.
        sock.shutdown(socket.SHUT_RDWR)


def _name(error: Exception | None) -> str:
    """Returns the class of an error. Its text can have parts of the response."""
    return type(error).__name__
