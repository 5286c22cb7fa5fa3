"""The eight test events: the function responds to each as its file expects."""

import json

import pytest

from e2e.event_suite import cases
from e2e.event_suite.cases import EVENTS_DIR
from e2e.event_suite.invokers import Invocation, from_payload
from e2e.event_suite.run import OK, run_case
from e2e.event_suite.service import Service
from ecs_updater.errors import EcsUpdaterError
from fakes.simulated_ecs import SimulatedEcs
from support.settings import SETTINGS

CASES = {case.name: case for case in cases.load(SETTINGS)}


@pytest.fixture(name="run")
def _run(invoke, tmp_path):
    """Runs one case with the function in this process."""
    fake = SimulatedEcs(containers=[{"name": "ecs-dummy-container", "image": "busybox"}])

    def send(event_file) -> Invocation:
        try:
            answer = invoke(fake, json.loads(event_file.read_text("utf-8")))
            return from_payload(json.loads(json.dumps(answer)))
        except EcsUpdaterError as error:
            return from_payload({"errorType": type(error).__name__, "errorMessage": str(error)})

    service = Service(fake.client(), "ECSCluster", "ecs-dummy-service")
    return lambda case: run_case(case, send, service, tmp_path)


def test_every_event_has_its_expected_response_in_a_file_and_is_run():
    files = {path.name for path in EVENTS_DIR.iterdir() if path.is_file()}
    ends = (".json", ".expected.json")
    assert len(CASES) == 8
    assert files == {f"lambda-ecs-updater.testevent-{name}{end}" for name in CASES for end in ends}


@pytest.mark.parametrize("name", CASES)
def test_the_function_responds_to_every_event_as_expected(name, run):
    outcome = run(CASES[name])
    assert not outcome.differences
    assert outcome.verdict == OK


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.expected.error_type])
def test_an_event_that_ends_in_an_error_has_one_thing_wrong_and_changes_nothing(name):
    case, base = CASES[name], CASES["base"].event
    assert case.ends_with == case.starts_from
    fields = case.event.keys() | base.keys()
    assert len([field for field in fields if case.event.get(field) != base.get(field)]) == 1
