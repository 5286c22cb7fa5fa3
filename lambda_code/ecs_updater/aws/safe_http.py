"""One careful HTTP GET, for hosts that an event names: whoever sends an event must not be able to
make the function reach inward.

- Only public addresses. A host that resolves to a private or loopback one is refused, unless it is
  one of ``private_hosts``, which the function's configuration names; special-purpose ones, such as
  those of a machine's metadata, are refused even then. The connection goes to the address that was
  looked at: a name that resolves anew is no way round.
- A registry leads to one of ``private_hosts``, by a redirect or by the address of its token
  service, only when it is one itself.
- https with certificates checked; http only where every address is loopback.
- At most three redirects, each looked at like the first address. An Authorization header does not
  follow to another origin.
- No answer of more bytes, and none that takes more seconds, than was asked for, however slowly it
  drips.
- No credentials, no proxies, no cookies, nothing from a netrc.
"""

import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
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
"""IPv6 addresses that end in the IPv4 address to which a packet goes."""
_SPECIAL = [
    ipaddress.ip_network(network)
    for network in (
        "0.0.0.0/8",
        # Link-local: the metadata of EC2 and of ECS, and what Lambda keeps for itself.
        "169.254.0.0/16",
        "192.0.0.0/24",  # Assigned to protocols.
        "192.88.99.0/24",  # Relays of 6to4.
        "fd00:ec2::/32",  # The metadata over IPv6.
        "2001::/23",  # Assigned to protocols, Teredo's tunnels among them.
        "2002::/16",  # Tunnels of 6to4.
        "3fff::/20",  # For documentation. Python knows it from 3.14 on.
    )
]
"""Never asked. Python's ``is_global`` differs from one release to the next, so what it ever missed
is here.
"""
_PRIVATE_IPV6 = [ipaddress.ip_network(network) for network in ("::1/128", "fc00::/7")]
_ROUTED_IPV6 = ipaddress.ip_network("2000::/3")
"""https://www.iana.org/assignments/ipv6-address-space/ipv6-address-space.xhtml"""


class HttpFailure(Exception):
    """No answer that may be used, and why, in words that hold nothing of the answer itself."""


@dataclass(frozen=True)
class Response:
    """What came back, whatever its status."""

    status: int
    headers: Mapping[str, str]
    """By lower-case name."""
    body: bytes
    is_of_another_origin: bool = False
    """Whether redirects led away from the host that was asked."""


class Http:
    """``private_hosts``: hosts, as ``name`` or ``name:port``, that may have a private or loopback
    address.
    """

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
        """The system's authorities, where there are any, and those that the SDK brings."""
        context = ssl.create_default_context()
        context.load_verify_locations(get_cert_path(True))
        return context

    def origin(self, host: str) -> str:
        """The URL that begins all of a registry's: https, or http for a loopback host with a port
        that the configuration allows.
        """
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
        """GETs ``url``: at most ``limit`` bytes in at most ``seconds``, redirects included. Raises
        HttpFailure.

        ``trusted``: AWS made the URL, not the event; it may lead into a private network, as S3's do
        behind an endpoint in a VPC. ``registry``: the origin whose answer has named ``url``; None
        where ``url`` is the registry's own.
        """
        parts = _checked(url)
        asked = _authority(_checked(registry or url))
        bounds = _Bounds(limit, self._clock() + seconds, trusted, asked)
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
        """The addresses of the host, if all of them may be asked."""
        name = parts.hostname or ""
        # A public registry must not be able to send us to a host that is allowed for the sake of
        # another.
        authority, is_asked_private = _authority(parts), bounds.asked in self._private
        may_be_private = bounds.trusted or (is_asked_private and authority in self._private)
        addresses = self._addresses(name, _port(parts))
        for address in addresses:
            if why := _why_not(address, may_be_private):
                raise HttpFailure(
                    f"{name} has the {why} address {address}, and this "
                    "function asks public hosts only"
                )
        is_led_to = not bounds.trusted and not is_asked_private and authority != bounds.asked
        if is_led_to and _host(parts) in self._private_hosts:
            raise HttpFailure(
                f"{name} is a private registry's host, and this function asks "
                "it for that registry only"
            )
        if parts.scheme == "http" and not all(address.is_loopback for address in addresses):
            raise HttpFailure(f"{name} is to be asked over http, without encryption")
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
        # A socket's time-out is for each byte; the end of the whole answer needs a hand that pulls
        # the plug.
        plug = threading.Timer(seconds, _pull, [sock])
        plug.daemon = True
        plug.start()
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
                # A connection that ends early, by our hand or theirs, can look like the end of the
                # answer.
                raise TimeoutError
            return Response(
                answer.status, {name.lower(): value for name, value in answer.headers.items()}, body
            )
        except (HTTPError, HTTPException, OSError, ValueError) as error:
            raise HttpFailure(
                f"no whole answer from {parts.netloc} in time: {_name(error)}"
            ) from error
        finally:
            plug.cancel()
            connection.close()

    def _addresses(self, name: str, port: int) -> list[Address]:
        """What ``name`` stands for, IPv4 first: outside a VPC, Lambda has no other way out."""
        try:
            found = self._resolve(name, port, type=socket.SOCK_STREAM)
            addresses = {ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in found}
        except (OSError, UnicodeError, ValueError) as error:
            raise HttpFailure(f"the host {name} cannot be found") from error
        return sorted(addresses, key=lambda address: (address.version, int(address)))


@dataclass(frozen=True)
class _Bounds:
    """What one ``get`` may use up, and where it may go."""

    limit: int
    until: float
    trusted: bool
    asked: str
    """The registry that the event names, as ``host:port``."""


def _checked(url: str, base: str = "") -> SplitResult:
    """The parts of a URL, relative to ``base``.

    Raises HttpFailure for one that is none of the web.
    """
    try:
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
    except ValueError:
        pass
    raise HttpFailure("the registry leads to an address that is none of the web")


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def _host(parts: SplitResult) -> str:
    return (parts.hostname or "").rstrip(".")


def _authority(parts: SplitResult) -> str:
    return f"{_host(parts)}:{_port(parts)}"


def _origin(parts: SplitResult) -> tuple[str, str]:
    return parts.scheme, _authority(parts)


def _why_not(address: Address, private: bool) -> str:
    """The kind of an address that must not be asked; empty for one that may.

    ``private``: private ones may be asked, too.
    """
    if address in _MAPPED or address in _NAT64:
        address = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if address.is_multicast or _is_in(address, _SPECIAL):
        return "special-purpose"
    if address.is_global and (address.version == 4 or address in _ROUTED_IPV6):
        return ""
    if address.version == 6 and not _is_in(address, _PRIVATE_IPV6):
        return "special-purpose"
    return "" if private else "private"


def _is_in(
    address: Address, networks: Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]
) -> bool:
    return any(address in network for network in networks)


def _pull(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # It is closed already.


def _name(error: Exception | None) -> str:
    """The kind of an error. Its text may hold what the other side sent."""
    return type(error).__name__
