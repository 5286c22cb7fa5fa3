"""Actions of a pipeline: an update begins with the first job, and the last one has its verdict.

Proved by recorded events: no emulator has results of jobs.
"""

import io
import json
import re

import boto3
import botocore.loaders
import pytest
import yaml
from botocore.model import ServiceModel
from botocore.stub import Stubber
from botocore.useragent import UserAgentString
from botocore.validate import ParamValidator

from ecs_updater.aws.codepipeline import JobResults
from ecs_updater.codepipeline.run import Runner
from ecs_updater.context import Call
from ecs_updater.errors import InvalidEventError, JobResultError
from ecs_updater.log import logger
from fakes.memory_dynamodb import THROTTLED as TABLE_THROTTLED
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.pipeline import CREDENTIALS, archive, job_event
from fakes.simulated_ecs import BREAKER, Image
from fakes.wire import DENIED, REGION, SERVICE_ARN, TIMED_OUT
from support.documents import blocks, read
from support.fault_runs import BAD, GOOD, TIMING
from support.pipeline_run import PipelineRun
from support.rollout_world import EVENT, SIDECAR, Function
from support.sampling import sample
from support.trouble import FAILURES, KILLS, Reach, Trouble

NAME = "imagedefinitions.json"
DEFINITIONS = [{"name": "ecs-dummy-container", "imageUri": "app:2"}]
WITHOUT_IMAGE = {name: value for name, value in EVENT.items() if name != "ecs_image_name"}
OF_ARTIFACT = WITHOUT_IMAGE | {"artifact": "BuildArtifact", "file": NAME}
FIRST_JOB = "11111111-abcd-1111-abcd-000000000001"
SLOW = Image.good(starts_after=400)


@pytest.fixture(name="logged")
def _logged():
    """The text of the log."""
    stream = io.StringIO()
    logger.registered_handler.setStream(stream)
    logger.setLevel("INFO")
    return stream.getvalue


def test_a_job_ends_with_the_verdict_as_output_variables(make_world):
    world = make_world(image=GOOD)
    pipeline = PipelineRun(world).action()
    assert (pipeline.jobs, pipeline.result["operation"]) == (1, "PutJobSuccessResult")
    (entry,) = world.history
    assert pipeline.variables == {
        "verdict": "SUCCEEDED",
        "reason": entry.cause,
        "changed": "true",
        "requestId": FIRST_JOB,
        "deploymentId": entry.deployment_id,
        "serviceArn": SERVICE_ARN,
        "serviceImage": "app:2",
        "taskDefinitionArn": entry.after.task_definition_arn,
    }
    assert pipeline.result["executionDetails"] == {
        "summary": f"SUCCEEDED: {entry.cause}",
        "externalExecutionId": FIRST_JOB,
    }
    assert entry.request_id == FIRST_JOB


def test_a_slow_rollout_takes_continuations_which_only_read_the_ledger(make_world):
    world = make_world(image=SLOW)
    run = PipelineRun(world)
    run.job()
    assert run.pipeline.continues()
    token = run.pipeline.event["CodePipeline.job"]["data"]["continuationToken"]
    assert token == FIRST_JOB != run.pipeline.event["CodePipeline.job"]["id"]
    calls = world.calls.copy()
    run.job()
    assert world.calls == calls and world.process.sent == [
        ("dynamodb", "GetItem"),
        ("dynamodb", "GetItem"),
        ("codepipeline", "PutJobSuccessResult"),
    ]
    assert run.pipeline.continues()
    pipeline = run.action()
    assert pipeline.jobs > 5 and pipeline.variables["verdict"] == "SUCCEEDED"
    assert pipeline.variables["requestId"] == FIRST_JOB
    assert world.verdicts == ["SUCCEEDED"] and len(world.made) == 2


@pytest.mark.parametrize("rolls_back", [True, False])
def test_a_failed_rollout_fails_the_action_with_its_cause(make_world, rolls_back):
    world = make_world(image=BAD, timing=TIMING)
    pipeline = PipelineRun(world, EVENT | {"rollback_on_failure": rolls_back}).action()
    verdict = "ROLLED_BACK" if rolls_back else "FAILED"
    assert pipeline.failure["type"] == "JobFailed"
    assert pipeline.failure["message"].startswith(f"[ERROR][ecs_service_rollout] {verdict}: ")
    assert pipeline.failure["externalExecutionId"] == FIRST_JOB
    assert world.verdicts == [verdict]


