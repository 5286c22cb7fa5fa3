"""Faults of every kind at every call: afterwards the service is fully old or fully new, and the
error states which.

Nothing is done twice: one update makes at most one revision and one deployment, whichever answer
was lost.
"""

import json

import pytest

from ecs_updater.errors import CallerFault, EcsUpdaterError, ServerFault
from fakes.simulated_ecs import SimulatedEcs
from fakes.wire import (
    CONNECTION_RESET,
    DENIED,
    FAMILY_ARN,
    REFUSED,
    SERVER_ERROR,
    SERVICE_ARN,
    THROTTLED,
    TIMED_OUT,
    UNREACHABLE,
)

READS = ["DescribeServices", "DescribeTaskDefinition"]
WRITES = ["RegisterTaskDefinition", "TagResource", "UntagResource", "UpdateService"]
TAG_CALLS = WRITES[1:3]
OLD_TAGS = {"old-custom-tag-name": "old-custom-tag-value"}
FORCED = {"ecs_image_name": "busybox", "force_new_deployment": True}
OLD = ({"ecs-dummy-container": "busybox"}, OLD_TAGS)
NEW = ({"ecs-dummy-container": "busybox:1.36"}, {"new": "value"})

SDK_ATTEMPTS, FOR_GOOD = 4, 99
PASSES = None
"""In the place of a fault: this call succeeds."""
TOO_MANY_AT_ONCE = (
    400,
    "ClientException",
    "Too many concurrent attempts to create a new revision of the specified family.",
)
UNCHANGED = "the service is as it was"
NOT_USED = "ecs-dummy-task:2 was registered and is not used"

# Fault, whether the call had its effect.
TRANSIENT = {
    "throttled": (THROTTLED, False),
    "500 before": (SERVER_ERROR, False),
    "500 after": (SERVER_ERROR, True),
    "503 before": ((503, "ServiceUnavailable", "try again"), False),
    "timed out before": (TIMED_OUT, False),
    "timed out after": (TIMED_OUT, True),
    "reset before": (CONNECTION_RESET, False),
    "reset after": (CONNECTION_RESET, True),
    "unreachable": (UNREACHABLE, False),
}
# Fault, number of attempts that it fails, root of the error.
LASTING = {
    "throttled": (THROTTLED, SDK_ATTEMPTS, ServerFault),
    "500": (SERVER_ERROR, SDK_ATTEMPTS, ServerFault),
    "timed out": (TIMED_OUT, SDK_ATTEMPTS, ServerFault),
    "reset": (CONNECTION_RESET, SDK_ATTEMPTS, ServerFault),
    "unreachable": (UNREACHABLE, SDK_ATTEMPTS, ServerFault),
    "denied": (DENIED, 1, ServerFault),
    "refused": (REFUSED, 1, CallerFault),
}
STAGES = {
    "DescribeServices": "[ERROR][ecs_service_read] reading ecs service unexpected error: ",
    "DescribeTaskDefinition": "[ERROR][ecs_service_read] reading ecs service unexpected error: ",
    "RegisterTaskDefinition": (
        "[ERROR][ecs_service_update] new task_definition could not be created "
    ),
    "UpdateService": (
        "[ERROR][ecs_service_update] service could not be update with new task_definition "
    ),
    "TagResource": "[ERROR][ecs_service_update] updating service tag unexpected error: ",
    "UntagResource": "[ERROR][ecs_service_update] updating service tag unexpected error: ",
}


def state(fake):
    """Returns the images and the tags of the service."""
    return fake.running_images, fake.service.tags


def made(fake):
    """Returns the number of new revisions and deployments."""
    return len(fake.revisions) - 1, len(fake.service.history) - 1


@pytest.fixture(name="update")
def _update(ecs_fake, send, event):
    """Updates the service while an operation fails; returns the body of the response."""

    def run(operation, *faults, after_effect=False, fake=ecs_fake, environment=None, **fields):
        fake.fail(operation, *faults, after_effect=after_effect)
        return send(fake, event(**fields), **environment or {})

    return run


