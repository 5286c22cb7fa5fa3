"""Settings of a service that change without a deployment: desired count, deployment configuration.

They have ECS's names, as in `{"desiredCount": 3, "minimumHealthyPercent": 50}`.
https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_UpdateService.html
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ..errors import DesiredCountError, InvalidEventError
from .service import Service, primary_deployment

SERVICE_FIELDS = ("ecs_desired_count", "ecs_deployment")

COUNT, BREAKER, ALARMS = "desiredCount", "deploymentCircuitBreaker", "alarms"
_MINIMUM, _MAXIMUM = "minimumHealthyPercent", "maximumPercent"
_BREAKER_OFF: Mapping[str, Any] = {"enable": False, "rollback": False}

_CONFIGURATION = "deploymentConfiguration"


@dataclass(frozen=True)
class SettingsChange:
    """The settings that an update names, before and after it."""

    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return dict(self.before) != dict(self.after)

    @cached_property
    def changed(self) -> dict[str, Any]:
        """Returns the new values of the settings that differ."""
        return {name: value for name, value in self.after.items() if value != self.before.get(name)}

    def is_in(self, service: Service) -> bool:
        """Returns whether a service has a value of this change. One call writes all of them."""
        current = _settings_of(service, self.changed)
        return any(current[name] == value for name, value in self.changed.items())

    def taken_back(self, service: Service) -> "SettingsChange":
        """Returns the change that restores the settings that still have this change's value."""
        current = _settings_of(service, self.changed)
        mine = {name: value for name, value in self.changed.items() if current[name] == value}
        return SettingsChange(mine, {name: self.before.get(name) for name in mine})

    def shown(self) -> Iterator[tuple[str, str | None, str | None]]:
        """Yields name and both values of each changed setting, as in a response."""
        for name in self.changed:
            what = name if name in (COUNT, BREAKER) else f"{_CONFIGURATION}.{name}"
            yield what, _text(self.before.get(name)), _text(self.after[name])


UNCHANGED = SettingsChange()


def wanted_settings(event: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the settings that an event names. Its circuit breaker can have one member only."""
    wanted: dict[str, Any] = {}
    if "ecs_desired_count" in event:
        wanted[COUNT] = int(event["ecs_desired_count"])
    deployment = event.get("ecs_deployment", {})
    wanted |= {name: int(deployment[name]) for name in (_MINIMUM, _MAXIMUM) if name in deployment}
    if breaker := deployment.get(BREAKER):
        wanted[BREAKER] = breaker
    return wanted


def settings_change(name: str, service: Service, wanted: Mapping[str, Any]) -> SettingsChange:
    """Returns the change from a service's settings to those of an event.

    `name`: the service's in the event. Raises DesiredCountError if the service has no desired
    count, and InvalidEventError for percentages with which no deployment could replace a task.
    """
    if COUNT in wanted and service.get("schedulingStrategy") == "DAEMON":
        raise DesiredCountError(
            f"ecs_service_name {name} has the scheduling strategy DAEMON and no desired count: "
            "leave ecs_desired_count out"
        )
    before = _settings_of(service, wanted)
    after = dict(wanted)
    if BREAKER in wanted:
        after[BREAKER] = {**before[BREAKER], **wanted[BREAKER]}
    percents = {**_settings_of(service, (_MINIMUM, _MAXIMUM)), **after}
    minimum, maximum = percents[_MINIMUM], percents[_MAXIMUM]
    is_named = not after.keys().isdisjoint((_MINIMUM, _MAXIMUM))
    if is_named and None not in (minimum, maximum) and minimum >= maximum:
        raise InvalidEventError(
            f"ecs_deployment: {_MINIMUM} {minimum} is not less than {_MAXIMUM} {maximum}: no "
            "deployment could replace a task"
        )
    return SettingsChange(before, after)


def configuration_with(
    configuration: Mapping[str, Any], settings: Mapping[str, Any]
) -> Mapping[str, Any] | None:
    """Returns the whole deployment configuration with `settings`. None: it does not change.

    UpdateService replaces the field, so its other members are sent back as they are. A setting
    without a value is left out.
    """
    if settings.keys() <= {COUNT}:
        return None
    members = {name: value for name, value in settings.items() if name != COUNT}
    changed = {**configuration, **members}
    return {name: value for name, value in changed.items() if value is not None}


def has_all_tasks(service: Service) -> bool:
    """Returns whether the PRIMARY deployment runs as many tasks as the service's desired count."""
    primary = primary_deployment(service)
    running, pending = primary.get("runningCount", 0), primary.get("pendingCount", 0)
    return bool(running == service.get(COUNT, 0) and not pending)


def _settings_of(service: Service, names: Any) -> dict[str, Any]:
    """Returns the settings `names` of a service in the form of DescribeServices."""
    configuration = service.get(_CONFIGURATION) or {}
    found = {COUNT: service.get(COUNT), **configuration}
    found[BREAKER] = {**_BREAKER_OFF, **(configuration.get(BREAKER) or {})}
    return {name: found.get(name) for name in names}


def _text(value: Any) -> str | None:
    if isinstance(value, Mapping):
        rolls_back, is_on = value.get("rollback"), value.get("enable")
        rollback = ", with rollback" if rolls_back else ", without rollback" if is_on else ""
        return f"{'on' if is_on else 'off'}{rollback}"
    return None if value is None else str(value)
