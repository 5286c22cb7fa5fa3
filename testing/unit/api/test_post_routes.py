"""``POST``: bodies become events, answers and errors become statuses, and nobody sees what is
inside.
"""

import base64
import json

import pytest

from ecs_updater import errors
from ecs_updater.api.app import status_of
from ecs_updater.api.post_routes import update_app
from ecs_updater.aws.errors import AwsFailure, Outcome
from support.http import CONTEXT, REQUEST_ID, ask, event

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
    """Stands in for the update: notes what is asked for, and answers or fails as it is told."""

    def __init__(self, answer=None):
        self.answer = answer or {"statusCode": 200, "body": BODY}
        self.asked = []

    def __call__(self, event_, call):
        self.asked.append((event_, call))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def post(updates, path, body, **more):
    """What is answered to a body."""
    return ask(update_app(updates).resolve, "POST", path, body, **more)


@pytest.fixture(autouse=True)
def _log_is_read(log):
    """What is logged goes where a test can read it."""
    return log


def test_the_contracts_event_goes_to_the_update_as_it_is_and_the_answer_is_its_result():
    updates = Updates()
    answer = post(updates, "/update", LONG)
    assert (answer.status, answer.json) == (200, {"requestId": REQUEST_ID, **BODY})
    asked, call = updates.asked[0]
    assert asked == {"action": "update", **LONG} and call.id == REQUEST_ID
    assert (
        answer.headers["Cache-Control"] == "no-store"
        and answer.headers["X-Content-Type-Options"] == "nosniff"
    )


def test_the_short_form_is_the_contracts_event_that_leaves_the_tags_alone():
    updates = Updates()
    options = {
        "container": "app",
        "wait_seconds": 5,
        "dry_run": True,
        "rollback_on_failure": True,
        "request_id": "r",
    }
    assert post(updates, "/update", {**SHORT, **options}).status == 200
    assert updates.asked[0][0] == {
        "action": "update",
        "ecs_cluster_name": "c",
        "ecs_service_name": "s",
        "ecs_image_name": "registry:5000/team/web:1.2",
        "ecs_tag": {},
        "ecs_tag_mode": "merge",
        "ecs_container_name": "app",
        **{
            name: options[name]
            for name in ("wait_seconds", "dry_run", "rollback_on_failure", "request_id")
        },
    }


@pytest.mark.parametrize(
    "body", [{"ecs_cluster_name": "c", "ecs_service_name": "s"}, {"cluster": "c", "service": "s"}]
)
def test_a_rollback_needs_only_cluster_and_service_in_either_form(body):
    updates = Updates()
    assert post(updates, "/rollback", body).status == 200
    assert updates.asked[0][0] == {
        "action": "rollback",
        "ecs_cluster_name": "c",
        "ecs_service_name": "s",
    }


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
        ("/update", {**SHORT, "wait": 5}, "unknown field wait: did you mean wait_seconds?"),
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
    assert answer.status == 400 and not updates.asked
    assert answer.json == {
        "errorType": "InvalidEventError",
        "errorMessage": f"[ERROR][json_validation] wrong input event format: {violation}",
        "requestId": REQUEST_ID,
        "violations": [violation],
    }


DIGEST = f"sha256:{'0f' * 32}"


@pytest.mark.parametrize(
    "tag, reference",
    [
        ("1.2", "web:1.2"),
        (DIGEST, f"web@{DIGEST}"),
        (f"@{DIGEST}", f"web@{DIGEST}"),
        (f"1.2@{DIGEST}", f"web:1.2@{DIGEST}"),
        (f"sha512:{'a' * 128}", f"web@sha512:{'a' * 128}"),
        (f"sha384:{'a' * 96}", f"web@sha384:{'a' * 96}"),
        (f"multihash+base58:{'a' * 32}", f"web@multihash+base58:{'a' * 32}"),
    ],
)
def test_the_short_forms_tag_is_a_tag_or_a_digest_or_both(tag, reference):
    updates = Updates()
    assert post(updates, "/update", {**SHORT, "image": "web", "tag": tag}).status == 200
    assert updates.asked[0][0]["ecs_image_name"] == reference


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
def test_what_is_neither_a_tag_nor_a_digest_is_refused_in_the_short_forms_words(tag):
    updates = Updates()
    answer = post(updates, "/update", {**SHORT, "tag": tag})
    assert (answer.status, answer.json["errorType"], updates.asked) == (
        400,
        "InvalidEventError",
        [],
    )
    begins = f"[ERROR][json_validation] wrong input event format: tag: '{tag[:40]}"
    assert (
        answer.json["errorMessage"].startswith(begins)
        and "nor a digest (sha256: and 64" in answer.json["errorMessage"]
    )
    assert "ecs_" not in answer.text