@pytest.fixture(name="failure")
def _failure(update):
    """Updates the service while an operation fails; returns the error.

    Its message is one line without a traceback.
    """

    def run(operation, *faults, **options):
        with pytest.raises(EcsUpdaterError) as raised:
            update(operation, *faults, **options)
        message = str(raised.value)
        assert message.isprintable() and "Traceback" not in message and "botocore" not in message
        return raised.value

    return run


def many(count, prefix):
    """Returns ``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


@pytest.mark.parametrize("fault, after_effect", TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.parametrize("operation", READS + WRITES)
def test_a_transient_fault_is_retried_and_nothing_is_done_twice(
    ecs_fake, update, operation, fault, after_effect
):
    body = update(operation, fault, after_effect=after_effect)
    assert state(ecs_fake) == NEW and made(ecs_fake) == (1, 1)
    assert body["AFTER"]["serviceImage"] == "busybox:1.36"
    assert body["taskDefinitionArn"]["after"] == ecs_fake.running_arn
    assert body["deployment"]["id"] == ecs_fake.primary_id


@pytest.mark.parametrize(
    "fault, after_effect",
    [
        *TRANSIENT.values(),
        *(
            ((400, code, "Try again."), True)
            for code in ("RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete")
        ),
    ],
)
def test_a_forced_deployment_is_made_once_also_after_a_lost_answer(
    ecs_fake, update, fault, after_effect
):
    body = update("UpdateService", fault, after_effect=after_effect, ecs_tag=OLD_TAGS, **FORCED)
    assert made(ecs_fake) == (0, 1)
    assert body["deployment"] == {
        "id": ecs_fake.primary_id,
        "verdict": "IN_PROGRESS",
        "reason": "the deployment was started, and not waited for",
    }


@pytest.mark.parametrize("fault, times, root", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("operation", READS)
def test_a_read_that_fails_permanently_changes_nothing(
    ecs_fake, failure, operation, fault, times, root
):
    error = failure(operation, *[fault] * FOR_GOOD)
    assert isinstance(error, root if operation == "DescribeServices" else ServerFault)
    assert str(error).startswith(STAGES[operation])
    assert ecs_fake.operations.count(operation) == times
    assert state(ecs_fake) == OLD and not ecs_fake.writes


@pytest.mark.parametrize("fault, times, root", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("operation", WRITES)
def test_a_write_that_fails_permanently_leaves_the_service_as_it_was(
    ecs_fake, failure, operation, fault, times, root
):
    error = failure(operation, *[fault] * (times if operation in TAG_CALLS else FOR_GOOD))
    has_registered = operation != "RegisterTaskDefinition"
    assert state(ecs_fake) == OLD and made(ecs_fake) == (has_registered, 0)
    assert not set(WRITES[WRITES.index(operation) + 1 :]) & set(ecs_fake.writes) - {"UntagResource"}
    stage = STAGES[operation]
    if operation == "UpdateService":
        stage += f"{ecs_fake.revisions[-1]['taskDefinitionArn']}: "
    if operation in TAG_CALLS and root is CallerFault:
        stage = "[ERROR][ecs_service_update] service tags could not be updated "
    end = f"{UNCHANGED}; {NOT_USED}" if has_registered else UNCHANGED
    assert isinstance(error, root)
    assert str(error).startswith(stage) and str(error).endswith(end)


@pytest.mark.parametrize(
    "fault",
    [DENIED, REFUSED, THROTTLED, UNREACHABLE],
    ids=["denied", "refused", "throttled", "unreachable"],
)
@pytest.mark.parametrize(
    "tags, operation", [({"new": "value"}, "TagResource"), ({}, "UntagResource")]
)
def test_tags_that_were_never_written_need_not_be_restored(
    ecs_fake, failure, tags, operation, fault
):
    message = str(failure(operation, *[fault] * FOR_GOOD, ecs_tag=tags))
    assert state(ecs_fake) == OLD
    assert UNCHANGED in message and "could not be put back" not in message


@pytest.mark.parametrize("is_refused", [False, True])
def test_the_message_has_the_tags_that_could_not_be_restored(ecs_fake, failure, is_refused):
    if is_refused:
        ecs_fake.fail("UntagResource", PASSES)
        ecs_fake.fail("UpdateService", REFUSED)
    message = str(failure("UntagResource", *[DENIED] * FOR_GOOD))
    assert ecs_fake.running_images == OLD[0] and ecs_fake.service.tags == OLD_TAGS | {
        "new": "value"
    }
    cause = f"{STAGES['UntagResource']}AccessDeniedException: {DENIED[2]}"
    if is_refused:
        cause = (
            f"{STAGES['UpdateService']}{ecs_fake.revisions[-1]['taskDefinitionArn']}: {REFUSED[2]}"
        )
    assert message == (
        f"{cause}; the service runs its old revision, but its tags could not be put back "
        f"({DENIED[2]}): they may be partly new; they were {json.dumps(OLD_TAGS)}; {NOT_USED}"
    )


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource"])
@pytest.mark.parametrize("fault", [TIMED_OUT, SERVER_ERROR], ids=["timed out", "500"])
def test_the_message_is_true_after_tag_calls_that_work_and_never_answer(
    ecs_fake, failure, operation, fault
):
    message = str(failure(operation, *[fault] * FOR_GOOD, after_effect=True))
    assert ecs_fake.running_images == OLD[0] and OLD_TAGS.items() <= ecs_fake.service.tags.items()
    assert (UNCHANGED in message) <= (state(ecs_fake) == OLD)


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "UpdateService"])
@pytest.mark.parametrize("old, new", [(50, 50), (49, 2), (1, 50)])
def test_tags_that_were_removed_first_are_restored(ecs_fake, failure, operation, old, new):
    ecs_fake.service.tags = many(old, "old") | many(3, "aws:")
    message = str(failure(operation, REFUSED, ecs_tag=many(new, "new")))
    assert state(ecs_fake) == (OLD[0], many(old, "old") | many(3, "aws:"))
    assert UNCHANGED in message


def test_merged_and_changed_tags_are_restored(ecs_fake, failure):
    ecs_fake.service.tags = {"a": "1", "b": "2"}
    failure("UpdateService", REFUSED, ecs_tag={"b": "3", "c": "4"}, ecs_tag_mode="merge")
    assert ecs_fake.service.tags == {"a": "1", "b": "2"}


@pytest.mark.parametrize("fields, registered", [({}, [NOT_USED]), (FORCED, [])])
def test_a_refused_update_without_changed_tags_writes_none(ecs_fake, failure, fields, registered):
    error = failure("UpdateService", REFUSED, ecs_tag=OLD_TAGS, **fields)
    assert "UntagResource" not in ecs_fake.writes and state(ecs_fake) == OLD
    arn = ecs_fake.revisions[-1]["taskDefinitionArn"]
    assert str(error) == (
        f"{STAGES['UpdateService']}{arn}: {'; '.join([REFUSED[2], UNCHANGED, *registered])}"
    )


# The read before a write is sent again


@pytest.mark.parametrize("after_effect", [True, False])
@pytest.mark.parametrize(
    "operation, read",
    [
        ("RegisterTaskDefinition", "DescribeTaskDefinition"),
        ("UpdateService", "DescribeServices"),
    ],
)
def test_after_a_lost_answer_the_result_is_read_before_the_write_is_sent_again(
    ecs_fake, update, operation, read, after_effect
):
    update(operation, TIMED_OUT, after_effect=after_effect, ecs_tag=OLD_TAGS)
    writes = ["RegisterTaskDefinition", "UpdateService"]
    sent = writes.index(operation) + 1
    again = [] if after_effect else [operation]
    assert ecs_fake.operations[2:] == [*writes[:sent], read, *again, *writes[sent:]]


def test_the_revision_of_another_update_is_not_the_one_with_the_lost_answer(ecs_fake, update):
    containers = [{"name": "ecs-dummy-container", "image": "other"}]
    ecs_fake.world.register({"family": "ecs-dummy-task", "containerDefinitions": containers})
    update("RegisterTaskDefinition", TIMED_OUT)
    assert state(ecs_fake) == NEW


def test_the_deployment_of_another_update_is_not_the_one_with_the_lost_answer(ecs_fake, update):
    def deploy_before_the_second_read(request):
        if request.operation == "DescribeServices" and ecs_fake.requests:
            ecs_fake.before = None
            ecs_fake.deploy("other")

    ecs_fake.before = deploy_before_the_second_read
    deployment = update("UpdateService", TIMED_OUT)["deployment"]
    # UpdateService is not sent again over the other deployment, but planned again from it.
    assert ecs_fake.writes.count("UpdateService") == 2 and state(ecs_fake) == NEW
    assert "came in between" in deployment["notes"][0]


def test_a_revision_that_ecs_returns_in_another_order_is_recognised(update):
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    fake = SimulatedEcs(
        containers=[{"name": "app", "image": "busybox", "environment": environment}]
    )
    fake.world.revision_tags[f"{FAMILY_ARN}:1"] = [
        {"key": "a", "value": "1"},
        {"key": "b", "value": "2"},
    ]

    def reverse(request, send):
        response = send()
        if request.operation == "RegisterTaskDefinition":
            fake.revisions[-1]["containerDefinitions"][0]["environment"].reverse()
            fake.world.revision_tags[f"{FAMILY_ARN}:2"].reverse()
        return response

    fake.around = reverse
    update("RegisterTaskDefinition", TIMED_OUT, after_effect=True, fake=fake)
    assert made(fake) == (1, 1)


@pytest.mark.parametrize("fault", [DENIED, SERVER_ERROR, REFUSED], ids=["denied", "500", "refused"])
@pytest.mark.parametrize("after_effect", [True, False], ids=["after", "before"])
def test_a_registration_with_an_unknown_result_is_not_reported_as_failed(
    ecs_fake, failure, after_effect, fault
):
    ecs_fake.fail("DescribeTaskDefinition", PASSES, *[fault] * FOR_GOOD)
    error = failure("RegisterTaskDefinition", TIMED_OUT, after_effect=after_effect)
    assert state(ecs_fake) == OLD and ecs_fake.writes == ["RegisterTaskDefinition"]
    assert isinstance(error, ServerFault)
    assert UNCHANGED in str(error) and "not known" in str(error)


@pytest.mark.parametrize(
    "fault", [DENIED, SERVER_ERROR, THROTTLED], ids=["denied", "500", "throttled"]
)
@pytest.mark.parametrize("after_effect", [True, False], ids=["after", "before"])
def test_an_update_with_an_unknown_result_is_not_reported_as_failed(
    ecs_fake, failure, after_effect, fault
):
    ecs_fake.fail("DescribeServices", PASSES, *[fault] * FOR_GOOD)
    message = str(failure("UpdateService", TIMED_OUT, after_effect=after_effect))
    assert ecs_fake.writes.count("UpdateService") == 1
    assert "it is not known whether the service took it" in message
    assert UNCHANGED not in message and "is not used" not in message


def test_an_update_whose_second_answer_is_lost_too_is_fully_new(ecs_fake, update):
    ecs_fake.fail("UpdateService", TIMED_OUT)
    update("UpdateService", TIMED_OUT, after_effect=True)
    assert state(ecs_fake) == NEW and made(ecs_fake) == (1, 1)


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "UpdateService"])
def test_a_write_without_an_answer_twice_is_sent_twice_and_the_service_is_as_it_was(
    ecs_fake, failure, operation
):
    message = str(failure(operation, TIMED_OUT, TIMED_OUT))
    assert ecs_fake.writes.count(operation) == 2 and state(ecs_fake) == OLD
    assert UNCHANGED in message


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "UpdateService"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_throttled_write_is_sent_again_without_a_read(ecs_fake, update, waits, operation, times):
    update(operation, *[THROTTLED] * times)
    assert ecs_fake.operations.count(operation) == times + 1 and len(waits) == times
    assert [ecs_fake.operations.count(read) for read in READS] == [1, 1]


# Two registrations at once, which ECS refuses temporarily and the SDK does not retry


@pytest.mark.parametrize("times, seconds", [(1, [0.2]), (4, [0.2, 0.5, 1.0, 2.0])])
def test_two_registrations_at_once_are_waited_for(ecs_fake, update, waits, times, seconds):
    update("RegisterTaskDefinition", *[TOO_MANY_AT_ONCE] * times)
    assert state(ecs_fake) == NEW and waits == seconds


def test_permanent_registrations_at_once_are_not_the_callers_fault(ecs_fake, failure):
    error = failure("RegisterTaskDefinition", *[TOO_MANY_AT_ONCE] * FOR_GOOD)
    assert ecs_fake.writes == ["RegisterTaskDefinition"] * 5 and state(ecs_fake) == OLD
    assert TOO_MANY_AT_ONCE[2] in str(error) and isinstance(error, ServerFault)


# Answers that are not JSON, for example from a proxy, or lack a field


class GarblingEcs(SimulatedEcs):
    """An ECS whose response to one operation is a proxy's page."""

    def __init__(self, operation):
        super().__init__()
        self._garbled = operation
        self.around = self._garble

    def _garble(self, request, send):
        response = send()
        if request.operation == self._garbled:
            response.raw.stream = lambda **_: iter([b"<html>Sign in</html>"])
        return response


