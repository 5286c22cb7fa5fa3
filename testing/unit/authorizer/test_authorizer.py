"""The authoriser, as API Gateway calls it, against an issuer on loopback: which tokens it accepts,
which ones it rejects, and when it reads the issuer's keys.
"""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ecs_updater.aws.safe_http import Http
from ecs_updater.errors import ConfigurationError, InvalidEventError
from ecs_updater_authorizer.authorizer import RESULT_BYTES, Authorizer
from ecs_updater_authorizer.keys import IssuerKeys, KeysUnavailable
from ecs_updater_authorizer.settings import AuthorizerSettings
from support.issuer import (
    AUDIENCE,
    DISCOVERY,
    P256,
    P384,
    RSA,
    SMALL,
    Issuer,
    encoded,
    public,
)

API = "arn:aws:execute-api:eu-west-1:000000000000:an-api/v1"


class Time:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture(name="issuer")
def _issuer() -> Iterator[Issuer]:
    with Issuer().serving() as issuer:
        yield issuer


@pytest.fixture(name="clock")
def _clock() -> Time:
    return Time()


@pytest.fixture(name="authorizer")
def _authorizer(issuer, clock) -> Authorizer:
    environment = {"JWT_ISSUER": issuer.url, "JWT_AUDIENCE": AUDIENCE, "AWS_ENDPOINT_URL": "x"}
    settings = AuthorizerSettings.from_environment(environment)
    keys = IssuerKeys(settings.issuer, settings.keys_url, Http(settings.private_hosts), clock)
    return Authorizer(settings, keys)


def event(*values: str, name: str = "Authorization", path: str = "GET/list") -> dict[str, Any]:
    """Returns the event of a request with these Authorization headers."""
    headers = {name: list(values)} if values else {}
    return {
        "type": "REQUEST",
        "methodArn": f"{API}/{path}",
        "headers": {key: items[-1] for key, items in headers.items()},
        "multiValueHeaders": headers,
        "requestContext": {"requestId": "r-1", "identity": {"sourceIp": "192.0.2.1"}},
    }


