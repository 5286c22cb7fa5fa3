"""Scopes: their configuration, who a caller is, and which entries are those of a caller."""

import json

import pytest

from ecs_updater.errors import ConfigurationError, NotAllowedError
from ecs_updater.model.image import ImageReference
from ecs_updater.model.request import RollbackRequest, UpdateRequest
from ecs_updater.model.scopes import API_KEY, SUB, USER, Caller, Scopes

ROLE = "arn:aws:iam::111122223333:role/{}"
SESSION = "arn:aws:sts::111122223333:assumed-role/{}/alice"
SHOP = {"services": ["shop/*"], "images": ["registry.example.com/shop/*"]}
ALL = ["read", "update", "rollback", "approve"]


def scopes_of(*callers, **more):
    """The scopes of entries."""
    return Scopes.parse(json.dumps({"callers": callers, **more}), "/scopes")


def actions(scopes, caller, service="shop/web", target="home"):
    """What a caller may do."""
    return scopes.of(caller).actions_on(service, target)


def update(service="web", image=None, cluster="shop", **images):
    """A request of an update."""
    further = {name: ImageReference.parse(text) for name, text in images.items()}
    parsed = image and ImageReference.parse(image)
    return UpdateRequest(
        cluster=cluster, service=service, image=parsed, tags=None, container_images=further
    )


def refused(scopes, request, target="home"):
    """The sentence with which the caller `a` is refused, or None."""
    try:
        scopes.of(Caller(API_KEY, "a")).of_request(request, target)
    except NotAllowedError as error:
        return error.reason
    return None


# Who a caller is


@pytest.mark.parametrize(
    "entry, arn, is_same",
    [
        ({"role": ROLE.format("deployer")}, SESSION.format("deployer"), True),
        ({"role": ROLE.format("path/to/deployer")}, SESSION.format("deployer"), True),
        ({"role": ROLE.format("deployer")}, SESSION.format("deployer2"), False),
        ({"role": ROLE.format("deployer")}, SESSION.format("Deployer"), False),
        (
            {"role": ROLE.format("deployer")},
            "arn:aws:sts::999999999999:assumed-role/deployer/alice",
            False,
        ),
        (
            {"role": ROLE.format("deployer")},
            "arn:aws-cn:sts::111122223333:assumed-role/deployer/alice",
            False,
        ),
        *(
            (
                {"role": f"arn:aws-cn:iam::111122223333:role/{path}deployer"},
                f"arn:{partition}:sts::111122223333:assumed-role/deployer/alice",
                partition == "aws-cn",
            )
            for path in ("", "ci/")
            for partition in ("aws", "aws-cn")
        ),
        # A session or a user that is named like the role.
        ({"role": ROLE.format("alice")}, SESSION.format("deployer"), False),
        ({"role": ROLE.format("deployer")}, "arn:aws:iam::111122223333:user/deployer", False),
        (
            {"user": "arn:aws:iam::111122223333:user/ops/bob"},
            "arn:aws:iam::111122223333:user/ops/bob",
            True,
        ),
        (
            {"user": "arn:aws:iam::111122223333:user/bob"},
            "arn:aws:iam::111122223333:user/ops/bob",
            False,
        ),
        (
            {"user": "arn:aws:sts::111122223333:federated-user/bob"},
            "arn:aws:sts::111122223333:federated-user/bob",
            True,
        ),
        ({"user": "arn:aws:iam::111122223333:root"}, "arn:aws:iam::111122223333:root", True),
    ],
)
def test_a_role_is_recognised_without_path_and_session_and_a_user_as_it_is(entry, arn, is_same):
    scopes = scopes_of({**entry, "actions": ["approve"], "services": ["*"]})
    expected = ["approve"] if is_same else ["read"]
    assert actions(scopes, Caller.of_arn(arn)) == expected


def test_a_caller_is_shown_with_the_session_in_the_ledger_only():
    caller = Caller.of_arn(SESSION.format("deployer"))
    assert str(caller) == f"role {ROLE.format('deployer')}"
    assert caller.full_name == f"role {ROLE.format('deployer')}, session alice"
    assert Caller(SUB, "a\nb").full_name == "subject a\\nb"


