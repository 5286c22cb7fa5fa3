"""A caller with the key of one service tries everything else: over HTTP, with the ledger, and with
services at home and in targets. The events have the identity where API Gateway writes it.
"""

import base64
import json
from dataclasses import replace

import pytest

from ecs_updater.api import get_routes, post_routes
from ecs_updater.api.access import Access
from ecs_updater.api.service_list import ServiceList
from ecs_updater.aws.parameter import Parameter
from ecs_updater.deployments.approvals import answer_hook
from ecs_updater.deployments.deploy import deploy
from ecs_updater.ledger import queries
from ecs_updater.ledger.queries import UpdateQueries
from ecs_updater.model.scopes import API_KEY, Caller, Scopes
from fakes.accounts import PARAMETER, SCOPES
from fakes.wire import CLUSTER_ARN, PREFIX
from support.fleet_run import FleetRun
from support.http import ask
from support.paused import ON, PAUSED, Paused

SHOP = "shop-prod"
THERE = "arn:aws:ecs:eu-central-1:222222222222:"
ENTRY = {
    "api_key": "one",
    "services": ["ECSCluster/web-001"],
    "images": ["docker.io/registry/app:*"],
    "actions": ["read", "update", "rollback"],
}
ADMIN = {
    "api_key": "admin",
    "services": ["*"],
    "images": ["*"],
    "actions": ["read", "update", "rollback", "approve"],
    "targets": ["home", SHOP, "mail"],
}
WRITER = {**ENTRY, "api_key": "writer", "actions": ["update", "rollback"]}
READER = {"api_key": "reader", "actions": ["read"], "services": ["ECSCluster/web-001"]}


class Api:
    """Both functions behind the API, with scopes."""

    def __init__(self, run, *entries, auth="key", **settings):
        self.run = run
        environment = run.environment | {"API_AUTH": auth, "SCOPES_PARAMETER": SCOPES} | settings
        run.accounts.scopes = json.dumps({"callers": entries})
        targets = run.accounts.access()
        parameter = Parameter(
            SCOPES,
            "SCOPES_PARAMETER",
            lambda text: Scopes.parse(text, SCOPES),
            clock=run.clock,
            session=lambda: run.accounts.session,
        )
        access = Access(
            environment, targets, parameter if environment["SCOPES_PARAMETER"] else None
        )

        def own(call):
            return replace(call, clock=run.clock, time_left=lambda: 120.0)

        self._post = post_routes.update_app(
            lambda event, call: deploy(event, environment, run.boundary, own(call), run.table),
            lambda given, call: answer_hook(
                given, environment | ON, run.boundary, own(call), run.table
            ),
            access,
        )
        services = ServiceList(run.accounts.reader())
        self._get = get_routes.status_app(services, UpdateQueries(run.table), environment, access)

    def post(self, path, body, key="one", **identity):
        """Posts with this key."""
        return ask(self._post.resolve, "POST", path, body, apiKeyId=key, **identity)

    def get(self, path, key="one", **identity):
        """Reads with this key."""
        return ask(self._get.resolve, "GET", path, apiKeyId=key, **identity)

    def update(self, name="web-001", key="one", image="registry/app:2", **fields):
        """Posts an update."""
        return self.post("/update", self.run.ecs.event(name, image) | fields, key)

    def ids(self, key="one", query=""):
        """The updates that a key lists, page by page."""
        found, token = [], None
        while token or not found:
            page = self.get(f"/deployments?limit=2{query}{f'&next={token}' if token else ''}", key)
            found.append([update["requestId"] for update in page.json["deployments"]])
            token = page.json["next"]
        return [id_ for ids in found for id_ in ids]


@pytest.fixture(name="run")
def _run():
    """Two services at home, and one in each of two targets."""
    return FleetRun(2, {SHOP: 1, "mail": 1})


@pytest.fixture(name="api")
def _api(run):
    return Api(run, ENTRY, ADMIN, WRITER, READER)


def requests(run):
    """All requests to ECS."""
    return sum(len(fleet.requests) for fleet in (run.ecs, *run.fleets.values()))


def refusal(answer):
    """Status and sentence of an error."""
    return answer.status, answer.json["errorMessage"].partition("] ")[2].removeprefix(
        "[json_validation] "
    )


