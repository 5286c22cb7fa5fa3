"""Faults of every kind at every call: afterwards the service is fully old or fully new, and the
error says which.

Nothing is ever done twice: one update makes one revision and one deployment at most, whichever
answer got lost.
"""

import json

import pytest

from ecs_updater.errors import CallerFault, EcsUpdaterError, ServerFault
from fakes.fake_ecs import (
    CONNECTION_RESET,
    DENIED,
    REFUSED,
    SERVER_ERROR,
    SERVICE_ARN,
    THROTTLED,
    TIMED_OUT,
    UNREACHABLE,
    FakeEcs,
)

READS = ["DescribeServices", "DescribeTaskDefinition"]
WRITES = ["RegisterTaskDefinition", "TagResource", "UntagResource", "UpdateService"]
OLD_TAGS = {"old-custom-tag-name": "old-custom-tag-value"}
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
AS_IT_WAS = "the service is as it was"
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
# Fault, how often it ends one call, whose fault it is.
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
    """The images and the tags that the service has."""
    return fake.images, fake.tags


def made(fake):
    """How many revisions and deployments there are beside those that were."""
    return len(fake.revisions) - 1, len(fake.service["deployments"]) - 1


def failure(send, fake, event, **environment):
    """The error that the update ends with; its message is one line without a traceback."""
    with pytest.raises(EcsUpdaterError) as raised:
        send(fake, event, **environment)
    message = str(raised.value)
    assert message.isprintable() and "Traceback" not in message and "botocore" not in message
    return raised.value


def many(count, prefix):
    """``count`` tags."""
    return {f"{prefix}{number}": "v" for number in range(count)}


@pytest.mark.parametrize("fault, after_effect", TRANSIENT.values(), ids=TRANSIENT)
@pytest.mark.parametrize("operation", READS + WRITES)
def test_a_fault_that_passes_is_overcome_and_nothing_is_done_twice(
    send, event, operation, fault, after_effect
):
    fake = FakeEcs()
    fake.fail(operation, fault, after_effect=after_effect)
    body = send(fake, event())
    assert state(fake) == NEW and made(fake) == (1, 1)
    assert body["AFTER"]["serviceImage"] == "busybox:1.36"
    assert body["taskDefinitionArn"]["after"] == fake.service["taskDefinition"]
    assert body["deployment"]["id"] == fake.service["deployments"][0]["id"]


@pytest.mark.parametrize("fault, after_effect", TRANSIENT.values(), ids=TRANSIENT)
def test_a_forced_deployment_is_made_once_whatever_becomes_of_the_answer(
    send, event, fault, after_effect
):
    fake = FakeEcs()
    fake.fail("UpdateService", fault, after_effect=after_effect)
    body = send(fake, event(ecs_image_name="busybox", ecs_tag=OLD_TAGS, force_new_deployment=True))
    assert made(fake) == (0, 1)
    assert body["deployment"] == {
        "id": fake.service["deployments"][0]["id"],
        "verdict": "IN_PROGRESS",
        "reason": "the deployment was started, and not waited for",
    }


