"""An event that changes nothing is judged by the deployment that runs: a repeated event never turns
a failure into a success.
"""

import pytest

from ecs_updater import errors
from fakes.simulated_ecs import BREAKER, BREAKER_WITHOUT_ROLLBACK, Image, Timing
from fakes.wire import DENIED
from support.rollout_world import EVENT, OLD_TAGS

JUDGING = {"ListTasks", "DescribeTasks", "DescribeServiceDeployments"}
WAYS = {"with a ledger": {}, "without a ledger": {"ledger": False}}
REPEATED = {
    "the same event": {},
    "other tags": {"ecs_tag": {"release": "2b"}},
    "tags merged": {"ecs_tag_mode": "merge"},
    "the container named": {"ecs_container_name": "ecs-dummy-container"},
    "a dry run": {"dry_run": True},
    "with a wait": {"wait_seconds": 60},
}
"""What a second event may say whose image runs already."""


@pytest.fixture(name="failing")
def _failing(make_world):
    """Makes worlds in which the tasks of ``app:2`` exit with 3."""

    def make(image=None, **options):
        return make_world(**options, image=image or Image.exits(code=3))

    return make


def judging_calls(world, before):
    """The operations that were sent after the first ``before``, without the two reads of every
    update.
    """
    sent = world.ecs.operations[before:]
    for read in ("DescribeServices", "DescribeTaskDefinition"):
        sent.remove(read)
    return sent


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", REPEATED)
@pytest.mark.parametrize(
    "breaker", [None, BREAKER_WITHOUT_ROLLBACK], ids=["no breaker", "a breaker without rollback"]
)
def test_the_event_again_after_a_failure_is_the_same_failure(failing, way, name, breaker):
    world = failing(breaker=breaker, **WAYS[way])
    assert isinstance(world.send(wait_seconds=180).error, errors.RolloutFailedError)

    again = world.send(**REPEATED[name])

    assert isinstance(again.error, errors.RolloutFailedError), again.text
    assert "container ecs-dummy-container exited with code 3" in again.text
    assert world.ecs.operations.count("UpdateService") == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", [name for name in REPEATED if name != "with a wait"])
def test_the_event_again_while_the_rollout_goes_on_says_that_it_does(failing, way, name):
    world = failing(Image.slow(130), **WAYS[way])
    world.send()
    world.pass_time(10)
    again = world.send(**REPEATED[name])
    assert again.verdict == "IN_PROGRESS" and world.ecs.primary_id in again.text, again.text


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("image", "verdict"),
    [
        (Image.slow(60), "SUCCEEDED"),
        (Image.exits(code=3), "RolloutFailedError"),
        (Image.slow(900), "TIMED_OUT"),
    ],
)
def test_who_sends_the_event_again_and_waits_gets_the_verdict_of_the_deployment_that_runs(
    failing, way, image, verdict
):
    world = failing(image, **WAYS[way])
    world.send()
    world.pass_time(3)
    begin = world.clock.now()
    again = world.send(wait_seconds=180)
    assert again.verdict == verdict, again.text
    assert world.clock.now() - begin <= 181 and world.ecs.operations.count("UpdateService") == 1


@pytest.mark.parametrize("way", WAYS)
def test_the_event_again_over_a_completed_deployment_has_the_verdict_no_change_and_costs_two_reads(
    make_world, way
):
    world = make_world(**WAYS[way])
    world.send(wait_seconds=120)
    world.pass_time(60)
    before = len(world.ecs.operations)
    assert world.send().verdict == "NO_CHANGE"
    assert judging_calls(world, before) == []


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "image", [Image.exits(code=3), Image.slow(900)], ids=["failed", "in progress"]
)
def test_the_judgement_of_the_deployment_that_runs_costs_three_reads_at_most(failing, way, image):
    world = failing(image, **WAYS[way])
    world.send()
    world.pass_time(120)
    before = len(world.ecs.operations)
    world.send()
    calls = judging_calls(world, before)
    assert set(calls) <= JUDGING and len(calls) == len(set(calls)), calls


def test_where_the_tasks_are_forgotten_the_ledger_knows_how_the_deployment_failed(failing):
    world = failing()
    first = world.send(wait_seconds=180)
    world.ecs.fail("ListTasks", *[DENIED] * 50)
    again = world.send()
    assert (type(again.error), str(again.error)) == (type(first.error), str(first.error))
    assert world.verdicts == ["FAILED", "FAILED"]