def test_the_key_of_one_service_updates_and_rolls_back_this_one(run, api):
    assert api.update(request_id="r", wait_seconds=20).status == 200
    assert run.ecs.image("web-001") == "registry/app:2"
    assert run.entry("r").caller == "API key one"
    arn = {"ecs_cluster_name": CLUSTER_ARN, "ecs_service_name": "web-001"}
    assert api.post("/rollback", {**arn, "wait_seconds": 0}).status == 200
    assert run.ecs.image("web-001") == "registry/app:1"


ELSEWHERE = "API key one may update only ECSCluster/web-001"
AT_HOME = "API key one may update only in home"
ATTACKS = [
    ({"ecs_service_name": "web-002"}, f"ecs_service_name web-002 is not allowed: {ELSEWHERE}"),
    ({"ecs_service_name": "WEB-001"}, f"ecs_service_name WEB-001 is not allowed: {ELSEWHERE}"),
    ({"ecs_cluster_name": "Other"}, f"ecs_service_name web-001 is not allowed: {ELSEWHERE}"),
    (
        {"ecs_service_name": f"{PREFIX}service/ECSCluster/web-002"},
        f"ecs_service_name {PREFIX}service/ECSCluster/web-002 is not allowed: {ELSEWHERE}",
    ),
    (
        {"ecs_service_name": f"{PREFIX}service/web-002"},
        f"ecs_service_name {PREFIX}service/web-002 is not allowed: {ELSEWHERE}",
    ),
    ({"target": SHOP}, f"target {SHOP} is not allowed: {AT_HOME}"),
    ({"target": "none"}, f"target none is not allowed: {AT_HOME}"),
    (
        {"ecs_cluster_name": f"{THERE}cluster/ECSCluster"},
        f"target {SHOP} is not allowed: {AT_HOME}",
    ),
    (
        {"ecs_service_name": f"{THERE}service/ECSCluster/web-001"},
        f"target {SHOP} is not allowed: {AT_HOME}",
    ),
    *(
        (
            {"ecs_image_name": image},
            f"ecs_image_name {image} is not allowed: API key one may update ECSCluster/web-001 "
            "only with docker.io/registry/app:*",
        )
        for image in (
            "registry/other:2",
            "registry/app-2:2",
            "evil.example.com/registry/app:2",
            "DOCKER.io/registry/x:2",
            "registry/app@sha256:" + 64 * "a",
        )
    ),
    (
        {"ecs_container_images": {"sidecar": "evil.example.com/x:1"}},
        "ecs_container_images.sidecar evil.example.com/x:1 is not allowed: API key one may update "
        "ECSCluster/web-001 only with docker.io/registry/app:*",
    ),
    # A later push would deploy without a scope.
    (
        {"ecs_tag": {"owner": "shop", "ecs-updater:policy": "prefix:evil-"}},
        "ecs_tag ecs-updater:policy is not allowed: API key one may not change the tags "
        "ecs-updater:*, which select the pushes to deploy",
    ),
]


def test_everything_else_is_403_before_any_request_to_ecs(run, api):
    for fields, sentence in ATTACKS:
        for more in ({}, {"dry_run": True}):
            answer = api.update(request_id="r", **fields, **more)
            assert refusal(answer) == (403, sentence)
            assert answer.json["errorType"] == "NotAllowedError"
    assert requests(run) == 0 and run.history.find("r") is None and not run.accounts.assumed


AMBIGUOUS = [
    {"ecs_service_name": "web-001/"},
    {"ecs_service_name": "web-001\n"},
    {"ecs_service_name": "ECSCluster/web-001"},
    {"ecs_service_name": "web-\uff10\uff101"},
    {"ecs_service_name": "web-0[0]1"},
    {"ecs_cluster_name": "ECSCluster/web-001"},
    {"ecs_cluster_name": f"{CLUSTER_ARN}/"},
    {
        "ecs_cluster_name": CLUSTER_ARN,
        "ecs_service_name": f"{PREFIX}service/Other/web-001",
    },
    {
        "ecs_cluster_name": CLUSTER_ARN,
        "ecs_service_name": f"{THERE}service/ECSCluster/web-001",
    },
    {"ecs_image_name": "registry/app:../other:2"},
    {"action": "rollback"},
]


def test_a_name_that_could_be_read_in_two_ways_is_not_valid(run, api):
    for fields in AMBIGUOUS:
        answer = api.update(**fields)
        assert answer.status in (400, 422), (fields, answer.text)
    assert requests(run) == 0


