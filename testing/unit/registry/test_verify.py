"""The verification of an image: missing, for another platform, or in doubt; and pinning."""

import json
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
from ecs_updater.registry.verify import Found, Verified, verify_all
from support.images import verify

DIGESTS = ["sha256:" + character * 64 for character in "0123456789"]
TOP, CONFIG = DIGESTS[0], DIGESTS[9]
X86_64, ARM64, WINDOWS = (
    Platform("linux", "amd64"),
    Platform("linux", "arm64"),
    Platform("windows", "amd64"),
)
OCI_CONFIG, DOCKER_CONFIG = (
    "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.container.image.v1+json",
)
NOT_PREPARED = RegistryFailure("not prepared")


class Fake:
    """Registries with one manifest and one blob, or failures, which record the requests."""

    def __init__(self, manifest, blob=NOT_PREPARED):
        self._manifest, self._blob = manifest, blob
        self.requested = []

    def manifest(self, requested):
        """Returns the manifest of any image."""
        return self._answer(str(requested), self._manifest)

    def blob(self, requested, digest):
        """Returns the configuration of any image."""
        return self._answer((str(requested), digest), self._blob)

    def _answer(self, request, answer):
        self.requested.append(request)
        if isinstance(answer, Exception):
            raise answer
        return answer


def found(content, media_type="", digest=TOP):
    """What a registry that has ``content`` says."""
    return Found(
        digest, content if isinstance(content, bytes) else json.dumps(content).encode(), media_type
    )


def index(*platforms, kind=INDEX_TYPES[0]):
    """An index of images for these platforms, ``os/architecture`` or None for one that does not
    say.
    """
    entries = []
    for number, text in enumerate(platforms, start=1):
        system, _, architecture = (text or "").partition("/")
        platform = {"platform": {"os": system, "architecture": architecture}} if text else {}
        entries.append(
            {"mediaType": IMAGE_TYPES[0], "digest": DIGESTS[number], "size": 7} | platform
        )
    return found({"schemaVersion": 2, "mediaType": kind, "manifests": entries})


def single(config_type=OCI_CONFIG, kind=IMAGE_TYPES[0], **fields):
    """The manifest of an image of one platform."""
    descriptor = {"mediaType": config_type, "digest": CONFIG, "size": 7}
    return found(
        {"schemaVersion": 2, "mediaType": kind, "config": descriptor, "layers": []} | fields
    )


def config(architecture, system="linux"):
    """An image's configuration."""
    return found({"os": system, "architecture": architecture, "rootfs": {}}, digest=CONFIG)


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
    registries = Fake(index("linux/amd64", "windows/amd64", "linux/arm64", kind=kind))
    verified = verify(image(), platform, registries)
    assert verified == Verified(image(), TOP, (X86_64, WINDOWS, ARM64), mine)
    assert verified.digests == {TOP, mine}
    assert registries.requested == ["team/app:1"]


@pytest.mark.parametrize(
    "kind, config_type", [(IMAGE_TYPES[0], OCI_CONFIG), (IMAGE_TYPES[1], DOCKER_CONFIG)]
)
def test_the_platform_of_a_single_image_is_read_from_its_configuration(kind, config_type):
    registries = Fake(single(config_type, kind), config("arm64"))
    verified = verify(image(), ARM64, registries)
    assert verified == Verified(image(), TOP, (ARM64,), TOP) and verified.digests == {TOP}
    assert registries.requested == ["team/app:1", ("team/app:1", CONFIG)]


@pytest.mark.parametrize("require", [True, False])
@pytest.mark.parametrize(
    "registries, platform, what",
    [
        (
            Fake(single(), config("arm64")),
            X86_64,
            "team/app:1 is for arm64 and the task needs X86_64: build it for linux/amd64, ",
        ),
        (
            Fake(single(), config("amd64")),
            ARM64,
            "team/app:1 is for amd64 and the task needs ARM64: build it for linux/arm64, ",
        ),
        (
            Fake(index("linux/s390x", "linux/arm64")),
            X86_64,
            "team/app:1 is for arm64, s390x and the task needs X86_64: ",
        ),
        (
            Fake(index("linux/arm64", "windows/amd64")),
            X86_64,
            "team/app:1 is for arm64 and the task needs X86_64: ",
        ),
        (Fake(index("linux/arm")), ARM64, "team/app:1 is for arm and the task needs ARM64: "),
        (
            Fake(single(), config("amd64", "windows")),
            X86_64,
            "team/app:1 is for windows and the task needs linux",
        ),
        (
            Fake(index("linux/amd64", "linux/arm64")),
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
        (Fake(single(), config("386")), X86_64),
        (Fake(index("linux/386")), X86_64),
        (Fake(index("linux/arm64")), Platform("linux", None)),
        (Fake(single(), config("riscv64")), Platform(None, None)),
        (Fake(index(None)), ARM64),
        (Fake(single(), found({"architecture": "amd64"}, digest=CONFIG)), X86_64),
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
    verified = verify(image(), platform, Fake(index(*platforms)))
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
        verify(image(), X86_64, Fake(manifest), require)
    assert message(refused).startswith(f"team/app:1 is not in the registry: {what}")
    assert len(str(refused.value)) < 600


DOUBTS = [
    (Fake(RegistryFailure("it sleeps")), "it sleeps", None),
    (Fake(found(b"<html>")), "its manifest cannot be read", TOP),
    (Fake(found({"schemaVersion": 1})), "its manifest has the form 1, not 2", TOP),
    (
        Fake(found({"schemaVersion": 2, "mediaType": "text/plain"})),
        "its manifest has the type 'text/plain'",
        TOP,
    ),
    (
        Fake(single(), RegistryFailure("denied")),
        "it is there, but not for which processor: denied",
        TOP,
    ),
    (Fake(single(), ImageMissing("gone")), "it is there, but not for which processor: gone", TOP),
    (
        Fake(single(), found(b"{}")),
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


class Together(Fake):
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


class Slow(Fake):
    """Registries that do not answer before the end of the test."""

    def __init__(self):
        super().__init__(index("linux/amd64"))
        self.over = threading.Event()

    def manifest(self, requested):
        assert self.over.wait(60)
        return super().manifest(requested)


@pytest.fixture(name="slow")
def _slow():
    registries = Slow()
    yield registries
    registries.over.set()


@pytest.mark.parametrize("seconds", [0.0, -3.0, 0.01])
def test_an_image_without_an_answer_in_time_is_in_doubt_and_not_waited_for(slow, seconds):
    images = [image(f"app:{number}") for number in range(10)] + [image(f"pinned@{TOP}")]
    verified = verify_all(images, X86_64, slow, require=False, seconds=seconds)
    late = "could not be verified: there was no answer within"
    assert len(verified) == 11 and all(late in found.doubt for found in verified.values())
    assert verified[f"pinned@{TOP}"].digests == {TOP}
    with pytest.raises(ImageVerificationError, match=f"app:0 {late} 0.0 s"):
        verify_all(images, X86_64, slow, seconds=seconds)
    assert not slow.requested


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


# What registries send
