"""The caller of a `requestContext`: only the kind of identity that API_AUTH verifies counts."""

import pytest

from ecs_updater.api.access import caller_of
from ecs_updater.model.scopes import API_KEY, ROLE, SUB, Caller

SUBJECT = "repo:acme/shop:ref:refs/heads/main"
CONTEXT = {
    "identity": {
        "apiKeyId": "key",
        "userArn": "arn:aws:sts::111122223333:assumed-role/deployer/admin",
    },
    "authorizer": {"sub": SUBJECT, "claims": '{"env": ["prod"]}'},
}
ROLE_ARN = "arn:aws:iam::111122223333:role/deployer"


@pytest.mark.parametrize(
    "auth, caller",
    [
        ("key", Caller(API_KEY, "key")),
        ("iam", Caller(ROLE, ROLE_ARN, session="admin")),
        ("jwt", Caller(SUB, SUBJECT, {"env": ["prod"]})),
    ],
)
def test_the_caller_is_the_identity_of_the_authentication(auth, caller):
    assert caller_of(CONTEXT, auth) == caller


@pytest.mark.parametrize("value", [None, "", 7, ["key"], {"key": "key"}, True])
@pytest.mark.parametrize(
    "auth, part, name",
    [
        ("key", "identity", "apiKeyId"),
        ("iam", "identity", "userArn"),
        ("jwt", "authorizer", "sub"),
    ],
)
def test_an_identity_that_is_not_a_text_is_none(auth, part, name, value):
    assert caller_of({**CONTEXT, part: {**CONTEXT[part], name: value}}, auth) is None
    assert caller_of({**CONTEXT, part: None}, auth) is None


@pytest.mark.parametrize("claims", ["{", "[]", '"env"', "null", "NaN", "[" * 100_000])
def test_a_token_with_claims_that_cannot_be_read_has_no_caller(claims):
    assert caller_of({"authorizer": {"sub": SUBJECT, "claims": claims}}, "jwt") is None


@pytest.mark.parametrize("claims", [None, {"env": "prod"}, ""])
def test_a_token_without_the_text_of_claims_has_none(claims):
    caller = caller_of({"authorizer": {"sub": SUBJECT, "claims": claims}}, "jwt")
    assert caller == Caller(SUB, SUBJECT)
