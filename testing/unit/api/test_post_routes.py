"""``POST``: bodies become events, answers and errors become statuses, and nobody sees what is
inside.
"""

import base64
import json

import pytest

from ecs_updater import errors
from ecs_updater.api.post_routes import update_app
from ecs_updater.errors import AwsFailure, Outcome
from ecs_updater.model.hook import Approval
from support.http import CONTEXT, NO_SCOPES, REQUEST_ID, ask, event

LONG = {
    "ecs_cluster_name": "c",
    "ecs_service_name": "s",
    "ecs_image_name": "busybox:1",
    "ecs_tag": {"a": "b"},
}
SHORT = {"cluster": "c", "service": "s", "image": "registry:5000/team/web", "tag": "1.2"}
BODY = {
    "BEFORE": {"serviceArn": "arn:s"},
    "AFTER": {"serviceArn": "arn:s"},
    "changed": True,
    "changes": [],
    "taskDefinitionArn": {"before": "a", "after": "b"},
    "deployment": {
        "id": "ecs-svc/1",
        "verdict": "IN_PROGRESS",
        "reason": "the deployment was started, and not waited for",
    },
}


class Updates:
    """Stands in for the update: keeps its events and calls, and answers or fails."""

    def __init__(self, answer=None):
        self.answer = answer or {"statusCode": 200, "body": BODY}
        self.events, self.calls = [], []

    def answer_hook(self, answer, call):
        """Stands in for the answer to a hook."""
        self(answer, call)
        return Approval("id", answer.hook_id, answer.action, call.caller, "2027-01-15T08:00:00Z")

    def __call__(self, event_, call):
        self.events.append(event_)
        self.calls.append(call)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def post(updates, path, body, **more):
    """What is answered to a body."""
    return ask(
        update_app(updates, updates.answer_hook, NO_SCOPES).resolve, "POST", path, body, **more
    )


@pytest.fixture(autouse=True)
def _log_is_read(log):
    """What is logged goes where a test can read it."""
    return log


def test_the_contracts_event_goes_to_the_update_as_it_is_and_the_answer_is_its_result():
    updates = Updates()
    answer = post(updates, "/update", LONG)
    assert (answer.status, answer.json) == (200, {"requestId": REQUEST_ID, **BODY})
    assert updates.events == [{"action": "update", **LONG}] and updates.calls[0].id == REQUEST_ID
    assert (
        answer.headers["Cache-Control"] == "no-store"
        and answer.headers["X-Content-Type-Options"] == "nosniff"
    )


NAMES = {"ecs_cluster_name": "c", "ecs_service_name": "s"}
OPTIONS = {"wait_seconds": 5, "dry_run": True, "rollback_on_failure": True, "request_id": "r"}
DIGEST = f"sha256:{'0f' * 32}"


def short_event(image):
    """Returns the event of a short form with this image, which leaves the tags unchanged."""
    image_and_tags = {"ecs_image_name": image, "ecs_tag": {}, "ecs_tag_mode": "merge"}
    return {"action": "update", **NAMES, **image_and_tags}


@pytest.mark.parametrize(
    "path, body, expected",
    [
        (
            "/update",
            {**SHORT, "container": "app", **OPTIONS},
            short_event("registry:5000/team/web:1.2") | {"ecs_container_name": "app"} | OPTIONS,
        ),
        ("/rollback", NAMES, {"action": "rollback", **NAMES}),
        ("/rollback", {"cluster": "c", "service": "s"}, {"action": "rollback", **NAMES}),
        *(
            ("/update", {**SHORT, "image": "web", "tag": tag}, short_event(reference))
            for tag, reference in (
                ("1.2", "web:1.2"),
                (DIGEST, f"web@{DIGEST}"),
                (f"@{DIGEST}", f"web@{DIGEST}"),
                (f"1.2@{DIGEST}", f"web:1.2@{DIGEST}"),
                (f"sha512:{'a' * 128}", f"web@sha512:{'a' * 128}"),
                (f"sha384:{'a' * 96}", f"web@sha384:{'a' * 96}"),
                (f"multihash+base58:{'a' * 32}", f"web@multihash+base58:{'a' * 32}"),
            )
        ),
    ],
)
def test_a_body_becomes_an_event(path, body, expected):
    updates = Updates()
    assert post(updates, path, body).status == 200
    assert updates.events == [expected]