def test_an_entry_of_another_kind_is_not_the_caller_s():
    scopes = scopes_of({"api_key": "a", "actions": ["approve"], "services": ["*"]})
    assert actions(scopes, Caller(API_KEY, "a")) == ["approve"]
    for caller in (Caller(SUB, "a"), Caller(USER, "a"), Caller(API_KEY, "A")):
        assert actions(scopes, caller) == ["read"]


@pytest.mark.parametrize(
    "claims, is_same",
    [
        ({"repository_owner": "acme", "env": "prod"}, True),
        ({"repository_owner": "acme", "env": ["dev", "prod"]}, True),
        ({"repository_owner": "acme"}, False),
        ({"repository_owner": "Acme", "env": "prod"}, False),
        ({"repository_owner": "acme", "env": ["dev"]}, False),
        ({"repository_owner": "acme", "env": {"prod": "prod"}}, False),
        ({"repository_owner": "acme", "env": None}, False),
    ],
)
def test_a_token_is_recognised_by_its_subject_and_all_claims(claims, is_same):
    entry = {"sub": "repo:acme/shop:*", "claims": {"repository_owner": "acme", "env": "prod*"}}
    scopes = scopes_of({**entry, "actions": ["approve"], "services": ["*"]})
    expected = ["approve"] if is_same else ["read"]
    assert actions(scopes, Caller(SUB, "repo:acme/shop:ref:refs/heads/main", claims)) == expected
    assert actions(scopes, Caller(SUB, "repo:acme/shop-2:x", claims)) == ["read"]


def test_a_claim_of_another_type_is_compared_as_json():
    entry = {"sub": "*", "claims": {"verified": "true", "level": "3"}}
    scopes = scopes_of({**entry, "actions": ["approve"], "services": ["*"]})
    assert actions(scopes, Caller(SUB, "x", {"verified": True, "level": 3})) == ["approve"]
    assert actions(scopes, Caller(SUB, "x", {"verified": False, "level": 3})) == ["read"]


# What a caller without an entry may do


def test_without_a_default_a_caller_without_an_entry_may_read_everything():
    scopes, caller = scopes_of(), Caller(API_KEY, "other")
    for target in ("home", "mail", None):
        assert actions(scopes, caller, target=target) == ["read"]
    scope = scopes.of(caller)
    assert scope.may_read_in("shop", "mail") and scope.has_targets


def test_a_default_takes_its_place():
    caller = Caller(API_KEY, "other")
    assert actions(scopes_of(default={"actions": []}), caller) == []
    some = scopes_of(default={"actions": ["read"], "services": ["shop/*"]})
    assert actions(some, caller) == ["read"]
    assert actions(some, caller, "mail/web") == actions(some, caller, target="mail") == []


def test_an_entry_takes_the_place_of_the_default():
    scopes = scopes_of({"api_key": "a", "actions": ["rollback"], "services": ["shop/web"]})
    assert actions(scopes, Caller(API_KEY, "a")) == ["rollback"]
    assert actions(scopes, Caller(API_KEY, "a"), "shop/api") == []


def test_a_service_needs_one_of_the_patterns_in_their_case():
    scopes = scopes_of({"api_key": "a", "actions": ["read"], "services": ["mail/*", "shop/web"]})
    readable = [
        service
        for service in ("mail/api", "shop/web", "shop/Web", "Shop/web", "shop/api", "shop/web-2")
        if actions(scopes, Caller(API_KEY, "a"), service)
    ]
    assert readable == ["mail/api", "shop/web"]


# What a request needs

WEB = "registry.example.com/shop/web:2"
OTHER = "registry.example.com/mail/web:2"
FIRST = {"api_key": "a", "actions": ALL, **SHOP}
SECOND = {**FIRST, "services": ["mail/*"], "images": ["registry.example.com/mail/*"]}
THIRD = {
    **FIRST,
    "services": ["shop/web"],
    "images": ["docker.io/library/*"],
    "targets": ["x", "y"],
}


