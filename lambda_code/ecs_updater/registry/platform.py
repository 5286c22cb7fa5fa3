"""Operating system and processor: what a task needs, and what an image is for, both in the words of
the OCI image format.

https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_RuntimePlatform.html
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ARCHITECTURES = {"X86_64": "amd64", "ARM64": "arm64"}
_ECS_NAMES = {architecture: name for name, architecture in _ARCHITECTURES.items()}
# What else a processor runs: container runtimes give a 64-bit x86 machine the 32-bit image where
# there is no other. Not the same for ARM: not every Graviton runs 32-bit programs, and Fargate's
# documentation promises none.
_ALSO_RUNS = {"amd64": {"386"}}


@dataclass(frozen=True)
class Platform:
    """Of a task: what it needs, None where any will do.

    Of an image: what it is for, None where it does not say.
    """

    os: str | None = None
    architecture: str | None = None

    def __str__(self) -> str:
        return f"{self.os or 'any system'}/{self.architecture or 'any processor'}"

    @property
    def ecs_architecture(self) -> str:
        """The processor as ECS calls it."""
        return _ECS_NAMES.get(self.architecture or "", self.architecture or "any processor")

    def accepts_os(self, offered: "Platform") -> bool:
        """Whether a task that needs this system can run an image for ``offered``; what is not said
        is no reason against it.
        """
        return None in (self.os, offered.os) or self.os == offered.os

    def accepts(self, offered: "Platform") -> bool:
        """Whether a task that needs this can run an image for ``offered``; what is not said is no
        reason against it.
        """
        if not self.accepts_os(offered):
            return False
        if (
            self.architecture is None
            or offered.architecture is None
            or self.architecture == offered.architecture
        ):
            return True
        return offered.architecture in _ALSO_RUNS.get(self.architecture, ())


def needed_platform(task_definition: Mapping[str, Any], on_fargate: bool | None = None) -> Platform:
    """What tasks of ``task_definition`` need.

    Without a ``runtimePlatform`` Fargate takes LINUX on X86_64; on EC2 and on machines of one's own
    ECS places the task on any instance, so nothing can be said. ``on_fargate`` is whether the
    service runs there; None: whether the task definition must be able to.
    """
    said = task_definition.get("runtimePlatform") or {}
    if on_fargate is None:
        on_fargate = "FARGATE" in (task_definition.get("requiresCompatibilities") or ())
    family = said.get("operatingSystemFamily") or ("LINUX" if on_fargate else None)
    architecture = said.get("cpuArchitecture") or ("X86_64" if on_fargate else None)
    return Platform(
        os=None if family is None else "windows" if family.startswith("WINDOWS") else "linux",
        architecture=None
        if architecture is None
        else _ARCHITECTURES.get(architecture, architecture.lower()),
    )