@pytest.mark.parametrize(
    "path, body, violation",
    [
        (
            "/update",
            "{",
            (
                "the body is not valid JSON: Expecting property name enclosed in double quotes: "
                "line 1 column 2 (char 1)"
            ),
        ),
        ("/update", "", "the body is not valid JSON: Expecting value: line 1 column 1 (char 0)"),
        (
            "/update",
            '{"wait_seconds": NaN}',
            "the body is not valid JSON: NaN is not a valid JSON number",
        ),
        ("/update", "[" * 100_000, "the event is nested too deeply"),
        (
            "/update",
            {**SHORT, "image": "web:1"},
            "image: 'web:1' has a tag or a digest: move it to the field tag",
        ),
        (
            "/update",
            {**SHORT, "image": "r:5/web@sha256:0"},
            "image: 'r:5/web@sha256:0' has a tag or a digest: move it to the field tag",
        ),
        ("/update", {**SHORT, "cluster": 1}, "cluster: 1 is not of type 'string'"),
        (
            "/update",
            '{"cluster": "c", "service": "s", "cluster": "c"}',
            "the body has the key 'cluster' twice in one object: remove one of them",
        ),
        (
            "/update",
            json.dumps(LONG)[:-2] + ', "a": "c"}}',
            "the body has the key 'a' twice in one object: remove one of them",
        ),
        (
            "/rollback",
            '{"cluster": "c", "service": "s", "service": "t"}',
            "the body has the key 'service' twice in one object: remove one of them",
        ),
        ("/update", {**SHORT, "wait": 5}, "unknown field wait: did you mean wait_until?"),
        ("/update", {**SHORT, "tags": {}}, "unknown field tags: did you mean tag?"),
        (
            "/update",
            {**LONG, "action": "rollback"},
            "action: this is POST /update, which only does update: leave the field out",
        ),
        (
            "/rollback",
            {"action": "update"},
            "action: this is POST /rollback, which only does rollback: leave the field out",
        ),
    ],
)
def test_a_body_that_cannot_be_an_event_is_refused_with_what_is_wrong_before_anything_is_done(
    path, body, violation
):
    updates = Updates()
    answer = post(updates, path, body)
    assert answer.status == 400 and not updates.events
    assert answer.json == {
        "errorType": "InvalidEventError",
        "errorMessage": f"[ERROR][json_validation] wrong input event format: {violation}",
        "requestId": REQUEST_ID,
        "violations": [violation],
    }


def test_settings_need_the_full_form_and_the_answer_to_a_short_form_says_so():
    updates, full = Updates(), {**LONG, "ecs_environment": {"A": "b"}}
    assert post(updates, "/update", full).status == 200
    assert updates.events == [{"action": "update", **full}]
    answer = post(updates, "/update", {**SHORT, "environment": {"TOKEN": "sentinel"}}).json
    assert answer["violations"] == ["unknown field environment: leave it out"]
    assert "send the event with all of its ecs_ names" in answer["hint"]


@pytest.mark.parametrize(
    "tag",
    [
        *(
            "",
            "-x",
            "a b",
            "5000/other:1",
            "latest:1",
            "x" * 129,
            "1.2@",
            "@",
            ":",
            "1.2@latest",
            f"{DIGEST}@1.2",
        ),
        *(
            DIGEST.upper(),
            f"SHA256:{'0f' * 32}",
            f"sha256:{'0F' * 32}",
            DIGEST[:-1],
            f"{DIGEST}0",
            f"@{DIGEST}@{DIGEST}",
        ),
    ],
)
def test_an_invalid_tag_of_the_short_form_is_named_by_its_field(tag):
    updates = Updates()
    answer = post(updates, "/update", {**SHORT, "tag": tag})
    message = answer.json["errorMessage"]
    assert (answer.status, answer.json["errorType"]) == (400, "InvalidEventError")
    assert message.startswith(
        f"[ERROR][json_validation] wrong input event format: tag: '{tag[:40]}"
    )
    assert "nor a digest (sha256: and 64" in message and "ecs_" not in answer.text
    assert not updates.events


@pytest.mark.parametrize(
    "image, cause",
    [
        ("", "Container.image repository should not be null or empty."),
        *(
            (image, f"image {image!r} is not a valid reference")
            for image in ("Web", "r.example.net/Team/web", "a b", "web/", "r.example.net:x/web")
        ),
    ],
)
def test_an_invalid_image_of_the_short_form_is_shown_as_the_caller_wrote_it(image, cause):
    answer = post(Updates(), "/update", {**SHORT, "image": image})
    assert (answer.status, answer.json["errorType"]) in (
        (422, "InvalidImageError"),
        (400, "InvalidEventError"),
    )
    assert cause in answer.json["errorMessage"] and "ecs_image_name" not in answer.text


