"""The GET that goes to hosts which an event names: where it does not go, what it does not send, and
what it does not wait for.
"""

import datetime
import ipaddress
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from ecs_updater.aws import safe_http as module
from ecs_updater.aws.safe_http import Http, HttpFailure

LIMIT, SECONDS = 1000, 300.0


def resolver(*addresses, names=None):
    """A getaddrinfo by which every name has these addresses, one further list of them for each
    further question.
    """
    lists = [addresses] if not addresses or isinstance(addresses[0], str) else list(addresses)

    def resolve(name, port, **_):
        if names is not None:
            names.append(name)
        found = lists.pop(0) if len(lists) > 1 else lists[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return resolve


@pytest.fixture(name="serve")
def _serve():
    """Starts servers on loopback that answer with what a function makes of each request; their
    ``host:port``.
    """
    servers = []

    def start(answer, tls=None):
        class Handler(BaseHTTPRequestHandler):
            """Gives each request to ``answer``."""

            def do_GET(self):  # pylint: disable=invalid-name
                """Status, headers, body."""
                status, headers, body = answer(self)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):  # pylint: disable=arguments-differ
                """Nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        # A client that goes away is what some tests are about.
        server.handle_error = lambda *_: None
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return f"127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def hello(_):
    """An answer."""
    return 200, {"X-Thing": "1"}, b"hello"


def get(http, url, **arguments):
    """A GET with the usual bounds."""
    return http.get(
        url,
        {"Authorization": "Bearer t", "Accept": "a/b"},
        **{"limit": LIMIT, "seconds": SECONDS, **arguments},
    )


# Where it goes


INSIDE = [
    *(
        "127.0.0.1",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "198.18.0.1",
        "240.0.0.1",
        "255.255.255.255",
    ),
    *(
        "::1",
        "fc00::1",
        "fd12:3456::1",
        "::ffff:10.0.0.1",
        "::ffff:7f00:1",
        "64:ff9b::10.0.0.1",
        "64:ff9b::7f00:1",
    ),
]
NEVER = [
    *(
        "169.254.169.254",
        "169.254.170.2",
        "169.254.100.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "239.255.255.255",
    ),
    *("192.0.0.1", "192.0.0.170", "192.88.99.1"),
    *("::", "fe80::1", "febf::1", "fec0::1", "fd00:ec2::254", "ff02::1", "ff0e::1"),
    # An IPv4 address inside, in each of the ways in which there can be one.
    *(
        "::ffff:169.254.169.254",
        "::ffff:0.0.0.0",
        "::ffff:224.0.0.1",
        "64:ff9b::169.254.169.254",
        "64:ff9b::0.0.0.1",
    ),
    *(
        "::7f00:1",
        "::a9fe:a9fe",
        "::a00:1",
        "::808:808",
        "::2",
        "::ffff:0:a9fe:a9fe",
        "::ffff:0:7f00:1",
        "::ffff:0:808:808",
    ),
    *(
        "64:ff9b:1::a9fe:a9fe",
        "64:ff9b:1::808:808",
        "64:ff9b:1:fffe::7f00:1",
        "64:ff9b:0:1::808:808",
        "64:ff9b::1:808:808",
    ),
    *(
        "2002:a9fe:a9fe::",
        "2002:a00:1::",
        "2002:808:808::1",
        "2001::1",
        "2001:0:a9fe:a9fe::",
        "2001:0:808:808::f7f7:f7f7",
    ),
    # Everything else that is not routed.
    *(
        "100::1",
        "100:0:0:1::1",
        "200::1",
        "400::1",
        "1000::1",
        "1fff::1",
        "4000::1",
        "5f00::1",
        "8000::1",
        "f000::1",
        "fe00::1",
    ),
    *(
        "2001:1::1",
        "2001:2::1",
        "2001:3::1",
        "2001:10::1",
        "2001:20::1",
        "2001:1ff::1",
        "2001:db8::1",
        "3fff::1",
        "3fff:fff::1",
    ),
]
PUBLIC = [
    *(
        "8.8.8.8",
        "1.1.1.1",
        "192.0.1.1",
        "192.88.98.1",
        "100.63.255.255",
        "172.32.0.1",
        "223.255.255.255",
    ),
    *(
        "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8",
        "2600:1f18::1",
        "2a00:1450:4001:81b::200e",
        "2001:200::1",
        "2001:4860:4860::8888",
    ),
    *("2003::1", "2400:cb00::1", "3ffe::1"),
]


URL = "https://registry.example/"
ANSWERED, REJECTED = "no connection to registry.example", "this function asks public hosts only"


@pytest.fixture(name="connected")
def _connected(monkeypatch):
    """The hosts of all attempts to connect. None of them answers."""
    connected = []

    def connect(connection):
        connected.append(connection.host)
        raise ConnectionRefusedError

    monkeypatch.setattr(module.HTTPSConnection, "connect", connect)
    return connected


@pytest.mark.parametrize(
    "private_hosts, addresses, url, error",
    [
        *(([], address, URL, ANSWERED) for address in PUBLIC),
        *((["registry.example"], address, URL, ANSWERED) for address in INSIDE),
        (["registry.example:5000"], "8.8.8.8", URL, ANSWERED),
        *(
            ([], address, url, REJECTED)
            for address in INSIDE + NEVER
            for url in (f"https://registry.example:1/v2/{address}", "http://registry.example:1/")
        ),
        *(
            (["registry.example"], address, URL, "has the special-purpose address")
            for address in NEVER
        ),
        ([], "8.8.8.8 10.0.0.1", URL, "the private address 10.0.0.1"),
        *(
            (["registry.example:80"], "8.8.8.8", url, "requires http, without encryption")
            for url in ("http://registry.example/", "http://other.example/")
        ),
        *(
            ([], "8.8.8.8", url, "an invalid web address")
            for url in (
                "file:///etc/passwd",
                "ftp://host/",
                "https://",
                "https://user@host/",
                "https://a b/",
                "https://host:0/",
                "https://[/",
                "https://host:99999/",
                "//host/",
                "https://hä/",
                "https://h/\n",
            )
        ),
    ],
)
def test_only_a_host_with_permitted_addresses_is_connected_to(
    connected, private_hosts, addresses, url, error
):
    with pytest.raises(HttpFailure, match=error):
        get(Http(private_hosts, resolver(*addresses.split())), url)
    permitted = [addresses] if error == ANSWERED else []
    assert list(map(ipaddress.ip_address, connected)) == list(map(ipaddress.ip_address, permitted))


@pytest.mark.parametrize("address", NEVER)
def test_a_trusted_url_reaches_no_special_purpose_address(connected, address):
    with pytest.raises(HttpFailure, match="has the special-purpose address"):
        get(Http(["registry.example"], resolver(address)), URL, trusted=True)
    assert connected == []


@given(st.ip_addresses(v=6))
def test_of_ipv6_only_routed_addresses_are_public(address):
    embeds = ipaddress.ip_network("::ffff:0:0/96"), ipaddress.ip_network("64:ff9b::/96")
    if address in ipaddress.ip_network("2000::/3") or any(address in network for network in embeds):
        return
    with pytest.raises(HttpFailure, match="this function asks public hosts only"):
        get(Http(resolve=resolver(str(address))), "https://registry.example/")


@pytest.mark.parametrize(
    "url",
    ["https://2130706433:1/", "https://127.1:1/", "https://0x7f.1:1/", "https://localhost:1/"],
)
def test_no_spelling_of_a_loopback_address_gets_through(url):
    with pytest.raises(HttpFailure, match="asks public hosts only|cannot be found"):
        get(Http(), url)


@pytest.mark.parametrize(
    "host, private, address, origin",
    [
        ("127.0.0.1:5000", ["127.0.0.1:5000"], "127.0.0.1", "http://127.0.0.1:5000"),
        ("[::1]:5000", ["[::1]:5000"], "::1", "http://[::1]:5000"),
        ("localhost:5000", ["LOCALHOST:5000"], "127.0.0.1", "http://localhost:5000"),
        ("localhost:5000", [], "127.0.0.1", "https://localhost:5000"),
        ("localhost:5000", ["localhost:5001"], "127.0.0.1", "https://localhost:5000"),
        (
            "registry.example:5000",
            ["registry.example:5000"],
            "10.0.0.1",
            "https://registry.example:5000",
        ),
        ("registry.example", ["registry.example"], "127.0.0.1", "https://registry.example"),
        ("registry.example", [], "8.8.8.8", "https://registry.example"),
    ],
)
def test_only_a_loopback_registry_that_the_configuration_names_is_asked_without_encryption(
    host, private, address, origin
):
    assert Http(private, resolver(address)).origin(host) == origin


def test_a_host_without_an_address_is_an_error():
    def resolve(*_, **__):
        raise socket.gaierror("no such host")

    with pytest.raises(HttpFailure, match="the host registry.example cannot be found"):
        get(Http(resolve=resolve), "https://registry.example/")


def test_the_connection_goes_to_the_address_that_was_looked_at(serve):
    hosts, names = [], []
    host = serve(lambda request: hosts.append(request.headers["Host"]) or hello(request))
    http = Http(
        [f"registry.example:{host[10:]}"], resolver(["127.0.0.1"], ["127.0.0.2"], names=names)
    )
    assert get(http, f"http://registry.example:{host[10:]}/").body == b"hello"
    assert (names, hosts) == (["registry.example"], [f"registry.example:{host[10:]}"])


# What it sends, and follows


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_within_the_origin_keeps_the_authorization_and_one_to_another_drops_it(
    serve, status
):
    requests = []

    def answer(request):
        requests.append((request.headers["Host"], request.path, request.headers["Authorization"]))
        target = {"/start": "/next", "/next": f"http://{other}/end"}.get(request.path)
        return (status, {"Location": target}, b"") if target else hello(request)

    other = serve(answer)
    host = serve(answer)
    assert get(Http([host, other]), f"http://{host}/start").body == b"hello"
    assert requests == [
        (host, "/start", "Bearer t"),
        (host, "/next", "Bearer t"),
        (other, "/end", None),
    ]


@pytest.mark.parametrize(
    "target, error, requests",
    [
        ("/again", "more than 3 redirects", 4),
        ("http://127.0.0.1:1/", REJECTED, 1),
        ("http://169.254.169.254/latest/meta-data/", REJECTED, 1),
        ("https://10.0.0.1/", REJECTED, 1),
    ],
)
def test_a_redirect_is_checked_like_a_first_address_and_followed_three_times(
    serve, target, error, requests
):
    paths = []
    host = serve(lambda request: paths.append(request.path) or (302, {"Location": target}, b""))
    with pytest.raises(HttpFailure, match=error):
        get(Http([host]), f"http://{host}/")
    assert len(paths) == requests


def test_a_host_that_is_allowed_for_itself_cannot_be_reached_by_way_of_a_public_one(
    serve, monkeypatch
):
    """The public one is played by a server on loopback, whose address, the first that is looked at,
    passes for a public one.
    """
    inner = serve(hello)
    outer = serve(lambda _: (302, {"Location": f"http://{inner}/"}, b""))
    real, looked_at = module._rejected_kind, []  # pylint: disable=protected-access

    def first_is_public(address, private):
        looked_at.append(address)
        return "" if len(looked_at) == 1 else real(address, private)

    monkeypatch.setattr(module, "_rejected_kind", first_is_public)
    with pytest.raises(HttpFailure, match="127.0.0.1 has the private address"):
        get(Http([inner]), f"http://{outer}/")
    assert get(Http([inner]), f"http://{inner}/").body == b"hello"


def by_name(**addresses):
    """A getaddrinfo that knows these names, with ``_`` for a dot."""

    def resolve(name, port, **_):
        found = addresses[name.rstrip(".").replace(".", "_")].split()
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    return resolve


@pytest.mark.parametrize(
    "target, reaches",
    [
        ("https://internal.example/token", True),
        ("https://other.example:8443/token", True),
        ("https://public.example/token", True),
        ("https://other.example/token", False),
        ("https://elsewhere.example/token", False),
    ],
)
def test_a_private_registry_leads_to_public_hosts_and_to_private_ones_that_the_configuration_names(
    target, reaches, connected
):
    inside = {
        "internal_example": "10.0.0.1",
        "other_example": "10.0.0.2",
        "elsewhere_example": "10.0.0.3",
    }
    listed = ["internal.example:5000", "internal.example", "other.example:8443"]
    http = Http(listed, by_name(**inside, public_example="8.8.8.8"))
    with pytest.raises(
        HttpFailure, match="no connection to" if reaches else "has the private address"
    ):
        get(http, target, registry="https://internal.example:5000")
    assert bool(connected) is reaches


def test_an_answer_says_whether_it_is_of_another_origin_than_was_asked(serve):
    other = serve(hello)
    host = serve(
        lambda request: (
            (302, {"Location": f"http://{other}/" if request.path == "/away" else "/"}, b"")
            if request.path != "/"
            else hello(request)
        )
    )
    http = Http([host, other])
    assert get(http, f"http://{host}/away").is_of_another_origin
    assert not get(http, f"http://{host}/within").is_of_another_origin


# What it does not wait for


def test_a_response_has_at_most_the_bytes_of_its_limit_and_is_not_unpacked(serve):
    encoded = {"Content-Encoding": "gzip"}
    host = serve(lambda request: (200, encoded, b"x" * int(request.path[1:])))
    assert get(Http([host]), f"http://{host}/{LIMIT}").body == b"x" * LIMIT
    with pytest.raises(HttpFailure, match="with more than 1000 bytes"):
        get(Http([host]), f"http://{host}/{LIMIT + 1}")


@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"],
)
def test_an_answer_that_drips_ends_when_its_time_is_up(beginning):
    """At a byte in each hundredth of a second the whole answer would take three seconds."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        done = threading.Event()

        def drip():
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(beginning)
                while not done.wait(0.01):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        host = f"127.0.0.1:{listening.getsockname()[1]}"
        with pytest.raises(HttpFailure, match=f"no whole answer from {host} in time"):
            get(Http([host]), f"http://{host}/", seconds=0.2)
        done.set()
        thread.join()


