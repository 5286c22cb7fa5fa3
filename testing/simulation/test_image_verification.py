"""Images: asked for in the registry before any write, pinned to their digest, and compared with
what runs.
"""

import threading

import pytest

from ecs_updater.context import Call
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import (
    ImageArchitectureError,
    ImageMissing,
    ImageNotFoundError,
    ImageVerificationError,
    RegistryFailure,
    RolloutFailedError,
)
from fakes.registry import DIGESTS, TOP, Registry, config, single
from support.rollout_world import EVENT

SEVENS = DIGESTS[7]
SILENT = Registry(RegistryFailure("it did not answer"))


def registry_of(digest=TOP, architecture="amd64"):
    """A registry with an image for one processor."""
    return Registry(single(digest=digest), config(architecture))


@pytest.fixture(name="world")
def _world(make_world):
    return make_world(ledger=False)


def send(world, registry, environment, **fields):
    """One update with this registry; the body of the answer."""
    call = Call(clock=world.clock)
    return deploy(
        {**EVENT, **fields}, environment, world.boundary, call, None, lambda settings: registry
    )["body"]


def digest_in(world, reference):
    """What the simulation resolves a reference to."""
    return world.ecs.images.resolve(reference)


@pytest.mark.parametrize(
    "environment, image", [({}, "app:2"), ({"VERIFY_IMAGE": "require"}, "busybox")]
)
def test_the_registry_is_not_asked_without_a_setting_or_a_deployment(world, environment, image):
    registry = registry_of()
    send(world, registry, environment, ecs_image_name=image)
    assert not registry.requested


@pytest.mark.parametrize(
    "kind, registry, mode, says",
    [
        (
            ImageNotFoundError,
            Registry(ImageMissing("its repository has no such tag or digest")),
            "warn",
            "app:2 is not in the registry: its repository has no such tag or digest",
        ),
        (
            ImageArchitectureError,
            registry_of(architecture="arm64"),
            "require",
            "is for arm64 and the task needs X86_64",
        ),
        (
            ImageVerificationError,
            SILENT,
            "require",
            "could not be verified: it did not answer",
        ),
    ],
)
def test_an_image_is_refused_before_any_write(world, kind, registry, mode, says):
    with pytest.raises(kind, match=says):
        send(world, registry, {"VERIFY_IMAGE": mode})
    assert world.ecs.writes == []


def test_a_registry_that_says_nothing_is_a_note_if_the_setting_says_so(world):
    body = send(world, SILENT, {"VERIFY_IMAGE": "warn"})
    assert "could not be verified: it did not answer" in body["deployment"]["notes"][0]


NOT_VERIFIED = "not verified: the registry was not asked for {} (VERIFY_IMAGE is off)"


def dry_run(world, registry, environment, **fields):
    """The notes of a dry run, after which nothing is written."""
    body = send(world, registry, environment, dry_run=True, **fields)
    assert world.ecs.writes == [] and body["dryRun"]
    return body["deployment"].get("notes", [])


def test_a_dry_run_says_of_which_images_the_registry_was_not_asked(world):
    registry = registry_of()
    assert dry_run(world, registry, {}) == [NOT_VERIFIED.format("app:2")]
    assert dry_run(world, registry, {}, ecs_image_name="busybox", force_new_deployment=True) == [
        NOT_VERIFIED.format("busybox")
    ]
    assert dry_run(world, registry, {}, ecs_image_name="busybox") == []  # Nothing is deployed.
    assert not registry.requested


def test_a_dry_run_that_asked_the_registry_says_what_it_could_not_find_out_and_nothing_else(world):
    registry = registry_of()
    assert (
        dry_run(world, registry, {"VERIFY_IMAGE": "warn"})
        == dry_run(world, registry, {"PIN_DIGEST": "tag"})
        == []
    )
    (note,) = dry_run(world, SILENT, {"VERIFY_IMAGE": "warn"})
    assert note == "app:2 could not be verified: it did not answer"