def test_the_short_form_and_the_other_actions_are_bounded_too(run, api):
    short = {"cluster": "ECSCluster", "service": "web-002", "image": "registry/app", "tag": "2"}
    sentence = f"ecs_service_name web-002 is not allowed: {ELSEWHERE}"
    assert refusal(api.post("/update", short)) == (403, sentence)
    names = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "web-002"}
    rolled_back = refusal(api.post("/rollback", names))
    assert rolled_back == (403, sentence.replace("update only", "rollback only"))
    answer = refusal(api.update(key="reader", dry_run=True))
    assert answer == (403, "update is not allowed: API key reader may only read")
    assert requests(run) == 0


def test_an_account_without_a_target_names_no_other_target(run, api):
    strange = "arn:aws:ecs:eu-central-1:222222222223:cluster/ECSCluster"
    answer = api.update(ecs_cluster_name=strange)
    assert (answer.status, requests(run)) == (400, 0)
    assert "hint" not in answer.json and SHOP not in answer.text


def test_an_existing_revision_has_to_have_images_of_the_entry(run):
    api = Api(run, ENTRY, ADMIN, ALLOWED_FIELDS="ecs_task_definition,run_before")
    api.update(image="registry/evil:1", key="admin", wait_seconds=20)
    api.update(image="registry/app:2", key="admin", wait_seconds=20)
    names = {"ecs_cluster_name": "ECSCluster", "ecs_service_name": "web-001"}
    body = {**names, "ecs_task_definition": "web-001:2", "request_id": "r"}
    before = list(run.ecs.updates)
    answer = api.post("/update", body)
    assert refusal(answer) == (
        403,
        "ecs_task_definition.app registry/evil:1 is not allowed: API key one may update "
        "ECSCluster/web-001 only with docker.io/registry/app:*",
    )
    assert run.ecs.updates == before and run.history.find("r") is None
    # The same event of a caller that may do it: its answer is not replayed to another one.
    assert api.post("/update", body, "admin").status == 200
    assert api.post("/update", body).status == 403
    assert api.post("/update", {**body, "request_id": "s"}, "one").status == 403


def test_a_request_id_of_another_service_answers_nothing_about_it(api):
    api.update("web-002", "admin", request_id="r", wait_seconds=20)
    answer = api.update(request_id="r")
    assert refusal(answer) == (
        400,
        "wrong input event format: request_id: 'r' was another event's: a repetition must ask for "
        "the same",
    )
    assert "web-002" not in answer.text
    assert refusal(api.update("web-002", request_id="r"))[0] == 403


@pytest.mark.parametrize("key", ["one", "admin"])
def test_a_request_id_that_another_event_takes_meanwhile_is_not_resumed(run, api, key):
    def first(request):
        if request.operation == "DescribeServices":
            run.ecs.before = None
            assert api.update(key="admin", image="registry/app:3", request_id="r").status == 200

    run.ecs.before = first  # The ledger had no update r.
    answer = api.update(key=key, request_id="r")
    assert refusal(answer)[0] == 400 and "was another event's" in answer.text
    assert run.ecs.image("web-001") == "registry/app:3" and len(run.ecs.updates) == 1


def test_a_repetition_of_an_own_update_is_replayed(api):
    first, again = (api.update(request_id="r").json for _ in range(2))
    ids = [answer["deployment"]["id"] for answer in (first, again)]
    assert ids[0] == ids[1] and len(api.run.ecs.updates) == 1


# Reading


@pytest.fixture(name="history")
def _history(run, api):
    """Updates of every service, those of `one` in between."""
    for number in range(3):
        api.update("web-002", "admin", image=f"registry/app:{2 + number}", request_id=f"b{number}")
        api.update(image=f"registry/app:{2 + number}", request_id=f"a{number}")
        api.update(key="admin", request_id=f"c{number}", target=SHOP)
        run.time.now += 400
        run.reconcile()


def test_only_the_updates_of_readable_services_are_listed_with_their_actions(api, history):  # pylint: disable=unused-argument
    assert api.ids() == api.ids("reader") == ["a2", "a1", "a0"]
    assert len(api.ids("admin")) == 9 == len(api.ids("without an entry"))
    assert api.ids(query="&cluster=ECSCluster") == ["a2", "a1", "a0"]
    assert api.ids(query="&cluster=ECSCluster&service=web-001") == ["a2", "a1", "a0"]
    assert not api.ids(query="&cluster=ECSCluster&service=web-002")
    assert not api.ids(query=f"&service={THERE}service/ECSCluster/web-001")
    (entry, *_) = api.get("/deployments?limit=1").json["deployments"]
    assert (entry["actions"], entry["caller"]) == (ENTRY["actions"], "API key one")
    assert api.get("/deployments/a0", "reader").json["actions"] == ["read"]


