"""An issuer of JSON Web Tokens on loopback: its discovery document, its keys, and its tokens."""

import json
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

AUDIENCE = "https://updater.example.com"
DISCOVERY = "/.well-known/openid-configuration"
RSA, SMALL = (rsa.generate_private_key(65537, bits) for bits in (2048, 1024))
P256, P384 = map(ec.generate_private_key, (ec.SECP256R1(), ec.SECP384R1()))


def public(key: Any, kid: str, **members: Any) -> dict[str, Any]:
    """Returns the JSON Web Key of a private key's public half."""
    algorithm = RSAAlgorithm if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm
    return algorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} | members


def encoded(value: Any) -> str:
    """Returns a part of a token."""
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


class Issuer:
    """What the issuer answers, and the paths that were requested."""

    def __init__(self) -> None:
        self.keys: list[Any] = [public(RSA, "rsa"), public(P256, "ec", use="sig", alg="ES256")]
        self.instead: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Status, headers and body to answer instead, by path."""
        self.requested: list[str] = []
        self.url = ""

    def claims(self, **other: Any) -> dict[str, Any]:
        """Returns the claims of a valid token with other values. None: without the claim."""
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "repo:acme/shop:ref:refs/heads/main"}
        claims = usual | {"exp": int(time.time()) + 300} | other
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, kid: str = "rsa", header: dict[str, Any] | None = None, **other: Any) -> str:
        """Returns a token that is signed with the key of this name, and has other claims."""
        key, algorithm = (P256, "ES256") if kid == "ec" else (RSA, "RS256")
        # Not jwt.encode(), which refuses some claims.
        content = json.dumps(self.claims(**other)).encode()
        return jwt.PyJWS().encode(content, key, algorithm, {"kid": kid} | (header or {}))

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Returns status, headers and body for a path."""
        self.requested.append(path)
        document: Any = {"keys": self.keys}
        if path == DISCOVERY:
            document = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        return self.instead.get(path, (200, {}, json.dumps(document).encode()))

    @contextmanager
    def serving(self) -> Iterator["Issuer"]:
        """Serves on a free port of loopback."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            """Answers as the issuer says."""

            def do_GET(self) -> None:  # pylint: disable=invalid-name  # The server's name for it.
                """Answers one request."""
                status, headers, body = issuer.answer(self.path)
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:  # pylint: disable=arguments-differ
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