class Silent(Registry):
    """A registry that says nothing until the test is over."""

    def __init__(self):
        super().__init__(single())
        self.over = threading.Event()

    def manifest(self, requested):
        assert self.over.wait(60)
        return super().manifest(requested)


@pytest.mark.parametrize("left", [0.05, 0.0])
def test_a_registry_takes_no_more_of_an_update_than_the_functions_time_leaves(world, left):
    registry = Silent()
    images = {f"side-{number}": f"side:{number}" for number in range(10)}
    event = {**EVENT, "ecs_container_name": "ecs-dummy-container", "ecs_container_images": images}
    world.ecs.service.deployments[0].revision.task_definition["containerDefinitions"] += [
        {"name": name, "image": "side:old", "memory": 64} for name in event["ecs_container_images"]
    ]

    def body(mode):
        call = Call(clock=world.clock, time_left=lambda: left)
        return deploy(
            event, {"VERIFY_IMAGE": mode}, world.boundary, call, None, lambda _: registry
        )["body"]

    try:
        with pytest.raises(
            ImageVerificationError,
            match="app:2 could not be verified: there was no answer within 0.0 s, ",
        ):
            body("require")
        assert world.ecs.writes == []
        notes = body("warn")["deployment"]["notes"]
        assert len([note for note in notes if "there was no answer within 0.0 s" in note]) == 11
    finally:
        registry.over.set()


@pytest.mark.parametrize("pin, form", [("tag", "app:2@{}"), ("digest", "app@{}")])
def test_a_pinned_image_is_deployed_by_its_digest(world, pin, form):
    digest = digest_in(world, "app:2")
    body = send(world, registry_of(digest), {"PIN_DIGEST": pin}, wait_seconds=120)
    assert body["AFTER"]["serviceImage"] == form.format(digest) == world.image


def test_a_pinned_image_that_runs_already_has_the_verdict_no_change_and_a_moved_tag_is_one(world):
    digest = digest_in(world, "app:2")
    send(world, registry_of(digest), {"PIN_DIGEST": "tag"})
    assert not send(world, registry_of(digest), {"PIN_DIGEST": "tag"})["changed"]
    assert send(world, registry_of(SEVENS), {"PIN_DIGEST": "tag"})["changed"]


def test_the_answer_has_the_digests_that_the_tasks_run(world):
    assert send(world, registry_of(), {}, wait_seconds=120)["deployment"]["images"] == {
        "ecs-dummy-container": {"image": "app:2", "digests": [digest_in(world, "app:2")]}
    }


def test_where_no_task_can_be_read_the_service_revision_has_the_digests(make_world):
    world = make_world(ledger=False, desired=0)
    body = send(world, registry_of(), {}, wait_seconds=120)
    container = body["deployment"]["images"]["ecs-dummy-container"]
    assert container["digests"] == [digest_in(world, "app:2")]


def test_tasks_that_run_another_digest_than_the_one_asked_for_are_a_failure(world):
    pinned = "app:2@sha256:" + "7" * 64
    registry = registry_of(SEVENS)
    # What ECS promises never to do.
    world.ecs.images.resolve = lambda reference: "sha256:" + "8" * 64
    with pytest.raises(RolloutFailedError) as raised:
        send(world, registry, {"VERIFY_IMAGE": "require"}, ecs_image_name=pinned, wait_seconds=120)
    assert "runs sha256:8888" in str(raised.value) and f"{pinned} was sha256:7777" in str(
        raised.value
    )


def test_a_tag_that_moved_after_it_was_looked_at_is_noted(world):
    body = send(world, registry_of(SEVENS), {"VERIFY_IMAGE": "require"}, wait_seconds=120)
    assert body["deployment"]["verdict"] == "SUCCEEDED"
    assert "the tag has moved since" in body["deployment"]["notes"][0]