def effects(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Returns effect and resource of each statement of a result."""
    return [(each["Effect"], each["Resource"]) for each in result["policyDocument"]["Statement"]]


def reason_of(authorizer: Authorizer, log: Any, *values: str) -> str:
    """Returns the logged reason of a rejection. The log has no part of a token."""
    before = len(log())
    result = authorizer.authorize(event(*values))
    assert effects(result) == [("Deny", f"{API}/*")] and "context" not in result
    (line,) = log()[before:]
    for value in values:
        assert not [part for part in value.split(".") if len(part) > 20 and part in str(line)]
    assert (line["level"], line["request_id"], line["ip"]) == ("WARNING", "r-1", "192.0.2.1")
    return str(line["reason"])


def permit(authorizer: Authorizer, token: str) -> None:
    """Sends a request with a token that is accepted."""
    assert effects(authorizer.authorize(event(f"Bearer {token}"))) == [("Allow", f"{API}/*")]


# Accepted


@pytest.mark.parametrize("kid", ["rsa", "ec"])
@pytest.mark.parametrize("audience", [AUDIENCE, ["another", AUDIENCE]])
@pytest.mark.parametrize("form", ["Bearer {}", "bearer  {} "])
def test_a_valid_token_permits_the_stage_and_gives_its_claims(
    authorizer, issuer, kid, audience, form
):
    claims = {"aud": audience, "repository_owner": "acme", "groups": ["a", "é"]}
    header = form.format(issuer.token(kid, **claims))
    result = authorizer.authorize(event(header, name="authorization", path="POST/update"))
    (statement,) = result["policyDocument"]["Statement"]
    assert (statement["Effect"], statement["Resource"]) == ("Allow", f"{API}/*")
    assert statement["Action"] == "execute-api:Invoke"
    subject = "repo:acme/shop:ref:refs/heads/main"
    assert result["principalId"] == result["context"]["sub"] == subject
    found = json.loads(result["context"]["claims"])
    assert claims.items() <= found.items() and found["sub"] == subject
    assert all(isinstance(value, str) for value in result["context"].values())


@pytest.mark.parametrize("path", ["GET/../../other/*", "GET/list/*/x", "GET", "GET/%2F/"])
def test_a_path_does_not_change_what_is_permitted(authorizer, issuer, path):
    result = authorizer.authorize(event(f"Bearer {issuer.token()}", path=path))
    assert result["policyDocument"]["Statement"][0]["Resource"] == f"{API}/*"


@pytest.mark.parametrize("name, seconds", [("exp", -50), ("nbf", 50), ("iat", 50)])
def test_a_clock_may_differ_by_a_minute_and_no_more(authorizer, issuer, log, name, seconds):
    now = int(time.time())
    permit(authorizer, issuer.token(**{name: now + seconds}))
    wrong = now + (-70 if seconds < 0 else 70)
    reason = reason_of(authorizer, log, f"Bearer {issuer.token(**{name: wrong})}")
    assert reason in ("it has expired", "it is not valid yet (nbf or iat)")


# Rejected


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, [], "x", {}, event() | {"methodArn": 7}, event() | {"multiValueHeaders": "x"}),
        *(event() | {"requestContext": context} for context in (7, {"identity": 7})),
        event() | {"multiValueHeaders": {"Authorization": "Bearer a.b.c"}},
        event() | {"requestContext": {"requestId": 7}},
    ],
    ids=range(10),
)
def test_an_event_that_api_gateway_does_not_send_is_an_error(authorizer, wrong):
    with pytest.raises(InvalidEventError, match="is not a request of API Gateway"):
        authorizer.authorize(wrong)


def hmac_token(issuer: Issuer) -> str:
    """Returns a token whose HMAC has the public key as its secret."""
    form = (Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    content = f"{encoded({'alg': 'HS256', 'kid': 'rsa'})}.{encoded(issuer.claims())}"
    mac = hmac.new(RSA.public_key().public_bytes(*form), content.encode(), hashlib.sha256).digest()
    return f"{content}.{urlsafe_b64encode(mac).decode().rstrip('=')}"


def with_header(issuer: Issuer, **header: Any) -> str:
    """Returns a token with other members of the header, but their signature of another one."""
    _, claims, signature = issuer.token().split(".")
    return f"{encoded({'alg': 'RS256', 'kid': 'rsa'} | header)}.{claims}.{signature}"


TOKENS: dict[str, tuple[Callable[[Issuer], str], str]] = {
    "none": (lambda i: with_header(i, alg="none"), "InvalidAlgorithmError"),
    "None": (lambda i: with_header(i, alg="None"), "InvalidAlgorithmError"),
    "hmac": (hmac_token, "InvalidAlgorithmError"),
    "RS512": (lambda i: jwt.encode(i.claims(), RSA, "RS512", {"kid": "rsa"}), "InvalidAlgorithm"),
    "PS256": (lambda i: jwt.encode(i.claims(), RSA, "PS256", {"kid": "rsa"}), "InvalidAlgorithm"),
    "algorithm of another key": (lambda i: with_header(i, alg="ES256"), "InvalidAlgorithmError"),
    "another key": (lambda i: with_header(i, kid="ec"), "InvalidAlgorithmError"),
    "another header": (lambda i: with_header(i, typ="at+jwt"), "its signature is wrong"),
    "key of the token": (
        lambda i: jwt.encode(
            i.claims(),
            P384,
            "ES384",
            {"kid": "mine", "jwk": public(P384, "mine"), "jku": f"{i.url}/mine", "x5u": i.url},
        ),
        "no key for its kid 'mine'",
    ),
    "crit": (lambda i: i.token(header={"crit": ["exp"], "exp": 1}), "InvalidTokenError"),
    "b64": (lambda i: with_header(i, b64=True, crit=["b64"]), "crit or b64"),
    "no b64": (lambda i: with_header(i, b64=False, crit=["b64"]), "DecodeError"),
    "no kid": (lambda i: jwt.encode(i.claims(), RSA, "RS256"), "no kid"),
    "kid 1": (lambda i: with_header(i, kid=1), "InvalidTokenError"),
    "kid null": (lambda i: with_header(i, kid=None), "InvalidTokenError"),
    "path": (lambda i: with_header(i, kid="../../dev/null"), "no key for its kid"),
    "line break": (lambda i: with_header(i, kid="a\nb"), r"no key for its kid 'a\\nb'"),
    "long kid": (lambda i: with_header(i, kid="k" * 3000), "…"),
    "not JSON": (lambda i: f"{urlsafe_b64encode(b'{a:').decode()}.e30.AA", "DecodeError"),
    "no object": (lambda i: f"{encoded([1])}.e30.AA", "DecodeError"),
    "nested": (lambda i: f"{urlsafe_b64encode(b'[' * 6000).decode().rstrip('=')}.e30.AA", "it is"),
    "digits": (
        lambda i: f"{urlsafe_b64encode(b'1' * 6000).decode().rstrip('=')}.e30.AA",
        "it is not valid",
    ),
    "no exp": (lambda i: i.token(exp=None), "it has no exp"),
    "no iss": (lambda i: i.token(iss=None), "it has no iss"),
    "no aud": (lambda i: i.token(aud=None), "it has no aud"),
    "no sub": (lambda i: i.token(sub=None), "it has no sub"),
    "expired": (lambda i: i.token(exp=1), "it has expired"),
    "exp text": (lambda i: i.token(exp="soon"), "DecodeError"),
    "exp list": (lambda i: i.token(exp=[9]), "DecodeError"),
    "infinite": (lambda i: i.token(exp=float("inf")), "it is not valid"),
    "infinite claim": (lambda i: i.token(more=float("inf")), "it is not valid: ValueError"),
    "iss list": (lambda i: i.token(iss=[i.url]), "its iss is not JWT_ISSUER"),
    "iss prefix": (lambda i: i.token(iss=f"{i.url}.example.com"), "its iss is not JWT_ISSUER"),
    "aud other": (lambda i: i.token(aud=["a", "b"]), "its aud is not JWT_AUDIENCE"),
    "aud prefix": (lambda i: i.token(aud=AUDIENCE + "/x"), "its aud is not JWT_AUDIENCE"),
    "aud empty": (lambda i: i.token(aud=[]), "it has no aud"),
    "aud object": (lambda i: i.token(aud={AUDIENCE: 1}), "its aud is not"),
    "sub empty": (lambda i: i.token(sub=""), "its sub is not a text"),
    "sub line": (lambda i: i.token(sub="a\nb"), "its sub is not a text"),
    "sub surrogate": (lambda i: i.token(sub="\ud800"), "its sub is not a text"),
    "sub long": (lambda i: i.token(sub="s" * 1025), "its sub is not a text"),
    "large": (lambda i: i.token(more=["x"] * 1400), f"than {RESULT_BYTES} bytes"),
}


@pytest.mark.parametrize("name", TOKENS)
def test_a_token_that_is_not_valid_is_rejected_with_its_reason_in_the_log(
    authorizer, issuer, log, name
):
    token, reason = TOKENS[name]
    found = reason_of(authorizer, log, f"Bearer {token(issuer)}")
    assert any(part in found for part in reason.split("|")), found
    assert len(found) < 200 and found.isprintable()


@pytest.mark.parametrize(
    "values, reason",
    [
        ([], "0 headers"),
        (["Bearer a.b.c", "Bearer {}"], "2 headers"),
        (["Bearer {}", "Bearer {}"], "2 headers"),
        (["Bearer {}, Bearer {}"], "is not 'Bearer'"),
        (["Basic {}"], "is not 'Bearer'"),
        (["{}"], "is not 'Bearer'"),
        (["Bearer {}.AAAA.BBBB"], "is not 'Bearer'"),
        (["Bearer {}\n"], "is not 'Bearer'"),
        (["Bearer \uff12.\uff13.\uff14"], "is not 'Bearer'"),
        (["Bearer " + "a" * 10_000 + ".b.c"], "more than 10000"),
        ([""], "is not 'Bearer'"),
    ],
)
def test_only_one_header_with_one_token_is_taken(authorizer, issuer, log, values, reason):
    token = issuer.token()
    filled = [value.replace("{}", token) for value in values]
    assert reason in reason_of(authorizer, log, *filled)
    assert issuer.requested == []


def test_two_spellings_of_the_header_are_two_headers(authorizer, issuer):
    both = event(token := f"Bearer {issuer.token()}")
    both["multiValueHeaders"]["authorization"] = [token]
    assert effects(authorizer.authorize(both)) == [("Deny", f"{API}/*")]


# The issuer's keys


@pytest.mark.parametrize(
    "jwk",
    [
        public(SMALL, "rsa"),
        public(P384, "rsa"),
        public(RSA, "rsa", use="enc"),
        public(RSA, "rsa", key_ops=["sign"]),
        public(RSA, "rsa", alg="RS512"),
        public(RSA, "rsa", alg="none"),
        public(RSA, "rsa", kty="EC"),
        public(RSA, "rsa", n="AQAB"),
        public(RSA, "rsa", n=7),
        public(RSA, "rsa", e="AA"),
        public(P256, "rsa", crv="P-384"),
        public(P256, "rsa", x="AA"),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"},
        {"kty": "RSA", "kid": "rsa"},
        {**public(RSA, "rsa"), "kid": 1},
        *("rsa", None, [], {}),
    ],
)
def test_a_key_of_another_kind_or_size_is_not_used(authorizer, issuer, log, jwk):
    issuer.keys[0] = jwk
    reason = reason_of(authorizer, log, f"Bearer {issuer.token()}")
    assert reason == "the issuer has no key for its kid 'rsa'"
    permit(authorizer, issuer.token("ec"))


def test_of_a_private_key_that_an_issuer_publishes_only_the_public_half_is_used(authorizer, issuer):
    numbers = RSA.private_numbers()
    issuer.keys[0] = public(RSA, "rsa", d=str(numbers.d), p="AQ", q="AQ", oth=[])
    permit(authorizer, issuer.token())


def test_the_first_of_two_keys_with_the_same_kid_is_used(authorizer, issuer):
    issuer.keys.append(public(P256, "rsa"))
    permit(authorizer, issuer.token())


def test_keys_are_read_once_an_hour_and_for_unknown_kids_once_a_minute(
    authorizer, issuer, clock, log
):
    def ask(kid: str) -> int:
        before = issuer.requested.count("/keys")
        if kid in ("rsa", "ec"):
            permit(authorizer, issuer.token(kid))
        else:
            reason_of(authorizer, log, f"Bearer {issuer.token(kid)}")
        return issuer.requested.count("/keys") - before

    assert [ask(kid) for kid in ("rsa", "ec", "rsa")] == [1, 0, 0]
    for seconds in (0, 59):
        clock.now += seconds
        assert sum(ask(f"kid-{number}") for number in range(20)) == 0
    clock.now += 2
    assert sum(ask(f"kid-{number}") for number in range(20)) == 1
    clock.now += 3599
    assert ask("rsa") == 0
    clock.now += 1
    assert ask("rsa") == 1


def test_a_new_key_is_found_and_a_removed_one_ends(authorizer, issuer, clock, log):
    permit(authorizer, issuer.token())
    issuer.keys = [public(RSA, "new")]
    clock.now += 61
    permit(authorizer, issuer.token("new"))
    assert "no key" in reason_of(authorizer, log, f"Bearer {issuer.token('rsa')}")


def test_a_failed_read_keeps_the_keys_until_they_are_an_hour_old(authorizer, issuer, clock, log):
    token = issuer.token()
    permit(authorizer, token)
    issuer.instead["/keys"] = 503, {}, b""
    clock.now += 61
    with pytest.raises(KeysUnavailable, match="status 503"):
        permit(authorizer, issuer.token("unknown"))
    permit(authorizer, token)
    clock.now += 3600 - 61
    with pytest.raises(KeysUnavailable, match="status 503"):
        permit(authorizer, token)
    line = log()[-1]
    assert (line["level"], line["reason"]) == ("ERROR", "the issuer answered with status 503")
    read = len(issuer.requested)
    clock.now += 4
    with pytest.raises(KeysUnavailable):
        permit(authorizer, token)
    assert len(issuer.requested) == read
    del issuer.instead["/keys"]
    clock.now += 1
    permit(authorizer, token)


@pytest.mark.parametrize(
    "path, answer, reason",
    [
        (DISCOVERY, (404, {}, b""), "status 404"),
        (DISCOVERY, (200, {}, b"[]"), "JSON object"),
        (DISCOVERY, (200, {}, b"{}"), "another issuer"),
        (DISCOVERY, (200, {}, b'{"issuer": "https://x", "jwks_uri": "https://x"}'), "another"),
        (DISCOVERY, (302, {"Location": "http://169.254.169.254/keys"}, b""), "special-purpose"),
        ("/keys", (302, {"Location": "http://10.0.0.7/keys"}, b""), "private address"),
        ("/keys", (302, {"Location": "file:///etc/passwd"}, b""), "invalid web address"),
        ("/keys", (302, {"Location": "/keys"}, b""), "redirects"),
        ("/keys", (200, {}, b"x" * (1 << 18) + b"x"), "more than"),
        ("/keys", (200, {}, b"[" * 100_000), "JSON object"),
        ("/keys", (200, {}, b'{"keys": {}}'), "no list keys"),
        ("/keys", (200, {}, json.dumps({"keys": [{}] * 101}).encode()), "no list keys"),
        ("/keys", (200, {}, b'{"keys": []}'), "none of the keys"),
    ],
)
def test_what_is_not_the_issuers_keys_is_a_failure_with_its_reason(
    authorizer, issuer, path, answer, reason
):
    issuer.instead[path] = answer
    with pytest.raises(KeysUnavailable, match=reason):
        permit(authorizer, issuer.token())


def test_a_discovery_document_cannot_lead_to_a_private_address(authorizer, issuer):
    document = {"issuer": issuer.url, "jwks_uri": "https://10.0.0.7/keys"}
    issuer.instead[DISCOVERY] = 200, {}, json.dumps(document).encode()
    with pytest.raises(KeysUnavailable, match="private address"):
        permit(authorizer, issuer.token())


# Settings

USUAL = {"JWT_ISSUER": "https://issuer.example.com/", "JWT_AUDIENCE": "updater"}


@pytest.mark.parametrize(
    "changed, words",
    [
        ({"JWT_ISSUER": ""}, "JWT_ISSUER is empty"),
        ({"JWT_AUDIENCE": ""}, "JWT_AUDIENCE is empty"),
        ({"JWT_ISSUER": "accounts.google.com"}, "JWT_ISSUER is 'accounts.google.com'"),
        ({"JWT_ISSUER": "http://issuer.example.com"}, "set JWKS_URL"),
        ({"JWKS_URL": "http://127.0.0.1/keys"}, "JWKS_URL is 'http://127.0.0.1/keys'"),
    ],
)
def test_settings_without_an_issuer_to_trust_are_refused(changed, words):
    with pytest.raises(ConfigurationError, match=words):
        Authorizer.of(USUAL | changed)


def test_only_an_emulators_issuer_may_have_a_private_address():
    url = {"JWKS_URL": "https://127.0.0.1:1/keys"}
    keys = "AWS_ENDPOINT_URL"
    assert AuthorizerSettings.from_environment(USUAL | url).private_hosts == frozenset()
    emulated = AuthorizerSettings.from_environment(USUAL | url | {keys: "http://127.0.0.1:4566"})
    assert emulated.private_hosts == {"127.0.0.1:1", "issuer.example.com"}
    with pytest.raises(KeysUnavailable, match="public hosts only"):
        issuer = Issuer()
        Authorizer.of(USUAL | url).authorize(event(f"Bearer {issuer.token()}"))
