"""Settings of the authoriser from its environment variables. An empty variable counts as unset."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from ecs_updater.errors import ConfigurationError


@dataclass(frozen=True)
class AuthorizerSettings:
    """Issuer and audience of the accepted tokens."""

    issuer: str
    """`JWT_ISSUER`: the `iss` of the tokens, compared character by character."""
    audience: str
    """`JWT_AUDIENCE`: the `aud` of the tokens, or one member of it."""
    keys_url: str = ""
    """`JWKS_URL`: address of the issuer's keys. Empty: OpenID Connect discovery finds it."""
    private_hosts: frozenset[str] = frozenset()
    """Hosts that may have a private address: on an emulator those of issuer and keys, else none."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "AuthorizerSettings":
        """Reads `os.environ` or a similar mapping. Raises ConfigurationError."""
        issuer, audience, keys_url = (
            environment.get(name) or "" for name in ("JWT_ISSUER", "JWT_AUDIENCE", "JWKS_URL")
        )
        is_emulated = bool(environment.get("AWS_ENDPOINT_URL"))
        for name, value in (("JWT_ISSUER", issuer), ("JWT_AUDIENCE", audience)):
            if not value:
                raise ConfigurationError(f"the authoriser's {name} is empty: set it")
        name, url = ("JWKS_URL", keys_url) if keys_url else ("JWT_ISSUER", issuer)
        schemes = ("https", "http") if is_emulated else ("https",)
        if urlsplit(url).scheme not in schemes:
            raise ConfigurationError(
                f"the authoriser's {name} is {url[:80]!r}, from which the issuer's keys are read: "
                "set JWKS_URL to an address that begins with https://"
            )
        hosts = {urlsplit(address).netloc for address in (issuer, keys_url)} - {""}
        return cls(issuer, audience, keys_url, frozenset(hosts if is_emulated else ()))