def test_a_rollback_of_ecs_during_a_continuation_fails_the_action(make_world):
    world = make_world(image=Image.exits(code=1, after=60, starts_after=20), breaker=BREAKER)
    pipeline = PipelineRun(world).action()
    assert pipeline.jobs > 1 and "] ROLLED_BACK: " in pipeline.failure["message"]


def test_the_same_job_again_gets_the_same_result_and_changes_nothing(make_world):
    world = make_world(image=GOOD)
    run = PipelineRun(world)
    run.action()
    before = (dict(world.made), run.pipeline.result, world.verdicts)
    assert run.invoke().error is None
    assert (dict(world.made), run.pipeline.result, world.verdicts) == before
    assert [refusal.code for refusal in run.pipeline.refusals] == ["InvalidJobStateException"]


def test_a_retry_of_the_stage_is_a_new_update(make_world):
    world = make_world(image=GOOD)
    PipelineRun(world).action()
    run = PipelineRun(world)
    run.pipeline._start(None)  # pylint: disable=protected-access
    assert run.action().variables["verdict"] == "NO_CHANGE"
    assert world.verdicts == ["NO_CHANGE", "SUCCEEDED"]


def test_a_rollback_and_a_dry_run_are_actions_too(make_world):
    world = make_world(image=GOOD)
    dry = PipelineRun(world, EVENT | {"dry_run": True}).action()
    assert dry.result["executionDetails"]["summary"].startswith("DRY_RUN: ")
    assert dry.variables["changed"] == "true" and "verdict" not in dry.variables
    assert world.history == []
    world.send()
    during = PipelineRun(world, EVENT | {"dry_run": True}).action()
    assert during.result["executionDetails"]["summary"].startswith("DRY_RUN: ")
    world.finish(600)
    back = {name: EVENT[name] for name in ("ecs_cluster_name", "ecs_service_name")}
    pipeline = PipelineRun(world, back | {"action": "rollback"}).action()
    assert pipeline.variables["verdict"] == "SUCCEEDED" and world.image == "busybox"


# The artifact


def test_the_images_come_from_the_artifact_which_is_read_with_the_jobs_credentials(make_world):
    world = make_world(image=GOOD)
    run = PipelineRun(world, OF_ARTIFACT, archive((NAME, DEFINITIONS)))
    assert run.action().variables["serviceImage"] == world.image == "app:2"
    assert run.credentials == [CREDENTIALS]


def test_several_image_definitions_are_the_images_of_several_containers(make_world):
    world = make_world()
    world.redeploy(*SIDECAR)
    world.pass_time(300)
    definitions = [*DEFINITIONS, {"name": "sidecar", "imageUri": "envoy:2"}]
    for image in ("app:2", "envoy:2"):
        world.ecs.publish(image, GOOD)
    PipelineRun(world, OF_ARTIFACT, archive((NAME, definitions))).action()
    assert world.ecs.running_images == {"ecs-dummy-container": "app:2", "sidecar": "envoy:2"}


def test_the_detail_of_an_image_is_the_image(make_world):
    world = make_world(image=GOOD)
    packed = archive(("imageDetail.json", {"ImageURI": "app:2"}))
    PipelineRun(world, OF_ARTIFACT | {"file": "imageDetail.json"}, packed).action()
    assert world.image == "app:2"