@pytest.mark.parametrize("id_", ["b0", "c0", "~YjA", "~" + base64.b64encode(b"b1").decode()])
def test_an_update_of_another_service_is_like_one_that_does_not_exist(api, history, id_):  # pylint: disable=unused-argument
    found, missing = api.get(f"/deployments/{id_}"), api.get("/deployments/x0")
    name = id_ if not id_.startswith("~") else "b0" if id_ == "~YjA" else "b1"
    assert found.status == missing.status == 404
    assert found.text.replace(f"'{name}'", "'x0'") == missing.text
    answers = [
        api.post(f"/deployments/{which}/{action}", {"hookId": "h"})
        for which in (id_, "x0")
        for action in ("approve", "reject")
    ]
    assert {answer.status for answer in answers} == {404}
    assert {answer.json["errorMessage"].replace(f"'{name}'", "'x0'") for answer in answers} == {
        missing.json["errorMessage"].replace("http_request", "http_request")
    }


def test_the_place_of_the_next_page_names_no_service_that_cannot_be_read(
    run, api, history, monkeypatch
):  # pylint: disable=unused-argument
    monkeypatch.setattr(queries, "_MAX_CALLS", 1)
    monkeypatch.setattr(queries, "_CALL_ENTRIES", 2)
    found, tokens, token = [], [], ""
    while token is not None:
        page = api.get(f"/deployments?limit=2{token and '&next=' + token}").json
        found += [update["requestId"] for update in page["deployments"]]
        token = page["next"]
        tokens.append(base64.urlsafe_b64decode(f"{token or ''}==").decode())
    assert found == ["a2", "a1", "a0"] and len(tokens) > 3
    assert not [text for text in tokens if "web-002" in text or "222222222222" in text]


def test_a_caller_without_read_reads_nothing_also_of_its_own_services(api):
    assert api.update(key="writer", request_id="r").status == 200
    assert api.ids("writer") == api.ids("writer", "&cluster=ECSCluster&service=web-001") == []
    assert api.get("/deployments/r", "writer").status == 404
    assert list_of(api, "writer") == ({}, [])


def list_of(api, key="one", query=""):
    """The services that a key lists, with their actions, page by page; and what is unavailable."""
    found, unavailable, token = {}, [], ""
    while token is not None:
        page = api.get(f"/list?limit=1{query}{token and '&next=' + token}", key).json
        for view in page["services"]:
            found[view["target"], view["serviceName"]] = view["actions"]
        unavailable += [each["target"] for each in page["unavailable"]]
        token = page["next"]
    return found, unavailable


def test_only_readable_services_are_listed_with_what_the_caller_may_do(run, api):
    run.accounts.deny(SHOP)
    assert list_of(api) == ({(None, "web-001"): ENTRY["actions"]}, [])
    bodies = [each.body for each in run.ecs.requests if each.operation == "DescribeServices"]
    assert bodies and "web-002" not in str(bodies)
    assert list_of(api, "reader")[0] == {(None, "web-001"): ["read"]}
    found, unavailable = list_of(api, "admin")
    names = [(None, "web-001"), (None, "web-002"), ("mail", "web-001")]
    assert (list(found), set(unavailable)) == (names, {SHOP})


def test_a_list_of_a_target_that_is_not_allowed_is_403_also_if_it_does_not_exist(api):
    for target in (SHOP, "none", ""):
        sentence = f"target {target} is not allowed: API key one may read only in home"
        assert refusal(api.get(f"/list?target={target}")) == (403, sentence)


def test_targets_that_cannot_be_read_do_not_stop_a_caller_without_targets(run, api, history):
    # pylint: disable=unused-argument
    run.accounts.parameter = "{"
    run.time.now += 400
    assert api.ids() == ["a2", "a1", "a0"] and list_of(api)[0]
    # Nor must it show that an update of a target exists.
    for id_ in ("c0", "x0"):
        assert api.get(f"/deployments/{id_}").status == 404
        assert api.post(f"/deployments/{id_}/approve", {"hookId": "h"}).status == 404
    answer = api.get("/deployments", "admin")
    assert (answer.status, PARAMETER in answer.text) == (500, True)


# The configuration