@pytest.mark.parametrize(
    "entries, request_, target, sentence",
    [
        ([FIRST], update(image=WEB), "home", None),
        ([FIRST, SECOND], update(image=WEB), "home", None),
        ([FIRST], update(image=None), "home", None),
        ([FIRST], RollbackRequest(cluster="shop", service="web"), "home", None),
        (
            [FIRST],
            update(cluster="mail"),
            "home",
            "ecs_service_name web is not allowed: API key a may update only shop/*",
        ),
        (
            [FIRST, SECOND],
            RollbackRequest(cluster="c", service="arn:x:service/c/web"),
            "home",
            "ecs_service_name arn:x:service/c/web is not allowed: API key a may rollback only "
            "shop/*, mail/*",
        ),
        # Each part is allowed by one entry, and no entry allows both.
        (
            [FIRST, SECOND],
            update(image=OTHER),
            "home",
            f"ecs_image_name {OTHER} is not allowed: API key a may update shop/web only with "
            "registry.example.com/shop/*",
        ),
        (
            [FIRST],
            update(image=WEB, sidecar=OTHER),
            "home",
            f"ecs_container_images.sidecar {OTHER} is not allowed: API key a may update shop/web "
            "only with registry.example.com/shop/*",
        ),
        (
            [FIRST],
            update(image=WEB),
            "mail",
            "target mail is not allowed: API key a may update only in home",
        ),
        (
            [THIRD],
            update(image="busybox"),
            "home",
            "target home is not allowed: API key a may update only in x, y",
        ),
        ([THIRD], update(image="busybox"), "y", None),
        (
            [FIRST, THIRD],
            update(image=WEB),
            "x",
            f"ecs_image_name {WEB} is not allowed: API key a may update shop/web only with "
            "docker.io/library/*",
        ),
        (
            [FIRST],
            update(image=WEB),
            None,
            "target of another account or region is not allowed: API key a may update only in home",
        ),
        (
            [{"api_key": "a", "actions": ["read", "rollback"], "services": ["*"]}],
            update(image=WEB),
            "home",
            "update is not allowed: API key a may only read and rollback",
        ),
    ],
)
def test_a_request_is_allowed_by_one_entry_as_a_whole(entries, request_, target, sentence):
    assert refused(scopes_of(*entries), request_, target) == sentence


def test_a_caller_that_may_do_nothing_is_named():
    scopes = scopes_of(default={"actions": []})
    assert refused(scopes, update()) == "update is not allowed: API key a may do nothing"


def test_the_images_of_an_existing_revision_must_be_those_of_an_entry_that_allows_the_rest():
    request = update(image=None)
    scope = scopes_of(FIRST, SECOND).of(Caller(API_KEY, "a")).of_request(request, "home")
    scope.check_revision(request, {"app": WEB})
    with pytest.raises(NotAllowedError, match=r"ecs_task_definition.log .*/mail/web:2 is not al"):
        scope.check_revision(request, {"app": WEB, "log": OTHER})
    with pytest.raises(NotAllowedError, match="ecs_task_definition.app no reference"):
        scope.check_revision(request, {"app": "no reference"})


@pytest.mark.parametrize(
    "other",
    [
        {"actions": ["read", "rollback", "approve"], "services": ["shop/*"]},
        {**SECOND, "services": ["shop/*"], "targets": ["mail"]},
    ],
    ids=["another action", "another target"],
)
def test_an_entry_that_does_not_allow_the_request_allows_no_revision_of_it(other):
    request = update(image=None)
    scope = scopes_of(FIRST, {**other, "api_key": "a"}).of(Caller(API_KEY, "a"))
    with pytest.raises(NotAllowedError, match=r"ecs_task_definition.app .*/mail/web:2 is not al"):
        scope.of_request(request, "home").check_revision(request, {"app": OTHER})