@pytest.mark.parametrize("fault, times, root", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("operation", READS)
def test_a_read_that_fails_for_good_changes_nothing(send, event, operation, fault, times, root):
    fake = FakeEcs()
    fake.fail(operation, *[fault] * FOR_GOOD)
    assert str(failure(send, fake, event())).startswith(STAGES[operation]), root
    assert fake.operations.count(operation) == times
    assert state(fake) == OLD and not fake.writes


@pytest.mark.parametrize("fault, _, root", LASTING.values(), ids=LASTING)
def test_a_registration_that_fails_for_good_leaves_the_service_as_it_was(
    send, event, fault, _, root
):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", *[fault] * FOR_GOOD)
    error = failure(send, fake, event())
    assert isinstance(error, root)
    assert str(error).startswith(STAGES["RegisterTaskDefinition"]) and str(error).endswith(
        AS_IT_WAS
    )
    assert state(fake) == OLD and made(fake) == (0, 0)
    assert set(fake.writes) == {"RegisterTaskDefinition"}


@pytest.mark.parametrize("fault, _, root", LASTING.values(), ids=LASTING)
def test_an_update_that_fails_for_good_puts_the_tags_back(send, event, fault, _, root):
    fake = FakeEcs()
    fake.fail("UpdateService", *[fault] * FOR_GOOD)
    error = failure(send, fake, event())
    assert state(fake) == OLD and made(fake) == (1, 0)
    assert isinstance(error, root)
    assert str(error).startswith(f"{STAGES['UpdateService']}{fake.newest['taskDefinitionArn']}: ")
    assert str(error).endswith(f"{AS_IT_WAS}; {NOT_USED}")


@pytest.mark.parametrize("fault, times, root", LASTING.values(), ids=LASTING)
@pytest.mark.parametrize("operation", ["TagResource", "UntagResource"])
def test_a_tag_call_that_fails_puts_the_tags_back(send, event, operation, fault, times, root):
    fake = FakeEcs()
    fake.fail(operation, *[fault] * times)
    error = failure(send, fake, event())
    assert state(fake) == OLD and made(fake) == (1, 0) and "UpdateService" not in fake.writes
    assert isinstance(error, root)
    stage = (
        STAGES[operation]
        if root is ServerFault
        else "[ERROR][ecs_service_update] service tags could not be updated "
    )
    assert str(error).startswith(stage) and str(error).endswith(f"{AS_IT_WAS}; {NOT_USED}")


@pytest.mark.parametrize(
    "fault",
    [DENIED, REFUSED, THROTTLED, UNREACHABLE],
    ids=["denied", "refused", "throttled", "unreachable"],
)
@pytest.mark.parametrize(
    "tags, operation", [({"new": "value"}, "TagResource"), ({}, "UntagResource")]
)
def test_tags_that_were_never_written_need_not_be_put_back(send, event, tags, operation, fault):
    fake = FakeEcs()
    fake.fail(operation, *[fault] * FOR_GOOD)
    error = failure(send, fake, event(ecs_tag=tags))
    assert state(fake) == OLD
    assert AS_IT_WAS in str(error) and "could not be put back" not in str(error)


def test_tags_that_cannot_be_put_back_are_told(send, event):
    fake = FakeEcs()
    fake.fail("UntagResource", *[DENIED] * FOR_GOOD)
    message = str(failure(send, fake, event()))
    assert fake.images == OLD[0] and fake.tags == OLD_TAGS | {"new": "value"}
    assert message == (
        f"{STAGES['UntagResource']}AccessDeniedException: {DENIED[2]}; the service runs its old "
        "revision, but its tags could not "
        f"be put back ({DENIED[2]}): they may be partly new; they were "
        f"{json.dumps(OLD_TAGS)}; {NOT_USED}"
    )


def test_tags_that_cannot_be_put_back_after_a_refused_update_are_told(send, event):
    fake = FakeEcs()
    fake.fail("UpdateService", REFUSED)
    fake.fail("UntagResource", PASSES, *[DENIED] * FOR_GOOD)
    message = str(failure(send, fake, event()))
    assert fake.images == OLD[0] and fake.tags == OLD_TAGS | {"new": "value"}
    assert message.startswith(
        f"{STAGES['UpdateService']}{fake.newest['taskDefinitionArn']}: {REFUSED[2]}; "
    )
    assert (
        f"its tags could not be put back ({DENIED[2]}): they may be partly new; they were "
        f"{json.dumps(OLD_TAGS)}"
    ) in message


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource"])
@pytest.mark.parametrize("fault", [TIMED_OUT, SERVER_ERROR], ids=["timed out", "500"])
def test_tag_calls_that_work_but_never_answer_do_not_make_the_message_a_lie(
    send, event, operation, fault
):
    fake = FakeEcs()
    fake.fail(operation, *[fault] * FOR_GOOD, after_effect=True)
    message = str(failure(send, fake, event()))
    assert fake.images == OLD[0] and OLD_TAGS.items() <= fake.tags.items()
    assert (AS_IT_WAS in message) <= (state(fake) == OLD)


@pytest.mark.parametrize("operation", ["TagResource", "UntagResource", "UpdateService"])
@pytest.mark.parametrize("old, new", [(50, 50), (49, 2), (1, 50)])
def test_tags_that_were_removed_first_are_put_back(send, event, operation, old, new):
    fake = FakeEcs()
    fake.tags = many(old, "old") | many(3, "aws:")
    fake.fail(operation, REFUSED)
    message = str(failure(send, fake, event(ecs_tag=many(new, "new"))))
    assert state(fake) == (OLD[0], many(old, "old") | many(3, "aws:"))
    assert AS_IT_WAS in message


def test_merged_and_changed_tags_are_put_back(send, event):
    fake = FakeEcs()
    fake.tags = {"a": "1", "b": "2"}
    fake.fail("UpdateService", REFUSED)
    failure(send, fake, event(ecs_tag={"b": "3", "c": "4"}, ecs_tag_mode="merge"))
    assert fake.tags == {"a": "1", "b": "2"}


def test_without_changed_tags_a_refused_update_writes_none(send, event):
    fake = FakeEcs()
    fake.fail("UpdateService", REFUSED)
    error = failure(send, fake, event(ecs_tag=OLD_TAGS))
    assert fake.writes == ["RegisterTaskDefinition", "UpdateService"]
    assert str(error) == (
        f"{STAGES['UpdateService']}{fake.newest['taskDefinitionArn']}: {REFUSED[2]}; "
        f"{AS_IT_WAS}; {NOT_USED}"
    )


def test_a_refused_forced_deployment_registered_nothing_and_says_nothing_of_it(send, event):
    fake = FakeEcs()
    fake.fail("UpdateService", REFUSED)
    error = failure(send, fake, event(ecs_image_name="busybox", force_new_deployment=True))
    assert state(fake) == OLD and str(error).endswith(f"; {AS_IT_WAS}")


# What is looked at before a write is sent again.


@pytest.mark.parametrize("after_effect, calls", [(True, 1), (False, 2)])
def test_after_a_lost_answer_the_newest_revision_is_looked_at_before_registering_again(
    send, event, after_effect, calls
):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", TIMED_OUT, after_effect=after_effect)
    send(fake, event(ecs_tag=OLD_TAGS))
    again = ["RegisterTaskDefinition"] * (calls - 1)
    assert fake.operations[2:] == [
        "RegisterTaskDefinition",
        "DescribeTaskDefinition",
        *again,
        "UpdateService",
    ]
    assert fake.requests[3].body["taskDefinition"] == "ecs-dummy-task"


@pytest.mark.parametrize("after_effect, calls", [(True, 1), (False, 2)])
def test_after_a_lost_answer_the_service_is_looked_at_before_updating_again(
    send, event, after_effect, calls
):
    fake = FakeEcs()
    fake.fail("UpdateService", TIMED_OUT, after_effect=after_effect)
    send(fake, event(ecs_tag=OLD_TAGS))
    again = ["UpdateService"] * (calls - 1)
    assert fake.operations[2:] == [
        "RegisterTaskDefinition",
        "UpdateService",
        "DescribeServices",
        *again,
    ]


def test_anothers_revision_is_not_taken_for_the_one_whose_answer_got_lost(send, event):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", TIMED_OUT)
    fake.register(
        {
            "family": "ecs-dummy-task",
            "containerDefinitions": [{"name": "ecs-dummy-container", "image": "other"}],
        }
    )
    send(fake, event())
    assert state(fake) == NEW


def test_the_deployment_that_was_there_is_not_taken_for_the_one_whose_answer_got_lost(send, event):
    fake = FakeEcs()
    fake.fail("UpdateService", TIMED_OUT)
    send(fake, event(ecs_image_name="busybox", force_new_deployment=True))
    assert fake.writes.count("UpdateService") == 2 and made(fake) == (0, 1)


class ContendedEcs(FakeEcs):
    """An ECS where somebody else deploys another revision just before the service is read for the
    second time.
    """

    def _describe_services(self, body):
        if self.operations.count("DescribeServices") == 2:
            other = {
                "family": "ecs-dummy-task",
                "containerDefinitions": [{"name": "ecs-dummy-container", "image": "other"}],
            }
            self.deploy(self.register(other)["taskDefinitionArn"])
        return super()._describe_services(body)


def test_anothers_deployment_is_not_taken_for_the_one_whose_answer_got_lost(send, event):
    fake = ContendedEcs()
    fake.fail("UpdateService", TIMED_OUT)
    deployment = send(fake, event())["deployment"]
    # Lost, and not sent again over somebody else's deployment: what came in between is planned
    # from.
    assert fake.writes.count("UpdateService") == 2 and state(fake) == NEW
    assert "came in between" in deployment["notes"][0]


class ReorderingEcs(FakeEcs):
    """An ECS that gives back environment and tags in another order than it took them: it promises
    none.
    """

    def register(self, body):
        revision = super().register(body)
        for container in revision["containerDefinitions"]:
            container.get("environment", []).reverse()
        self.revision_tags[-1].reverse()
        return revision


def test_a_revision_that_ecs_gives_back_in_another_order_is_recognised(send, event):
    environment = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    fake = ReorderingEcs([{"name": "app", "image": "busybox", "environment": environment}])
    fake.revision_tags[0] = [{"key": "a", "value": "1"}, {"key": "b", "value": "2"}]
    fake.fail("RegisterTaskDefinition", TIMED_OUT, after_effect=True)
    send(fake, event())
    assert made(fake) == (1, 1)


@pytest.mark.parametrize("fault", [DENIED, SERVER_ERROR, REFUSED], ids=["denied", "500", "refused"])
@pytest.mark.parametrize("after_effect", [True, False], ids=["after", "before"])
def test_a_registration_that_cannot_be_looked_for_is_not_said_to_have_failed(
    send, event, after_effect, fault
):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", TIMED_OUT, after_effect=after_effect)
    fake.fail("DescribeTaskDefinition", PASSES, *[fault] * FOR_GOOD)
    error = failure(send, fake, event())
    assert state(fake) == OLD and fake.writes == ["RegisterTaskDefinition"]
    assert isinstance(error, ServerFault)
    assert AS_IT_WAS in str(error) and "not known" in str(error)


@pytest.mark.parametrize(
    "fault", [DENIED, SERVER_ERROR, THROTTLED], ids=["denied", "500", "throttled"]
)
@pytest.mark.parametrize("after_effect", [True, False], ids=["after", "before"])
def test_an_update_that_cannot_be_looked_for_is_not_said_to_have_failed(
    send, event, after_effect, fault
):
    fake = FakeEcs()
    fake.fail("UpdateService", TIMED_OUT, after_effect=after_effect)
    fake.fail("DescribeServices", PASSES, *[fault] * FOR_GOOD)
    message = str(failure(send, fake, event()))
    assert fake.writes.count("UpdateService") == 1
    assert "it is not known whether the service took it" in message
    assert AS_IT_WAS not in message and "is not used" not in message


@pytest.mark.parametrize("second_has_its_effect", [True, False])
def test_an_update_without_an_answer_twice_ends_fully_old_or_fully_new(
    send, event, second_has_its_effect
):
    fake = FakeEcs()
    fake.fail("UpdateService", TIMED_OUT)
    fake.fail("UpdateService", TIMED_OUT, after_effect=second_has_its_effect)
    try:
        send(fake, event())
        message = None
    except EcsUpdaterError as error:
        message = str(error)
    assert state(fake) == (NEW if second_has_its_effect else OLD)
    assert made(fake) == (1, int(second_has_its_effect))
    assert message is None or (AS_IT_WAS in message) <= (state(fake) == OLD)


def test_a_registration_without_an_answer_twice_is_made_twice_at_most_and_the_service_left_alone(
    send, event
):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", TIMED_OUT, TIMED_OUT)
    error = failure(send, fake, event())
    assert fake.writes == ["RegisterTaskDefinition"] * 2 and state(fake) == OLD
    assert str(error).endswith(AS_IT_WAS)


@pytest.mark.parametrize(
    "code", ["RequestTimeout", "RequestTimeoutException", "PriorRequestNotComplete"]
)
def test_what_the_sdk_takes_for_transient_is_not_done_twice(send, event, code):
    fake = FakeEcs()
    fake.fail("UpdateService", (400, code, "Try again."), after_effect=True)
    send(fake, event(ecs_image_name="busybox", force_new_deployment=True))
    assert made(fake) == (0, 1)


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "UpdateService"])
@pytest.mark.parametrize("times", [1, 3])
def test_a_throttled_write_is_sent_again_without_looking(send, event, waits, operation, times):
    fake = FakeEcs()
    fake.fail(operation, *[THROTTLED] * times)
    send(fake, event())
    assert fake.operations.count(operation) == times + 1 and len(waits) == times
    assert (
        fake.operations.count("DescribeServices")
        == fake.operations.count("DescribeTaskDefinition")
        == 1
    )