def test_time_that_is_used_up_is_not_begun_again_by_a_redirect(serve):
    now = [0.0]

    def answer(_):
        now[0] += 0.6 * SECONDS
        return 302, {"Location": "/again"}, b""

    host = serve(answer)
    with pytest.raises(HttpFailure, match=f"no whole answer from {host} in time"):
        get(Http([host], clock=lambda: now[0]), f"http://{host}/")
    assert now == [1.2 * SECONDS]


@pytest.mark.parametrize("times, requests", [([0.0, SECONDS + 1], 0), ([0.0] * 9, 1)])
def test_a_response_that_is_late_or_breaks_off_is_an_error(serve, times, requests):
    paths, now = [], iter(times)
    short = (200, {"Content-Length": "900"}, b"short")
    host = serve(lambda request: paths.append(request.path) or short)
    with pytest.raises(HttpFailure, match=f"no whole answer from {host} in time"):
        get(Http([host], clock=lambda: next(now)), f"http://{host}/")
    assert len(paths) == requests


def test_a_closed_port_is_an_error():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host = f"127.0.0.1:{listening.getsockname()[1]}"
    with pytest.raises(HttpFailure, match=f"no connection to {host}"):
        get(Http([host]), f"http://{host}/")


# Certificates


@pytest.fixture(name="certificate", scope="module")
def _certificate(tmp_path_factory):
    """A certificate for registry.example, signed by itself, with its key; the file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "registry.example")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName("registry.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(alternatives, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(
    "name, known, fails",
    [
        ("registry.example", True, False),
        ("registry.example", False, True),
        ("other.example", True, True),
    ],
)
def test_a_certificate_is_checked_against_the_name_and_the_authorities(
    serve, certificate, monkeypatch, name, known, fails
):
    if known:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    port = serve(hello, tls)[10:]
    http = Http([f"{name}:{port}"], resolver("127.0.0.1"))
    if fails:
        with pytest.raises(HttpFailure, match=f"no connection to {name}:{port}: SSL"):
            get(http, f"https://{name}:{port}/")
    else:
        assert get(http, f"https://{name}:{port}/").body == b"hello"