@pytest.mark.parametrize(
    "image", ["Web", "r.example.net/Team/web", "a b", "web/", "r.example.net:x/web"]
)
def test_a_wrong_image_of_the_short_form_is_quoted_as_the_caller_wrote_it(image):
    answer = post(Updates(), "/update", {**SHORT, "image": image})
    assert (answer.status, answer.json["errorType"]) in (
        (422, "InvalidImageError"),
        (400, "InvalidEventError"),
    )
    assert (
        f"image {image!r} is not a valid reference" in answer.json["errorMessage"]
        and "ecs_image_name" not in answer.text
    )


def test_an_empty_image_of_the_short_form_has_the_contracts_sentence():
    answer = post(Updates(), "/update", {**SHORT, "image": ""})
    begins = "[ERROR][ecs_service_update] new task_definition could not be created "
    assert (
        answer.json["errorMessage"]
        == f"{begins}Container.image repository should not be null or empty."
    )


@pytest.mark.parametrize(
    "error, said",
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
            errors.ServiceNotFoundError("s"),
            "[ERROR][ecs_service_read] ecs_service_name s not found",
        ),
        (
            errors.ClusterNotFoundError("c"),
            "[ERROR][ecs_service_read] ecs_cluster_name c not found",
        ),
    ],
    ids=lambda one: type(one).__name__ if isinstance(one, Exception) else "",
)
def test_an_error_names_the_fields_of_the_form_that_the_caller_wrote(error, said, log):
    given = str(error)
    long = post(Updates(error), "/update", LONG)
    assert long.json["errorMessage"] == given
    short = post(Updates(error), "/update", SHORT)
    assert short.json["errorMessage"] == said and short.json.get("violations", [said])[0] in said
    assert log()[-1]["message"] == said


@pytest.mark.parametrize(
    "media_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonx"]
)
def test_another_media_type_is_415(media_type):
    answer = post(Updates(), "/update", LONG, headers={"Content-Type": media_type})
    assert answer.status == 415 and answer.json["errorType"] == "MediaTypeError"
    assert (
        "must be application/json" in answer.json["errorMessage"]
        and "set Content-Type" in answer.json["errorMessage"]
    )


def test_a_body_larger_than_any_event_is_413():
    answer = post(Updates(), "/update", json.dumps({"x": "y" * 300_000}))
    assert (answer.status, answer.json["errorType"]) == (413, "PayloadTooLargeError")


def test_a_body_in_base64_is_read():
    encoded = {
        **event("POST", "/update"),
        "body": base64.b64encode(json.dumps(LONG).encode()).decode(),
        "isBase64Encoded": True,
    }
    encoded["headers"]["content-type"] = "application/json"
    updates = Updates()
    assert update_app(updates).resolve(encoded, CONTEXT)["statusCode"] == 200 and updates.asked[0][
        0
    ]["ecs_tag"] == {"a": "b"}


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
    assert (answer.status, updates.asked[0][0]["wait_seconds"]) == (status, given)
    assert answer.headers.get("Location") == (
        f"deployments/{REQUEST_ID}" if status == 202 else None
    )


def failed(kind, outcome=None):
    """An error of this kind, with the failure of a call behind it."""
    error = kind("why") if kind is not errors.InvalidEventError else kind("why", ["why", "and why"])
    if outcome:
        error.caused_by(AwsFailure("UpdateService", outcome, "Code", "reason"))
    return error