# Two registrations at once, which ECS refuses for the moment and the SDK does not retry.


@pytest.mark.parametrize("times, seconds", [(1, [0.2]), (4, [0.2, 0.5, 1.0, 2.0])])
def test_two_registrations_at_once_are_waited_for(send, event, waits, times, seconds):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", *[TOO_MANY_AT_ONCE] * times)
    send(fake, event())
    assert state(fake) == NEW and waits == seconds


def test_registrations_at_once_for_good_are_not_the_callers_fault(send, event):
    fake = FakeEcs()
    fake.fail("RegisterTaskDefinition", *[TOO_MANY_AT_ONCE] * FOR_GOOD)
    error = failure(send, fake, event())
    assert fake.writes == ["RegisterTaskDefinition"] * 5 and state(fake) == OLD
    assert TOO_MANY_AT_ONCE[2] in str(error)
    assert isinstance(error, ServerFault)


# An answer that is no JSON, as a proxy on the way may give one.


class GarbledEcs(FakeEcs):
    """An ECS whose answers to one operation are lost behind a proxy's page."""

    garbled = ""

    def serve(self, request, **_):
        answer = super().serve(request)
        if self.operations[-1] == self.garbled:
            answer.raw.stream = lambda **_: iter([b"<html>Sign in</html>"])
        return answer