@pytest.mark.parametrize(
    "forgotten", [False, True], ids=["tasks that are seen", "tasks that are forgotten"]
)
@pytest.mark.parametrize("wait", [0, 120])
def test_a_repeated_event_may_ask_for_the_rollback_and_gets_the_tags_of_the_last_success_back(
    failing, wait, forgotten
):
    world = failing()
    world.send(ecs_image_name="app:1", ecs_tag={"release": "1"}, wait_seconds=120)
    assert isinstance(world.send(wait_seconds=180).error, errors.RolloutFailedError)
    if forgotten:
        world.ecs.fail("ListTasks", *[DENIED] * 50)

    again = world.send(rollback_on_failure=True, wait_seconds=wait or None)
    world.finish(120)

    assert isinstance(
        again.error, errors.RolloutRolledBackError if wait else errors.RolloutFailedError
    ), again.text
    assert wait or "the service is being rolled back" in again.text
    assert "exited with code 3" in again.text and "did not ask" not in again.text
    assert world.state == ({"ecs-dummy-container": "app:1"}, {"release": "1"})
    assert world.history[0].verdict == "ROLLED_BACK"


def test_without_a_ledger_the_rollback_of_a_repeated_event_leaves_the_tags_and_says_so(failing):
    world = failing(ledger=False)
    world.send(wait_seconds=180)
    again = world.send(rollback_on_failure=True, wait_seconds=120)
    assert isinstance(again.error, errors.RolloutRolledBackError), again.text
    assert "its tags were left as they are" in again.text
    assert world.state == ({"ecs-dummy-container": "busybox"}, EVENT["ecs_tag"])


@pytest.mark.parametrize(
    "fields, says, tags",
    [
        ({}, "was not rolled back, for the event did not ask for it", EVENT["ecs_tag"]),
        (
            {"ecs_tag": {"release": "2b"}},
            "; the tags of this event are set",
            {"release": "2b"},
        ),
        (
            {"rollback_on_failure": True, "dry_run": True},
            "dry run: nothing was written",
            EVENT["ecs_tag"],
        ),
    ],
    ids=["no rollback asked for", "other tags", "a dry run"],
)
def test_a_repeated_event_that_does_not_roll_back_says_what_it_did(failing, fields, says, tags):
    world = failing()
    world.send(wait_seconds=180)
    text = world.send(**fields).text
    assert says in text and ("did not ask" in text) is ("rollback_on_failure" not in fields)
    assert (world.image, world.tags) == ("app:2", tags)
    assert len(world.history) == 1 + ("dry_run" not in fields)


def test_updates_that_nobody_waits_for_end_with_the_deployment_that_they_joined(failing):
    world = failing(Image.slow(60))
    for tags in ({"release": "2"}, {"release": "2"}, {"release": "2b"}):
        world.send(ecs_tag=tags)
        world.pass_time(2)
    world.finish(120)
    assert world.verdicts == ["SUCCEEDED"] * 3
    assert len({entry.deployment_id for entry in world.history}) == 1


@pytest.mark.parametrize(
    "options", [{}, {"service_deployments": False}, {"breaker": BREAKER}], ids=str
)
@pytest.mark.parametrize(
    "asks", [(True, False), (False, True), (True, True), (False, False)], ids=str
)
def test_updates_that_nobody_waits_for_fail_with_the_deployment_that_they_joined(
    failing, options, asks
):
    world = failing(**options)
    for asks_for_rollback in asks:
        world.send(rollback_on_failure=asks_for_rollback)
        world.pass_time(1)
    world.finish(200)
    entries = world.history
    assert {entry.verdict for entry in entries} <= {"FAILED", "ROLLED_BACK"}, [
        (e.verdict, e.cause) for e in entries
    ]
    assert all("exited with code 3" in entry.error_message for entry in entries)
    is_back = any(asks) or "breaker" in options
    assert world.image == ("busybox" if is_back else "app:2")
    assert world.tags == (OLD_TAGS if any(asks) else EVENT["ecs_tag"])


def test_an_event_for_what_ecs_returned_to_is_judged_by_the_deployment_that_does_it(failing):
    world = failing(breaker=BREAKER, timing=Timing(rollback_starts_after=60))
    world.send()
    for _ in range(100):
        world.pass_time(2)
        if world.image == "busybox":
            break
    back = {"ecs_image_name": "busybox", "ecs_tag": EVENT["ecs_tag"]}
    assert world.send(**back).verdict == "IN_PROGRESS"
    assert world.send(**back, wait_seconds=180).verdict in ("SUCCEEDED", "NO_CHANGE")


def test_a_redeployment_of_the_same_revision_in_progress_is_not_taken_for_complete(failing):
    world = failing(Image.good())
    world.send(wait_seconds=120)
    world.ecs.publish("app:2", Image.slow(300))
    world.send(force_new_deployment=True)
    world.pass_time(5)
    assert world.send().verdict == "IN_PROGRESS"