ROUTES = [
    ("GET", "/list"),
    ("GET", "/deployments"),
    ("GET", "/deployments/r"),
    ("POST", "/update"),
    ("POST", "/rollback"),
    ("POST", "/deployments/r/approve"),
    ("POST", "/deployments/r/reject"),
]


def answers_of(api, key="admin"):
    """The answer of each route."""
    body = api.run.ecs.event("web-001", request_id="new")
    return [
        api.get(path, key) if method == "GET" else api.post(path, body, key)
        for method, path in ROUTES
    ]


def test_scopes_that_cannot_be_read_or_are_not_valid_refuse_everything(run, api):
    for text in (None, "", "{", "[]", '{"callers": [{"api_key": "admin"}]}'):
        run.accounts.scopes = text
        for answer in answers_of(api):
            assert (answer.status, answer.json["errorType"]) == (500, "ConfigurationError")
            assert SCOPES in answer.json["errorMessage"]
    assert requests(run) == 0 and run.history.find("new") is None
    assert api.get("/").status == api.get("/openapi.json").status == 200


def test_without_scopes_bearer_tokens_are_refused_because_an_issuer_signs_them_for_others(run):
    api = Api(run, auth="jwt", SCOPES_PARAMETER="")
    for answer in answers_of(api):
        assert (answer.status, answer.json["errorType"]) == (500, "ConfigurationError")
        assert "SCOPES_PARAMETER is empty" in answer.json["errorMessage"]
    assert requests(run) == 0 and run.history.find("new") is None
    assert api.get("/").status == api.get("/openapi.json").status == 200


def test_a_change_has_its_effect_after_a_minute_and_a_failed_read_at_once_then(run, api):
    assert api.get("/list").status == 200
    run.accounts.scopes = json.dumps({"callers": [], "default": {"actions": []}})
    run.time.now += 59
    assert list_of(api)[0]
    run.time.now += 1
    assert not list_of(api)[0]
    refused = refusal(api.update())
    assert refused == (403, "update is not allowed: API key one may do nothing")
    run.accounts.scopes = None
    run.time.now += 60
    assert api.get("/list").status == 500


@pytest.mark.parametrize(
    "auth, identity",
    [
        ("key", {"apiKeyId": ""}),
        ("key", {"apiKeyId": "", "userArn": "arn:aws:iam::111122223333:user/one"}),
        ("iam", {"apiKeyId": "admin"}),
        ("jwt", {"apiKeyId": "admin"}),
    ],
)
def test_a_request_without_the_identity_of_the_authentication_is_refused(run, auth, identity):
    api = Api(run, ADMIN, auth=auth)
    key = identity.pop("apiKeyId")
    for method, path in ROUTES:
        body = run.ecs.event("web-001")
        ask_ = api.get(path, key) if method == "GET" else api.post(path, body, key, **identity)
        assert ask_.status == 403 and "its caller is not known" in ask_.text
    assert requests(run) == 0


def test_a_signed_request_is_one_of_its_role_and_the_key_beside_it_counts_nothing(run):
    role = {**ENTRY, "role": "arn:aws:iam::111122223333:role/ci/deployer"}
    del role["api_key"]
    api = Api(run, role, ADMIN, auth="iam")
    session = "arn:aws:sts::111122223333:assumed-role/deployer/build-7"
    body = run.ecs.event("web-001", request_id="r")
    assert api.post("/update", body, "admin", userArn=session).status == 200
    caller = "role arn:aws:iam::111122223333:role/deployer, session build-7"
    assert run.entry("r").caller == caller
    body = run.ecs.event("web-002")
    other = "arn:aws:sts::111122223333:assumed-role/other/deployer"
    for arn in (session, other):
        assert api.post("/update", body, "admin", userArn=arn).status == 403


# Approvals


@pytest.mark.parametrize(
    "actions, error",
    [
        ([], "DeploymentNotFoundError"),
        (["update"], "DeploymentNotFoundError"),
        (["read", "update", "rollback"], "NotAllowedError"),
        (["approve"], None),
    ],
    ids=str,
)
def test_only_a_caller_that_may_approve_answers_a_hook(make_world, actions, error):
    paused = Paused(make_world(configuration=PAUSED))
    entry = {"services": ["ECSCluster/*"], "images": ["*"], "actions": actions}
    scopes = Scopes.parse(json.dumps({"callers": [], "default": entry}), SCOPES)
    outcome = paused.answer(scope=scopes.of(Caller(API_KEY, "one")))
    assert (type(outcome.error).__name__ if outcome.error else None) == error, outcome.text
    assert paused.sent == (error is None)