@pytest.mark.parametrize(
    "error, message",
    [
        (
            errors.InvalidEventError(
                "ecs_service_name: is in cluster a, but ecs_cluster_name is b"
            ),
            (
                "[ERROR][json_validation] wrong input event format: service: is in "
                "cluster a, but cluster is b"
            ),
        ),
        (
            errors.InvalidImageError("ecs_image_name: as it is"),
            "[ERROR][ecs_service_update] new task_definition could not be created image: as it is",
        ),
        (
            errors.AmbiguousContainerError("name one of a, b in ecs_container_name"),
            "[ERROR][ecs_service_read] name one of a, b in container",
        ),
        (
            errors.ServiceNotActiveError("ecs_service_name s is DRAINING, not ACTIVE"),
            "[ERROR][ecs_service_read] service s is DRAINING, not ACTIVE",
        ),
        (
            errors.LeaseHeldError("ecs_service_name s is held by x"),
            "[ERROR][ecs_service_read] service s is held by x",
        ),
        (
            errors.ServiceNotFoundError("ecs_service_name s not found"),
            "[ERROR][ecs_service_read] ecs_service_name s not found",
        ),
        (
            errors.ClusterNotFoundError("ecs_cluster_name c not found"),
            "[ERROR][ecs_service_read] ecs_cluster_name c not found",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_an_error_names_the_fields_of_the_form_that_the_caller_wrote(error, message, log):
    given = str(error)
    assert post(Updates(error), "/update", LONG).json["errorMessage"] == given
    short = post(Updates(error), "/update", SHORT)
    assert short.json["errorMessage"] == message
    assert short.json.get("violations", [message])[0] in message
    assert log()[-1]["message"] == message


@pytest.mark.parametrize(
    "body, media_type, status, kind",
    [
        *(
            (LONG, media_type, 415, "MediaTypeError")
            for media_type in (
                "",
                "text/plain",
                "application/x-www-form-urlencoded",
                "application/jsonx",
            )
        ),
        (json.dumps({"x": "y" * 300_000}), "application/json", 413, "PayloadTooLargeError"),
    ],
)
def test_a_body_of_another_type_or_too_large_is_rejected(body, media_type, status, kind):
    answer = post(Updates(), "/update", body, headers={"Content-Type": media_type})
    assert (answer.status, answer.json["errorType"]) == (status, kind)
    message = answer.json["errorMessage"]
    if status == 415:
        assert "must be application/json" in message and "set Content-Type" in message


@pytest.mark.parametrize("body", ["a", "gA=="])
def test_a_body_that_is_not_text_in_base64_is_400(body):
    request = event("POST", "/update", body) | {"isBase64Encoded": True}
    answer = update_app(Updates(), None, NO_SCOPES).resolve(request, CONTEXT)
    assert answer["statusCode"] == 400 and "is not text in base64" in answer["body"]


def test_a_body_in_base64_is_read():
    encoded = {
        **event("POST", "/update"),
        "body": base64.b64encode(json.dumps(LONG).encode()).decode(),
        "isBase64Encoded": True,
    }
    encoded["headers"]["content-type"] = "application/json"
    updates = Updates()
    assert (
        update_app(updates, updates.answer_hook, NO_SCOPES).resolve(encoded, CONTEXT)["statusCode"]
        == 200
    )
    assert updates.events[0]["ecs_tag"] == {"a": "b"}


@pytest.mark.parametrize(
    "wait, given, status",
    [
        *((0, 0, 200), (25, 25, 200), (26, 0, 202), (840, 0, 202)),
        *((wait, wait, 200) for wait in ("x", True, 841, 100_000, 30.5)),  # The schema's to refuse.
    ],
)
def test_a_wait_that_is_too_long_for_a_request_is_not_waited_and_answered_202(wait, given, status):
    updates = Updates()
    answer = post(updates, "/update", {**LONG, "wait_seconds": wait})
    assert (answer.status, updates.events[0]["wait_seconds"]) == (status, given)
    assert answer.headers.get("Location") == (
        f"deployments/{REQUEST_ID}" if status == 202 else None
    )


KINDS = [
    *errors.CallerFault.__subclasses__(),
    *errors.ServerFault.__subclasses__(),
]
STATUSES = {
    400: {"InvalidEventError", "InvalidQueryError"},
    403: {"ApprovalsOffError", "NotAllowedError"},
    404: {
        "ClusterNotFoundError",
        "ServiceNotFoundError",
        "DeploymentNotFoundError",
        "RouteNotFoundError",
    },
    409: {"HookNotAwaitedError", "LeaseHeldError"},
    413: {"PayloadTooLargeError"},
    415: {"MediaTypeError"},
    500: {"ConfigurationError", "InternalError"},
    502: {
        *(
            "ApprovalError",
            "LedgerError",
            "ServiceReadError",
            "TaskDefinitionError",
            "ServiceUpdateError",
            "ServiceTagsError",
        ),
        *(
            "ImageVerificationError",
            "JobResultError",
            "RateError",
            "TargetRoleError",
            "TaskRunError",
        ),
    },
    504: {"UnknownOutcomeError"},
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_the_same_words_as_in_a_direct_call(kind, log):
    error = kind("why")
    answer = post(Updates(error), "/update", LONG)
    expected = next((status for status, names in STATUSES.items() if kind.__name__ in names), 422)
    assert answer.status == expected
    assert answer.json.pop("errorType") == kind.__name__ and answer.json["errorMessage"] == str(
        error
    )
    assert ("Retry-After" in answer.headers) is (kind is errors.LeaseHeldError)
    assert ("violations" in answer.json) is (kind is errors.InvalidEventError)
    assert log()[-1]["error_type"] == kind.__name__


def test_a_hint_is_a_field_of_the_response_and_of_the_log(log):
    error = errors.ServiceNotFoundError("ecs_service_name web not found").with_hint(
        "looked in cluster c in eu-west-1"
    )
    answer = post(Updates(error), "/update", LONG)
    assert (answer.json["errorMessage"], answer.json["hint"]) == (str(error), error.hint)
    assert (log()[-1]["message"], log()[-1]["hint"]) == (str(error), error.hint)


@pytest.mark.parametrize(
    "kind, outcome, status",
    [
        (errors.ServiceUpdateError, Outcome.NOT_PERMITTED, 403),
        (errors.ServiceUpdateError, Outcome.UNKNOWN, 504),
        (errors.ServiceUpdateError, Outcome.NOT_NOW, 502),
        (errors.LedgerError, Outcome.NOT_PERMITTED, 502),
        (errors.LedgerError, Outcome.UNKNOWN, 504),
        (errors.ServiceUpdateRefusedError, Outcome.REFUSED, 422),
    ],
)
def test_a_failed_call_of_aws_has_a_status_by_its_outcome(kind, outcome, status):
    failure = AwsFailure("UpdateService", outcome, "Code", "reason")
    assert post(Updates(kind("why").caused_by(failure)), "/update", LONG).status == status


def test_a_defect_is_500_without_internals_and_with_its_traceback_in_the_log(log):
    answer = post(Updates(KeyError("/var/task/secret")), "/update", LONG)
    assert answer.status == 500 and answer.json["errorType"] == "InternalError"
    assert "Traceback" not in answer.text and "secret" not in answer.text
    assert "KeyError" in log()[-1]["exception"]


@pytest.mark.parametrize(
    "identity, caller",
    [
        ({}, "HTTP"),
        ({"apiKeyId": "k1"}, "API key k1"),
        ({"apiKeyId": "k1", "apiKey": "secret", "userArn": "arn:u"}, "API key k1"),
    ],
)
def test_the_ledger_gets_the_caller_and_never_the_key(identity, caller):
    updates = Updates()
    post(updates, "/update", LONG, **identity)
    assert updates.calls[0].caller == caller


def test_the_log_knows_the_service_and_the_ids_but_no_header_and_no_key(log):
    body = LONG | {"request_id": "r"}
    post(Updates(), "/update", body, headers={"x-api-key": "secret-key"}, apiKey="secret-key")
    (line,) = log()
    ids = {"request_id": "r", "http_request_id": REQUEST_ID}
    ids |= {"lambda_request_id": CONTEXT.aws_request_id}
    assert ({"ecs_service_name": "s", "action": "update"} | ids).items() <= line.items()
    assert "secret-key" not in json.dumps(line)