@pytest.mark.parametrize("operation", READS)
def test_a_read_answered_without_json_is_an_error_of_the_reading_stage(send, event, operation):
    fake = GarbledEcs()
    fake.garbled = operation
    assert str(failure(send, fake, event())).startswith(STAGES[operation])


@pytest.mark.parametrize("operation", ["RegisterTaskDefinition", "UpdateService"])
def test_a_write_answered_without_json_is_looked_for_like_a_lost_answer(send, event, operation):
    fake = GarbledEcs()
    fake.garbled = operation
    send(fake, event())
    assert state(fake) == NEW and made(fake) == (1, 1)


class ForgetfulEcs(FakeEcs):
    """An ECS whose answer to a registration lacks a field."""

    forgotten = ""

    def _answer(self, operation, body):
        status, answer = super()._answer(operation, body)
        if operation == "RegisterTaskDefinition":
            whole = answer["taskDefinition"]
            answer = {
                "taskDefinition": {
                    name: value for name, value in whole.items() if name != self.forgotten
                }
            }
        return status, answer


@pytest.mark.parametrize("field", ["taskDefinitionArn", "family", "containerDefinitions"])
def test_a_registration_whose_answer_lacks_a_field_is_looked_for_like_a_lost_answer(
    send, event, field
):
    fake = ForgetfulEcs()
    fake.forgotten = field
    send(fake, event())
    assert state(fake) == NEW and made(fake) == (1, 1)