PACKED = archive((NAME, DEFINITIONS))
WRONG = {
    "unreadable artifact": (OF_ARTIFACT, b"no zip", "is not a readable zip file"),
    "missing file": (OF_ARTIFACT | {"file": "a"}, PACKED, "the artifact has no files 'a'"),
    "unknown artifact": (
        OF_ARTIFACT | {"artifact": "Other"},
        PACKED,
        "artifact 'Other' is not an input artifact of the action, which has BuildArtifact",
    ),
    "only an artifact": (WITHOUT_IMAGE | {"artifact": "a"}, PACKED, "`artifact` and `file` belong"),
    "not a text": (OF_ARTIFACT | {"file": 1}, PACKED, "`artifact` and `file` belong"),
    "two images": (OF_ARTIFACT | {"ecs_image_name": "a"}, PACKED, "ecs_image_name is in the"),
    "no parameters": ("", PACKED, "UserParameters is not valid JSON"),
    "a list": ("[]", PACKED, "UserParameters must be a JSON object"),
    "nested": ("[" * 99_999, PACKED, "UserParameters must be a JSON object"),
    "twice": ('{"a": 1, "a": 2}', PACKED, "UserParameters has the key 'a' twice"),
    "request_id": (EVENT | {"request_id": "a"}, PACKED, "leave out request_id: the job's id is"),
    "wait_seconds": (EVENT | {"wait_seconds": 9}, PACKED, "leave out wait_seconds: the job's id"),
    "unknown field": (EVENT | {"image": "a"}, PACKED, "wrong input event format: "),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_with_the_action_fails_it_before_any_call(make_world, name):
    parameters, packed, reason = WRONG[name]
    world = make_world()
    pipeline = PipelineRun(world, parameters, packed).action()
    assert pipeline.jobs == 1 and not world.calls and world.history == []
    assert pipeline.failure["type"] == "ConfigurationError"
    assert reason in pipeline.failure["message"]


def test_without_a_ledger_the_action_fails_and_nothing_is_updated(make_world):
    world = make_world(ledger=False)
    pipeline = PipelineRun(world).action()
    assert pipeline.failure["type"] == "ConfigurationError" and not world.calls
    assert pipeline.failure["message"].startswith(
        "[ERROR][configuration] the function has no ledger (LEDGER_TABLE), in which"
    )


def test_a_job_without_credentials_never_reads_with_those_of_the_function(make_world):
    run = PipelineRun(make_world(), OF_ARTIFACT, PACKED)
    del run.pipeline.event["CodePipeline.job"]["data"]["artifactCredentials"]
    assert "has no credentials for its artifacts" in run.action().failure["message"]
    assert not run.credentials


@pytest.mark.parametrize("event", [None, {}, [], {"CodePipeline.job": {"id": "a"}}, EVENT])
def test_another_event_is_refused_to_its_caller(make_world, event):
    run = PipelineRun(make_world())
    run.pipeline.event = event
    outcome = run.invoke()
    assert isinstance(outcome.error, InvalidEventError) and not run.pipeline.requests


def test_an_error_with_a_hint_and_one_of_the_service_fail_the_action(make_world):
    world = make_world()
    pipeline = PipelineRun(world, EVENT | {"ecs_service_name": "another"}).action()
    assert pipeline.failure["type"] == "JobFailed"
    assert "ecs_service_name another not found" in pipeline.failure["message"]


# Credentials


@pytest.mark.parametrize("packed", [PACKED, b"no zip"], ids=["success", "failure"])
@pytest.mark.parametrize("image", [GOOD, BAD], ids=["good", "bad"])
def test_nothing_of_the_credentials_is_logged_or_reported(make_world, logged, packed, image):
    world = make_world(image=image, timing=TIMING)
    run = PipelineRun(world, OF_ARTIFACT, packed)
    run.action()
    reported = json.dumps([request.body for request in run.pipeline.requests])
    stored = json.dumps([str(item) for item in world.dynamodb.items.values()])
    assert FIRST_JOB in logged() and "SENTINEL" not in logged() + reported + stored


def test_a_defect_logs_no_credentials_and_fails_the_action(make_world, logged):
    run = PipelineRun(make_world(), OF_ARTIFACT, PACKED)

    def defect(**_):
        raise IndexError("a defect")

    run.artifacts.get_object = defect
    assert "IndexError: a defect of ecs-updater" in run.action().failure["message"]
    assert "Traceback" in logged() and "SENTINEL" not in logged()


# Faults


def test_a_lost_answer_of_the_result_fails_nothing(make_world, logged):
    world = make_world(image=GOOD)
    run = PipelineRun(world)
    run.pipeline.fail("PutJobSuccessResult", TIMED_OUT, after_effect=True)
    assert run.action().variables["verdict"] == "SUCCEEDED"
    assert run.pipeline.operations == ["PutJobSuccessResult"] * 2
    assert "the job has its result already, or has expired" in logged()


def test_a_refused_result_is_an_error_that_lambda_repeats(make_world):
    world = make_world(image=GOOD)
    run = PipelineRun(world)
    run.pipeline.fail("PutJobSuccessResult", DENIED)
    outcome = run.invoke()
    assert isinstance(outcome.error, JobResultError) and run.pipeline.is_waiting
    assert "[ERROR][codepipeline] the job's result could not be reported: Access" in outcome.text
    assert run.action().variables["verdict"] == "SUCCEEDED" and len(world.made) == 2


def test_an_unreadable_ledger_continues_the_action_and_a_denied_one_fails_it(make_world):
    world = make_world(image=SLOW)
    run = PipelineRun(world)
    run.job()
    assert run.pipeline.continues()
    world.dynamodb.fail("GetItem", TABLE_THROTTLED, times=20)
    run.job()
    world.dynamodb.stop_failing()
    assert run.pipeline.continues()
    world.dynamodb.fail("GetItem", DENIED)
    assert "ledger" in run.action().failure["message"].lower()


def test_an_unreadable_entry_fails_the_action(make_world):
    world = make_world(image=SLOW)
    run = PipelineRun(world)
    run.job()
    assert run.pipeline.continues()
    for item in world.dynamodb.items.values():
        if "state" in item:
            item["state"] = {"S": "of a later version"}
    assert "cannot be read" in run.action().failure["message"]


def test_an_action_without_parameters_fails(make_world):
    run = PipelineRun(make_world())
    del run.pipeline.event["CodePipeline.job"]["data"]["actionConfiguration"]["configuration"][
        "UserParameters"
    ]
    assert "UserParameters is not valid JSON" in run.action().failure["message"]


def test_a_continuation_without_an_update_fails_the_action(make_world):
    run = PipelineRun(make_world())
    run.pipeline.event = job_event(EVENT, FIRST_JOB, "another")
    assert "no update of request_id another: it was not begun" in run.action().failure["message"]


def test_an_update_that_another_one_delays_too_long_fails_the_action(make_world):
    world = make_world(image=GOOD)
    release = world.held("another")
    world.before("DescribeServices", lambda: None)
    pipeline = PipelineRun(world).action()
    release()
    assert "is held by another update" in pipeline.failure["message"]
    assert pipeline.failure["type"] == "JobFailed" and world.history == []


def test_an_update_that_takes_a_day_fails_the_action_before_codepipeline_does(make_world):
    world = make_world(image=Image.good(starts_after=200_000))
    run = PipelineRun(world)
    run.job()
    for hours in (22.9, 0.1):
        assert run.pipeline.continues()
        world.pass_time(hours * 3600)
        run.job()
    assert run.pipeline.failure["type"] == "JobFailed"
    assert run.pipeline.failure["message"].startswith(
        "TIMED_OUT: the rollout is in progress for 23"
    )


@pytest.fixture(name="function", scope="module")
def _function():
    return Function(MemoryDynamodb())


SCENARIOS = {
    "good": (GOOD, {}, "SUCCEEDED"),
    "slow": (Image.good(starts_after=120), {}, "SUCCEEDED"),
    "bad, rolled back": (BAD, {"rollback_on_failure": True}, "ROLLED_BACK"),
}


def images_of(world):
    """The image of each deployment, in order."""
    images = {
        revision["taskDefinitionArn"]: revision["containerDefinitions"][0]["image"]
        for revision in world.ecs.world.task_definitions
    }
    return [images[arn] for arn in world.made.values()]


def troubles(requests):
    """Each request fails in every way once and for good, and the process is killed at each."""
    for at in range(len(requests)):
        for kind in KILLS:
            yield Trouble(at, kind)
        yield Trouble(at, FAILURES[at % len(FAILURES)], Reach.ONCE)
        yield Trouble(at, FAILURES[(at + 2) % len(FAILURES)], Reach.CALL)
        yield Trouble(at, FAILURES[(at + 4) % len(FAILURES)], Reach.OUTAGE)


@pytest.mark.parametrize("name", SCENARIOS)
def test_after_any_fault_the_action_ends_with_the_truth_and_nothing_happens_twice(
    function, monkeypatch, figure, name
):
    monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")
    image, fields, verdict = SCENARIOS[name]
    parameters = OF_ARTIFACT | fields

    def begin():
        world = function.world(timing=TIMING)
        world.ecs.images.becomes("busybox", GOOD)
        world.ecs.publish("app:2", image)
        world.ecs.clock.drive_sdk(monkeypatch)
        return PipelineRun(world, parameters, PACKED)

    run = begin()
    run.job()
    requests = list(run.world.process.sent)
    counts = {"runs": 0, "with the verdict": 0, "failed before the update": 0}
    for trouble in sample(troubles(requests)):
        run = begin()
        run.world.at_next = trouble
        pipeline = run.action()
        run.world.reconcile_all()
        entries = [entry for entry in run.world.history if not entry.may_be_repeated]
        images = images_of(run.world)
        counts["runs"] += 1
        assert images.count("app:2") <= 1, trouble
        assert len(entries) <= 1 and pipeline.result, trouble
        message = (pipeline.failure or {}).get("message", "")
        if entries and entries[0].deployment_id:
            assert entries[0].verdict == verdict, trouble
            is_success = (pipeline.variables or {}).get("verdict") == "SUCCEEDED"
            assert is_success == (verdict == "SUCCEEDED"), (trouble, message)
            assert is_success or verdict in message, (trouble, message)
            counts["with the verdict"] += 1
        else:
            assert message and images == ["busybox"], trouble
            counts["failed before the update"] += 1
    figure(f"CodePipeline: {name}", f"{len(requests)} requests, {counts}")


# The recorded calls


def test_a_recorded_event_ends_with_the_verdict_by_the_stubber(make_world):
    world = make_world(image=SLOW)
    client = boto3.client("codepipeline", region_name=REGION)
    runner = Runner(world.environment, world.boundary, world.table, JobResults(client))
    call = Call("invocation", "test", lambda: 240.0, world.clock)
    second_job = FIRST_JOB[:-1] + "2"
    with Stubber(client) as stubber:
        details = {"summary": "The update is in progress", "externalExecutionId": FIRST_JOB}
        stubber.add_response(
            "put_job_success_result",
            {},
            {"jobId": FIRST_JOB, "continuationToken": FIRST_JOB, "executionDetails": details},
        )
        runner.run(job_event(EVENT), call)
        world.finish(600)
        (entry,) = world.history
        stubber.add_response(
            "put_job_success_result",
            {},
            {
                "jobId": second_job,
                "executionDetails": {
                    "summary": f"SUCCEEDED: {entry.cause}",
                    "externalExecutionId": FIRST_JOB,
                },
                "outputVariables": {
                    "verdict": "SUCCEEDED",
                    "reason": entry.cause,
                    "changed": "true",
                    "requestId": FIRST_JOB,
                    "deploymentId": entry.deployment_id,
                    "serviceArn": SERVICE_ARN,
                    "serviceImage": "app:2",
                    "taskDefinitionArn": entry.after.task_definition_arn,
                },
            },
        )
        runner.run(job_event(EVENT, second_job, FIRST_JOB), call)
        third_job, message = FIRST_JOB[:-1] + "3", "UserParameters must be a JSON object: the event"
        stubber.add_response(
            "put_job_failure_result",
            {},
            {
                "jobId": third_job,
                "failureDetails": {
                    "type": "ConfigurationError",
                    "message": f"[ERROR][configuration] {message} of an update",
                    "externalExecutionId": third_job,
                },
            },
        )
        runner.run(job_event("1", third_job), call)
        stubber.assert_no_pending_responses()


# The document

PAGE = [
    yaml.safe_load(block.text)
    for block in blocks(read("docs/codepipeline.md"))
    if block.language == "yaml"
]
ACTIONS = [action for part in PAGE for stage in part["Stages"] for action in stage["Actions"]]


def in_api(value):
    """A part of an action of a template, with the names of CodePipeline's API."""
    if isinstance(value, dict):
        return {
            name[0].lower() + name[1:]: part if name == "Configuration" else in_api(part)
            for name, part in value.items()
        }
    return list(map(in_api, value)) if isinstance(value, list) else value


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action["ActionTypeId"]["Provider"])
def test_the_actions_of_the_document_are_actions(action):
    model = botocore.loaders.Loader().load_service_model("codepipeline", "service-2")
    shape = ServiceModel(model).shape_for("ActionDeclaration")
    report = ParamValidator().validate(in_api(action), shape)
    assert not report.has_errors(), report.generate_report()


def test_the_action_of_the_document_updates_the_service(make_world):
    parameters = ACTIONS[0]["Configuration"]["UserParameters"]
    assert len(parameters) <= 1000
    world = make_world(image=GOOD)
    resolved = parameters.replace("#{codepipeline.PipelineExecutionId}", "1a2b")
    pipeline = PipelineRun(world, resolved, PACKED).action()
    assert pipeline.variables["verdict"] == "SUCCEEDED" and world.tags["pipeline"] == "1a2b"
    named = re.findall(r"`(\w+)`", read("docs/codepipeline.md").partition("#{Update.verdict}")[2])
    assert set(named) >= pipeline.variables.keys()
