"""Settings of a service: an event changes what it names, and an equal one changes nothing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecs_updater.errors import DesiredCountError, InvalidEventError
from ecs_updater.model.service_settings import (
    configuration_with,
    settings_change,
    wanted_settings,
)
from support.strategies import REPEATABLE

BREAKERS = st.fixed_dictionaries({}, optional={"enable": st.booleans(), "rollback": st.booleans()})
DEPLOYMENTS = st.fixed_dictionaries(
    {},
    optional={
        "minimumHealthyPercent": st.integers(0, 99),
        "maximumPercent": st.integers(100, 200),
        "deploymentCircuitBreaker": BREAKERS,
    },
)
EVENTS = st.fixed_dictionaries(
    {}, optional={"ecs_desired_count": st.integers(0, 9), "ecs_deployment": DEPLOYMENTS}
)
SERVICES = st.builds(
    lambda count, configuration, newer: {
        "desiredCount": count,
        "deploymentConfiguration": configuration | newer,
    },
    st.integers(0, 9),
    DEPLOYMENTS,
    st.fixed_dictionaries({}, optional={"alarms": st.just({"enable": True}), "newer": st.none()}),
)


def written(service, change):
    """The service after UpdateService."""
    current = service["deploymentConfiguration"]
    configuration = configuration_with(current, change.changed)
    return {
        "desiredCount": change.changed.get("desiredCount", service["desiredCount"]),
        "deploymentConfiguration": current if configuration is None else configuration,
    }


@REPEATABLE
@given(event=EVENTS, service=SERVICES)
def test_only_what_is_named_changes_and_the_same_again_changes_nothing(event, service):
    change = settings_change("s", service, wanted_settings(event))
    after = written(service, change)
    named = event.get("ecs_deployment", {})
    assert after["desiredCount"] == event.get("ecs_desired_count", service["desiredCount"])
    for name, value in after["deploymentConfiguration"].items():
        if name == "deploymentCircuitBreaker" and change.changed.get(name):
            earlier = service["deploymentConfiguration"].get(name, {})
            off = {"enable": False, "rollback": False}
            assert value == off | earlier | named[name]
        elif name not in named:
            assert value == service["deploymentConfiguration"][name]
    again = settings_change("s", after, wanted_settings(event))
    assert not again and configuration_with(after["deploymentConfiguration"], again.changed) is None
    assert [what for what, _, _ in again.shown()] == []
    restored = written(after, change.taken_back(after))
    assert not settings_change("s", restored, {name: change.before[name] for name in change.before})


@pytest.mark.parametrize(
    "deployment, current",
    [
        ({"minimumHealthyPercent": 100, "maximumPercent": 100}, {}),
        ({"minimumHealthyPercent": 100}, {"maximumPercent": 100}),
        ({"maximumPercent": 100}, {"minimumHealthyPercent": 100}),
    ],
)
def test_percentages_with_which_no_deployment_could_go_on_are_refused(deployment, current):
    with pytest.raises(InvalidEventError, match="minimumHealthyPercent 100 is not less than max"):
        wanted = wanted_settings({"ecs_deployment": deployment})
        settings_change("s", {"deploymentConfiguration": current}, wanted)


def test_a_daemon_can_have_another_configuration_but_no_count():
    service = {"schedulingStrategy": "DAEMON", "deploymentConfiguration": {"maximumPercent": 100}}
    assert settings_change("s", service, {"minimumHealthyPercent": 50})
    with pytest.raises(DesiredCountError, match="ecs_service_name s has the scheduling strategy"):
        settings_change("s", service, {"desiredCount": 1})
