"""The verification of an image: missing, for another platform, or in doubt; and pinning."""

import threading

import pytest

from ecs_updater.errors import (
    ImageArchitectureError,
    ImageMissing,
    ImageNotFoundError,
    ImageVerificationError,
    RegistryFailure,
)
from ecs_updater.model.image import ImageReference
from ecs_updater.registry.manifest import (
    IMAGE_TYPES,
    INDEX_TYPES,
    Platform,
    needed_platform,
)
from ecs_updater.registry.verify import Verified, verify_all
from fakes.registry import (
    CONFIG,
    DIGESTS,
    DOCKER_CONFIG,
    OCI_CONFIG,
    TOP,
    Registry,
    config,
    found,
    index,
    single,
)
from support.images import verify

X86_64, ARM64, WINDOWS = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("windows", "amd64"),
)


def image(text="team/app:1"):
    """A reference."""
    return ImageReference.parse(text)


def message(error):
    """The text of an error without its beginning."""
    beginning = "[ERROR][ecs_service_update] new task_definition could not be created "
    assert str(error.value).startswith(beginning)
    return str(error.value).removeprefix(beginning)


@pytest.mark.parametrize("kind", INDEX_TYPES)
@pytest.mark.parametrize("platform, mine", [(X86_64, DIGESTS[1]), (ARM64, DIGESTS[3])])
def test_an_index_has_its_own_digest_and_the_one_of_the_tasks_platform(kind, platform, mine):
    registries = Registry(index("linux/amd64", "windows/amd64", "linux/arm64", kind=kind))
    verified = verify(image(), platform, registries)
    assert verified == Verified(image(), TOP, (X86_64, WINDOWS, ARM64), mine)
    assert verified.digests == {TOP, mine}
    assert registries.requested == ["team/app:1"]


@pytest.mark.parametrize(
    "kind, config_type", [(IMAGE_TYPES[0], OCI_CONFIG), (IMAGE_TYPES[1], DOCKER_CONFIG)]
)
def test_the_platform_of_a_single_image_is_read_from_its_configuration(kind, config_type):
    registries = Registry(single(config_type, kind), config("arm64"))
    verified = verify(image(), ARM64, registries)
    assert verified == Verified(image(), TOP, (ARM64,), TOP) and verified.digests == {TOP}
    assert registries.requested == ["team/app:1", ("team/app:1", CONFIG)]


@pytest.mark.parametrize("require", [True, False])
@pytest.mark.parametrize(
    "registries, platform, what",
    [
        (
            Registry(single(), config("arm64")),
            X86_64,
            "team/app:1 is for arm64 and the task needs X86_64: build it for linux/amd64, ",
        ),
        (
            Registry(single(), config("amd64")),
            ARM64,
            "team/app:1 is for amd64 and the task needs ARM64: build it for linux/arm64, ",
        ),
        (
            Registry(index("linux/s390x", "linux/arm64")),
            X86_64,
            "team/app:1 is for arm64, s390x and the task needs X86_64: ",
        ),
        (
            Registry(index("linux/arm64", "windows/amd64")),
            X86_64,
            "team/app:1 is for arm64 and the task needs X86_64: ",
        ),
        (Registry(index("linux/arm")), ARM64, "team/app:1 is for arm and the task needs ARM64: "),
        (
            Registry(single(), config("amd64", "windows")),
            X86_64,
            "team/app:1 is for windows and the task needs linux",
        ),
        (
            Registry(index("linux/amd64", "linux/arm64")),
            WINDOWS,
            "team/app:1 is for linux and the task needs windows",
        ),
    ],
)
def test_an_image_for_another_platform_is_refused_in_every_mode(
    registries, platform, what, require
):
    with pytest.raises(ImageArchitectureError) as refused:
        verify(image(), platform, registries, require)
    assert message(refused).startswith(what)


@pytest.mark.parametrize(
    "registries, platform",
    [
        (Registry(single(), config("386")), X86_64),
        (Registry(index("linux/386")), X86_64),
        (Registry(index("linux/arm64")), Platform("linux", None)),
        (Registry(single(), config("riscv64")), Platform(None, None)),
        (Registry(index(None)), ARM64),
        (Registry(single(), found({"architecture": "amd64"}, digest=CONFIG)), X86_64),
    ],
)
def test_an_image_that_the_task_may_run_is_accepted(registries, platform):
    assert verify(image(), platform, registries).doubt is None


@pytest.mark.parametrize(
    "platforms, platform",
    [
        (["linux/amd64", "linux/amd64"], X86_64),
        (["linux/amd64", "linux/arm64"], Platform("linux")),
        (["linux/386", None], X86_64),
    ],
)
def test_the_digest_of_the_platform_is_unknown_if_several_fit(platforms, platform):
    verified = verify(image(), platform, Registry(index(*platforms)))
    assert (verified.platform_digest, verified.digests) == (None, {TOP})


