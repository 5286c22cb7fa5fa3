"""A job, as CodePipeline's event has it."""

import pytest

from ecs_updater.codepipeline.job import Job, Location
from ecs_updater.errors import InvalidEventError
from fakes.pipeline import BUCKET, CREDENTIALS, KEY, job_event


def test_the_first_job_of_an_action_names_the_update():
    job = Job.of(job_event({"a": 1}, "first"))
    assert (job.id, job.request_id, job.is_continuation) == ("first", "first", False)
    assert (job.parameters, job.credentials) == ('{"a": 1}', CREDENTIALS)
    assert job.artifacts == {"BuildArtifact": Location(BUCKET, KEY)}


def test_a_continuation_has_the_id_of_the_first_job_as_its_token():
    job = Job.of(job_event({}, "second", "first"))
    assert (job.id, job.request_id, job.is_continuation) == ("second", "first", True)


def test_credentials_are_not_printed():
    assert "SENTINEL" not in repr(Job.of(job_event({})))


def test_an_artifact_in_a_bucket_whose_name_is_not_a_text_is_refused():
    event = job_event({})
    (artifact,) = event["CodePipeline.job"]["data"]["inputArtifacts"]
    artifact["location"]["s3Location"]["bucketName"] = 7
    with pytest.raises(InvalidEventError, match="is not a job of CodePipeline"):
        Job.of(event)


@pytest.mark.parametrize("part", ["data", "id", "inputArtifacts"])
def test_the_error_about_another_event_shows_nothing_of_it(part):
    event = job_event({})
    job = event["CodePipeline.job"]
    if part == "inputArtifacts":
        job["data"][part] = [CREDENTIALS]
    else:
        job["sent"] = job.pop(part)
    with pytest.raises(InvalidEventError, match="is not a job of CodePipeline") as error:
        Job.of(event)
    assert "SENTINEL" not in str(error.value)
