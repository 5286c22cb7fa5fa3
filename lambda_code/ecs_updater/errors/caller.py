"""Errors whose cause is the event, or the service that it names: the same event fails again."""

from collections.abc import Sequence

from .base import MESSAGE_LIMIT, CallerFault, one_line


class InvalidEventError(CallerFault):
    """The event does not fit the schema, or a value in it has characters that ECS does not take."""

    stage = "json_validation"
    violation = ""
    violations: tuple[str, ...] = ()
    """All of them. Both are empty only on an error that an earlier version wrote to the ledger."""

    def __init__(self, violation: str, violations: Sequence[str] = ()):
        self.violation = one_line(violation)
        self.violations = tuple(violations) or (self.violation,)
        super().__init__(f"wrong input event format: {self.violation}")


class NotAllowedError(CallerFault):
    """The function's configuration does not allow this image, or this service: ALLOWED_IMAGES,
    ALLOWED_SERVICES.
    """

    stage = "json_validation"

    def __init__(self, reason: str, field: str = ""):
        """``field``: the field of the event, such as ``ecs_container_images.sidecar``."""
        self.reason, self.field = one_line(reason, MESSAGE_LIMIT), field
        super().__init__(self.reason)


class ServiceReadRefusedError(CallerFault):
    """ECS refused to read the service as it is named."""

    stage = "ecs_service_read"
    prefix = "reading ecs service unexpected error: "


class ClusterNotFoundError(CallerFault):
    """ECS has no such cluster in this account and region."""

    stage = "ecs_service_read"

    def __init__(self, cluster: str):
        super().__init__(f"ecs_cluster_name {cluster} not found")


class ServiceNotFoundError(CallerFault):
    """The cluster has no such service."""

    stage = "ecs_service_read"

    def __init__(self, service: str):
        super().__init__(f"ecs_service_name {service} not found")


class ServiceNotActiveError(CallerFault):
    """The service was deleted (INACTIVE) or is being deleted (DRAINING)."""

    stage = "ecs_service_read"


class DeploymentControllerError(CallerFault):
    """The service's deployments belong to another controller than ECS, or to ECS Express Mode:
    UpdateService cannot serve these.
    """

    stage = "ecs_service_read"


class TaskDefinitionFamilyError(CallerFault):
    """The service runs another task-definition family than the function is configured for."""

    stage = "ecs_service_read"


class ContainerNotFoundError(CallerFault):
    """The running task definition has no container of that name."""

    stage = "ecs_service_read"


class AmbiguousContainerError(CallerFault):
    """The event names no container and the running task definition does not show which one is
    meant.
    """

    stage = "ecs_service_read"


class RollbackTargetError(CallerFault):
    """No earlier revision of the service is known to have worked, so there is nothing to return
    to.
    """

    stage = "ecs_service_read"


class InvalidImageError(CallerFault):
    """The image reference cannot be right, whatever the registry holds."""

    stage = "ecs_service_update"
    reason = ""

    def __init__(self, reason: str):
        self.reason = one_line(reason)
        super().__init__(f"new task_definition could not be created {self.reason}")


class TaskDefinitionRefusedError(CallerFault):
    """RegisterTaskDefinition refused the new revision."""

    stage = "ecs_service_update"


class ImageNotFoundError(CallerFault):
    """The registry has no image by that tag or digest, or no repository by that name."""

    stage = "ecs_service_update"
    prefix = "new task_definition could not be created "


class ImageArchitectureError(CallerFault):
    """The image is there, but not for the processor architecture of the task."""

    stage = "ecs_service_update"
    prefix = "new task_definition could not be created "


class ServiceUpdateRefusedError(CallerFault):
    """UpdateService refused the new revision."""

    stage = "ecs_service_update"


class ServiceTagsRefusedError(CallerFault):
    """The service cannot have these tags."""

    stage = "ecs_service_update"


class RolloutFailedError(CallerFault):
    """The deployment of this update failed, and the service does not run what it ran before, or not
    yet.
    """

    stage = "ecs_service_rollout"
    prefix = "FAILED: "


class RolloutRolledBackError(CallerFault):
    """The deployment of this update failed, and the service runs what it ran before."""

    stage = "ecs_service_rollout"
    prefix = "ROLLED_BACK: "


class RolloutStoppedError(CallerFault):
    """Somebody stopped the deployment of this update, or deleted the service."""

    stage = "ecs_service_rollout"
    prefix = "STOPPED: "


class RolloutSupersededError(CallerFault):
    """Another deployment took the place of this update's before it was done."""

    stage = "ecs_service_rollout"
    prefix = "SUPERSEDED: "