KINDS = [
    *errors.CallerFault.__subclasses__(),
    *errors.ServerFault.__subclasses__(),
]
STATUSES = {
    400: {"InvalidEventError", "InvalidQueryError"},
    403: {"NotAllowedError"},
    404: {
        "ClusterNotFoundError",
        "ServiceNotFoundError",
        "DeploymentNotFoundError",
        "RouteNotFoundError",
    },
    409: {"LeaseHeldError"},
    413: {"PayloadTooLargeError"},
    415: {"MediaTypeError"},
    500: {"ConfigurationError", "InternalError"},
    502: {
        *(
            "LedgerError",
            "ServiceReadError",
            "TaskDefinitionError",
            "ServiceUpdateError",
            "ServiceTagsError",
        ),
        *("ImageVerificationError", "RateError"),
    },
    504: {"UnknownOutcomeError"},
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_error_has_a_status_and_the_same_words_as_in_a_direct_call(kind, log):
    error = failed(kind)
    answer = post(Updates(error), "/update", LONG)
    expected = next((status for status, names in STATUSES.items() if kind.__name__ in names), 422)
    assert answer.status == expected
    assert answer.json.pop("errorType") == kind.__name__ and answer.json["errorMessage"] == str(
        error
    )
    assert ("Retry-After" in answer.headers) is (expected == 409)
    assert ("violations" in answer.json) is (kind is errors.InvalidEventError)
    assert log()[-1]["error_type"] == kind.__name__


def test_a_hint_is_beside_the_message_in_the_answer_and_in_the_log(log):
    error = errors.ServiceNotFoundError("web").with_hint("looked in cluster c in eu-west-1")
    answer = post(Updates(error), "/update", LONG)
    assert answer.json == {
        "errorType": "ServiceNotFoundError",
        "errorMessage": "[ERROR][ecs_service_read] ecs_service_name web not found",
        "requestId": REQUEST_ID,
        "hint": "looked in cluster c in eu-west-1",
    }
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
def test_what_aws_does_not_permit_is_403_and_what_it_does_not_answer_504_also_after_the_log(
    kind, outcome, status
):
    def fails(*_):
        try:
            raise AwsFailure("UpdateService", outcome, "Code", "reason")
        except AwsFailure as failure:
            raise kind("why").caused_by(failure) from failure

    assert status_of(failed(kind, outcome)) == status
    assert ask(update_app(fails).resolve, "POST", "/update", LONG).status == status


def test_a_defect_is_500_without_internals_and_with_its_traceback_in_the_log(log):
    answer = post(Updates(KeyError("/var/task/secret")), "/update", LONG)
    assert answer.status == 500 and answer.json["errorType"] == "InternalError"
    assert "Traceback" not in answer.text and "secret" not in answer.text
    assert "KeyError" in log()[-1]["exception"]


@pytest.mark.parametrize(
    "identity, caller",
    [
        ({}, "address 192.0.2.7"),
        ({"apiKeyId": "k1"}, "API key k1, address 192.0.2.7"),
        (
            {"apiKeyId": "k1", "apiKey": "secret", "userArn": "arn:u"},
            "user arn:u, API key k1, address 192.0.2.7",
        ),
    ],
)
def test_the_ledger_learns_who_asked_and_never_the_key(identity, caller):
    updates = Updates()
    post(updates, "/update", LONG, **identity)
    assert updates.asked[0][1].caller == caller


def test_the_log_knows_the_service_and_the_requests_id_but_no_header_and_no_key(log):
    post(Updates(), "/update", LONG, headers={"x-api-key": "secret-key"}, apiKey="secret-key")
    (line,) = log()
    assert (line["ecs_service_name"], line["http_request_id"], line["request_id"]) == (
        "s",
        REQUEST_ID,
        CONTEXT.aws_request_id,
    )
    assert "secret-key" not in json.dumps(line)