class ForgetfulEcs(SimulatedEcs):
    """An ECS whose response to a registration lacks a field."""

    def __init__(self, field):
        super().__init__()
        self._forgotten = field

    def answer(self, operation, body):
        content = super().answer(operation, body)
        if operation == "RegisterTaskDefinition":
            content = {"taskDefinition": dict(content["taskDefinition"])}
            del content["taskDefinition"][self._forgotten]
        return content


@pytest.mark.parametrize("operation", READS)
def test_a_read_that_is_answered_without_json_is_an_error_of_the_read_stage(failure, operation):
    assert str(failure(operation, fake=GarblingEcs(operation))).startswith(STAGES[operation])


@pytest.mark.parametrize(
    "fake_of, argument",
    [
        (GarblingEcs, "RegisterTaskDefinition"),
        (GarblingEcs, "UpdateService"),
        (ForgetfulEcs, "taskDefinitionArn"),
        (ForgetfulEcs, "family"),
        (ForgetfulEcs, "containerDefinitions"),
    ],
)
def test_the_result_of_a_write_with_an_unusable_answer_is_read(send, event, fake_of, argument):
    fake = fake_of(argument)
    send(fake, event())
    assert state(fake) == NEW and made(fake) == (1, 1)


# Refusals because ECS is newer than the SDK, or the service older