# What ECS may refuse because it is newer than the SDK, or older than the service.


def test_a_refused_revision_with_unknown_fields_names_them_and_the_setting(send, event):
    fake = FakeEcs([{"name": "app", "image": "busybox", "new": ""}], future=1)
    fake.fail("RegisterTaskDefinition", (400, "ClientException", "Unexpected field."))
    assert str(failure(send, fake, event())) == (
        "[ERROR][ecs_service_update] new task_definition could not be created Unexpected field. "
        "(the running revision has fields "
        "that are newer than this function's SDK: containerDefinitions[0].new, future; if ECS "
        "refuses them, UNKNOWN_FIELDS=drop in "
        "the function's environment leaves them out); the service is as it was"
    )


@pytest.mark.parametrize(
    "fields, fault, environment",
    [
        ({}, REFUSED, {}),
        ({"future": 1}, REFUSED, {"UNKNOWN_FIELDS": "drop"}),
        ({"future": 1}, DENIED, {}),
        ({"future": 1}, THROTTLED, {}),
    ],
)
def test_unknown_fields_are_not_blamed_where_they_cannot_be_the_reason(
    send, event, fields, fault, environment
):
    fake = FakeEcs(**fields)
    fake.fail("RegisterTaskDefinition", *[fault] * FOR_GOOD)
    assert "UNKNOWN_FIELDS" not in str(failure(send, fake, event(), **environment))


def test_a_service_of_the_short_arn_that_takes_no_tags_is_refused_before_anything_is_registered(
    send, event
):
    fake = FakeEcs()
    fake.service["serviceArn"] = SERVICE_ARN.replace("/ECSCluster/", "/")
    refusal = (
        400,
        "InvalidParameterException",
        "Long arn format must be used for tagging operations",
    )
    fake.fail("TagResource", *[refusal] * FOR_GOOD)
    assert isinstance(failure(send, fake, event()), CallerFault)
    assert "RegisterTaskDefinition" not in fake.writes