@pytest.mark.parametrize(
    "patterns, cluster, is_possible",
    [
        (["shop/*"], "shop", True),
        (["shop/*"], "shop2", False),
        (["sh*/web", "m?il/*"], "mail", True),
        (["*"], "any", True),
        (["*/web"], "any", True),
        (["[ms]*/web"], "shop", True),  # With brackets the cluster is not known.
        (["shop[/]x"], "any", True),
    ],
)
def test_clusters_in_which_a_caller_may_read_nothing_are_known(patterns, cluster, is_possible):
    scopes = scopes_of({"api_key": "a", "actions": ["read"], "services": patterns})
    assert scopes.of(Caller(API_KEY, "a")).may_read_in(cluster, "home") is is_possible
    assert not scopes.of(Caller(API_KEY, "a")).may_read_in(cluster, "mail")


# The configuration

READS = {"api_key": "a", "actions": ["read"]}


@pytest.mark.parametrize(
    "document, sentence",
    [
        ("{", "its value is not valid JSON: "),
        ('{"callers": [], "callers": []}', "its value has the key 'callers' twice in one object"),
        ([], "the value is not of type 'object'"),
        ({}, "'callers' is a required property"),
        ({"callers": [], "caller": []}, "('caller' was unexpected)"),
        ({"callers": [{"api_key": "a"}]}, "callers.0: 'actions' is a required property"),
        (
            {"callers": [READS, {**READS, "service": ["a/b"]}]},
            "callers.1: Additional properties are not allowed ('service' was unexpected)",
        ),
        (
            {"callers": [{"actions": ["read"]}]},
            "callers.0: write exactly one of api_key, role, user and sub",
        ),
        (
            {"callers": [{**READS, "sub": "x"}]},
            "callers.0: write exactly one of api_key, role, user and sub",
        ),
        (
            {"callers": [{**READS, "claims": {"a": "b"}}]},
            "callers.0.claims: only an entry with sub has claims",
        ),
        ({"callers": [{**READS, "actions": ["updates"]}]}, "callers.0.actions.0: the value is not"),
        ({"callers": [{**READS, "actions": []}]}, "callers.0.actions: "),
        ({"callers": [{**READS, "services": []}]}, "callers.0.services: "),
        (
            {"callers": [{**READS, "services": ["shop"]}]},
            "callers.0.services.0: the pattern 'shop': write patterns of cluster/service, such as",
        ),
        (
            {"callers": [{**READS, "services": ["a/*", "shop/[a"]}]},
            "callers.0.services.1: the pattern 'shop/[a': write patterns of cluster/service",
        ),
        (
            {"callers": [{**READS, "images": ["busybox"]}]},
            "callers.0.images.0: the pattern 'busybox': write patterns of registry/repository:tag",
        ),
        (
            {"callers": [{**READS, "actions": ["update"], "services": ["*"]}]},
            "callers.0: the action update needs images",
        ),
        (
            {"callers": [{**READS, "actions": ["approve"]}]},
            "callers.0: the action approve needs services",
        ),
        (
            {"callers": [], "default": {"actions": ["rollback"]}},
            "default: the action rollback needs services",
        ),
        (
            {"callers": [{"role": "deployer", "actions": ["read"]}]},
            "callers.0.role: the value does not match",
        ),
        ({"callers": [{**READS, "api_key": "a\n"}]}, "callers.0.api_key: it ends with a newline"),
        ({"callers": [{**READS, "targets": ["Home"]}]}, "callers.0.targets.0: the value does not"),
        ("[" * 100_000, "its value is nested too deeply"),
    ],
    ids=lambda given: str(given)[:60],
)
def test_a_configuration_that_is_not_valid_is_an_error_with_its_path(document, sentence):
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(ConfigurationError) as raised:
        Scopes.parse(text, "/scopes")
    message = str(raised.value)
    assert "the parameter /scopes of the function's SCOPES_PARAMETER: " in message
    assert sentence in message


def test_the_images_of_an_entry_are_normalised():
    entry = {**FIRST, "images": ["index.docker.io/library/busybox:*"]}
    assert refused(scopes_of(entry), update(image="busybox:2")) is None