@pytest.mark.parametrize("require", [True, False])
@pytest.mark.parametrize(
    "manifest, what",
    [
        (
            ImageMissing("its repository has no such tag or digest"),
            "its repository has no such tag or digest",
        ),
        (
            single("application/vnd.cncf.helm.config.v1+json"),
            "by that name there is no container image but application/vnd.cncf.",
        ),
        (
            single("application/vnd.oci.empty.v1+json", artifactType="application/spdx+json"),
            "by that name there is no container image but application/spdx+json",
        ),
        (single("x\n" * 200), "by that name there is no container image but x\\nx"),
        (
            index("unknown/unknown"),
            "by that name there is no container image but an index without any image",
        ),
    ],
)
def test_a_missing_image_is_refused_in_every_mode(manifest, what, require):
    with pytest.raises(ImageNotFoundError) as refused:
        verify(image(), X86_64, Registry(manifest), require)
    assert message(refused).startswith(f"team/app:1 is not in the registry: {what}")
    assert len(str(refused.value)) < 600


DOUBTS = [
    (Registry(RegistryFailure("it sleeps")), "it sleeps", None),
    (Registry(found(b"<html>")), "its manifest cannot be read", TOP),
    (Registry(found({"schemaVersion": 1})), "its manifest has the form 1, not 2", TOP),
    (
        Registry(found({"schemaVersion": 2, "mediaType": "text/plain"})),
        "its manifest has the type 'text/plain'",
        TOP,
    ),
    (
        Registry(single(), RegistryFailure("denied")),
        "it is there, but not for which processor: denied",
        TOP,
    ),
    (
        Registry(single(), ImageMissing("gone")),
        "it is there, but not for which processor: gone",
        TOP,
    ),
    (
        Registry(single(), found(b"{}")),
        "it is there, but its configuration does not say for which processor",
        TOP,
    ),
]


@pytest.mark.parametrize("registries, why, digest", DOUBTS)
def test_an_unverifiable_image_is_an_error_with_require_and_a_doubt_with_warn(
    registries, why, digest
):
    with pytest.raises(ImageVerificationError) as failed:
        verify(image(), X86_64, registries)
    assert message(failed) == f"team/app:1 could not be verified: {why}"
    verified = verify(image(), X86_64, registries, require=False)
    assert (verified.doubt, verified.digest) == (f"team/app:1 could not be verified: {why}", digest)


class Together(Registry):
    """Registries that answer for an image as soon as they are asked for all ten."""

    def __init__(self):
        super().__init__(index("linux/amd64"))
        self.all_are_requested = threading.Barrier(10)

    def manifest(self, requested):
        self.all_are_requested.wait(60)
        return super().manifest(requested)


def test_images_are_asked_for_at_the_same_time():
    images = [image(f"app:{number}") for number in range(10)]
    assert not any(item.doubt for item in verify_all(images, X86_64, Together()).values())


def test_an_image_for_which_no_time_is_left_is_in_doubt_and_keeps_its_own_digest():
    registries = Registry(index("linux/amd64"))
    pinned = image(f"app@{TOP}")
    verified = verify_all([pinned], X86_64, registries, require=False, seconds=-3.0)[str(pinned)]
    assert "there was no answer within 0.0 s" in verified.doubt and verified.digests == {TOP}
    assert not registries.requested


# Pinning


@pytest.mark.parametrize(
    "text, tag_kept, tag_dropped",
    [
        ("app:1", f"app:1@{TOP}", f"app@{TOP}"),
        ("app", f"app@{TOP}", f"app@{TOP}"),
        ("host:5000/app", f"host:5000/app@{TOP}", f"host:5000/app@{TOP}"),
        (
            "Host.example:5000/team/app:5000",
            f"Host.example:5000/team/app:5000@{TOP}",
            f"Host.example:5000/team/app@{TOP}",
        ),
        (f"app@{DIGESTS[5]}", f"app@{DIGESTS[5]}", f"app@{DIGESTS[5]}"),
        (f"app:1@{DIGESTS[5]}", f"app:1@{DIGESTS[5]}", f"app:1@{DIGESTS[5]}"),
    ],
)
def test_pinning_adds_the_digest_and_keeps_the_tag_readable(text, tag_kept, tag_dropped):
    verified = Verified(image(text), TOP)
    assert (str(verified.pinned()), str(verified.pinned(keep_tag=False))) == (tag_kept, tag_dropped)
    assert verified.pinned().digest and verified.pinned().repository == image(text).repository


# The platform of a task


@pytest.mark.parametrize(
    "task_definition, on_fargate, platform",
    [
        (
            {"runtimePlatform": {"cpuArchitecture": "ARM64", "operatingSystemFamily": "LINUX"}},
            None,
            ARM64,
        ),
        (
            {
                "runtimePlatform": {
                    "cpuArchitecture": "X86_64",
                    "operatingSystemFamily": "WINDOWS_SERVER_2022_CORE",
                }
            },
            None,
            WINDOWS,
        ),
        (
            {
                "runtimePlatform": {"cpuArchitecture": "ARM64"},
                "requiresCompatibilities": ["FARGATE"],
            },
            None,
            ARM64,
        ),
        ({"requiresCompatibilities": ["EC2", "FARGATE"]}, None, X86_64),
        ({"runtimePlatform": None, "requiresCompatibilities": ["EC2"]}, None, Platform()),
        ({}, None, Platform()),
        ({}, True, X86_64),
        ({"requiresCompatibilities": ["FARGATE"]}, False, Platform()),
        ({"runtimePlatform": {"cpuArchitecture": "RISCV64"}}, True, Platform("linux", "riscv64")),
    ],
)
def test_the_needed_platform_is_the_one_of_the_task_definition_or_fargates_default(
    task_definition, on_fargate, platform
):
    assert needed_platform(task_definition, on_fargate) == platform
