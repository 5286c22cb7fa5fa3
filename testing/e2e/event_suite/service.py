"""The service that the events are about: puts it into the state that a case starts from, and reads
it.

With a separate SDK client, so that the function does not judge itself.
"""

import os
from typing import Any

from .cases import CannotRun, ServiceState


class Service:
    """One service of the target, and the task-definition family that it runs."""

    def __init__(self, ecs: Any, cluster: str, service: str):
        self._ecs = ecs
        self._cluster = cluster
        self._service = service

    def read(self) -> ServiceState:
        """What the service runs, or is about to run, and its tags.

        Raises CannotRun when it is not there.
        """
        service = self._describe()
        definition, _ = self._task_definition(service)
        (container,) = definition["containerDefinitions"]
        return ServiceState(container["image"], _tags(service))

    def restore(self, state: ServiceState) -> None:
        """Makes the service run ``state.image`` and have exactly ``state.tags``; writes only what
        differs.
        """
        service = self._describe()
        definition, definition_tags = self._task_definition(service)
        (container,) = definition["containerDefinitions"]
        if container["image"] != state.image:
            container["image"] = state.image
            revision = self._register(definition, definition_tags)
            self._ecs.update_service(
                cluster=self._cluster, service=self._service, taskDefinition=revision
            )
        tags = _tags(service)
        if wanted := [
            {"key": key, "value": value}
            for key, value in state.tags.items()
            if tags.get(key) != value
        ]:
            self._ecs.tag_resource(resourceArn=service["serviceArn"], tags=wanted)
        if unwanted := sorted(tags.keys() - state.tags.keys()):
            self._ecs.untag_resource(resourceArn=service["serviceArn"], tagKeys=unwanted)

    def _describe(self) -> dict[str, Any]:
        answer = self._ecs.describe_services(
            cluster=self._cluster, services=[self._service], include=["TAGS"]
        )
        # A deleted service can still be read for a while.
        service = next(
            (found for found in answer["services"] if found["status"] != "INACTIVE"), None
        )
        if service is None:
            target = " TARGET=local" if os.environ.get("TARGET") == "local" else ""
            raise CannotRun(
                f"cluster {self._cluster} has no service {self._service}: "
                f"make deploy-ecs-cluster deploy-ecs-service{target}"
            )
        return service

    def _task_definition(
        self, service: dict[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, str]]]:
        """The revision that the service runs, and its tags, by which `make clean` knows it."""
        answer = self._ecs.describe_task_definition(
            taskDefinition=service["taskDefinition"], include=["TAGS"]
        )
        return answer["taskDefinition"], answer.get("tags", [])

    def _register(self, definition: dict[str, Any], tags: list[dict[str, str]]) -> str:
        members = self._ecs.meta.service_model.shape_for("RegisterTaskDefinitionRequest").members
        revision = {name: value for name, value in definition.items() if name in members} | (
            {"tags": tags} if tags else {}
        )
        return self._ecs.register_task_definition(**revision)["taskDefinition"]["taskDefinitionArn"]


def _tags(service: dict[str, Any]) -> dict[str, str]:
    return {
        tag["key"]: tag["value"]
        for tag in service.get("tags", [])
        if not tag["key"].startswith("aws:")
    }