@pytest.mark.parametrize(
    "fields, fault, environment, is_named",
    [
        ({"future": 1}, REFUSED, {}, True),
        ({}, REFUSED, {}, False),
        ({"future": 1}, REFUSED, {"UNKNOWN_FIELDS": "drop"}, False),
        ({"future": 1}, DENIED, {}, False),
        ({"future": 1}, THROTTLED, {}, False),
    ],
)
def test_unknown_fields_are_named_with_the_setting_if_they_can_be_the_reason(
    failure, fields, fault, environment, is_named
):
    container = {"name": "app", "image": "busybox"} | ({"new": ""} if fields else {})
    fake = SimulatedEcs(containers=[container], **fields)
    message = str(
        failure("RegisterTaskDefinition", *[fault] * FOR_GOOD, fake=fake, environment=environment)
    )
    hint = (
        " (the running revision has fields that are newer than this function's SDK: "
        "containerDefinitions[0].new, future; if ECS refuses them, UNKNOWN_FIELDS=drop in the "
        "function's environment leaves them out)"
    )
    assert ("UNKNOWN_FIELDS" in message) is is_named
    if is_named:
        assert message == (
            f"{STAGES['RegisterTaskDefinition']}{REFUSED[2]}{hint}; the service is as it was"
        )


def test_tags_of_a_service_with_the_short_arn_are_refused_before_the_first_write(ecs_fake, failure):
    ecs_fake.service.shown = {"serviceArn": SERVICE_ARN.replace("/ECSCluster/", "/")}
    reason = "Long arn format must be used for tagging operations"
    error = failure("TagResource", *[(400, "InvalidParameterException", reason)] * FOR_GOOD)
    assert isinstance(error, CallerFault) and not ecs_fake.writes
