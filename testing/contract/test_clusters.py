"""Ledger, function, API and fleet are deployed one by one: what the reconciler does not serve
refuses its events.
"""

from typing import Any

import pytest

from ecs_updater.aws.ecs import _CONFIG, Ecs
from ecs_updater.deployments.deploy import deploy
from ecs_updater.errors import ConfigurationError
from fakes.simulated_ecs import SimulatedEcs
from support.cloudformation import TEMPLATES, Stack

LEDGER, LAMBDA, API, FLEET, CODEPIPELINE = (
    TEMPLATES[f"{name}.yml"]
    for name in ("02-ledger", "03-lambda", "04-api", "05-fleet", "08-codepipeline")
)
FUNCTIONS = {
    "function": (LAMBDA, "Function"),
    "API": (API, "UpdateFunction"),
    "fleet": (FLEET, "FleetFunction"),
    "CodePipeline": (CODEPIPELINE, "CodepipelineFunction"),
}
EVENT = {
    "ecs_cluster_name": "ECSCluster",
    "ecs_service_name": "ecs-dummy-service",
    "ecs_image_name": "busybox:2",
    "ecs_tag": {},
}
COVERED = [
    ("team-a", "team-a"),
    ("team-a", "team-*"),
    ("team-a", "*"),
    ("team-*", "team-*"),
    ("team-a-*", "team-*"),
    ("*", "*"),
    ("team-a", None),  # The deployment does not say the cluster of its ledger.
]
NOT_COVERED = [
    *(
        ("team-a", "team-b"),
        ("team-*", "team-a"),
        ("*", "team-*"),
        ("team-*", "team-a-*"),
        ("team-a", "Team-a"),
    ),
    *(("team-ab", "team-a"), ("team-a", "team-ab")),
]

every_function = pytest.mark.parametrize("name", FUNCTIONS)


def variables(name: str, own: str, ledger: str | None) -> dict[str, str]:
    """Returns a function's environment, deployed for the cluster ``own`` beside a ledger for the
    cluster ``ledger``.
    """
    template, function = FUNCTIONS[name]
    given: dict[str, Any] = {"ClusterName": own}
    if name != "function":  # They have its role.
        given["UpdaterClusterName"] = Stack(LAMBDA, {"ClusterName": own}).outputs[
            "FunctionClusterName"
        ]["Value"]
    if ledger is not None:
        given["LedgerClusterName"] = Stack(LEDGER, {"ClusterName": ledger}).outputs[
            "LedgerClusterName"
        ]["Value"]
    made: dict[str, str] = Stack(template, given).resources[function]["Properties"]["Environment"][
        "Variables"
    ]
    return made | {"LEDGER_TABLE": ""}  # Not read here.


@every_function
@pytest.mark.parametrize(("own", "ledger"), NOT_COVERED)
def test_an_event_is_refused_when_the_reconciler_would_not_complete_its_update(name, own, ledger):
    fake = SimulatedEcs()
    with pytest.raises(ConfigurationError) as refused:
        deploy(EVENT, variables(name, own, ledger), Ecs(fake.client(_CONFIG)))
    assert repr(own) in str(refused.value) and repr(ledger) in str(refused.value)
    assert "deploy ledger, function, API and fleet with the same ClusterName" in str(refused.value)
    assert not fake.requests


@every_function
@pytest.mark.parametrize(("own", "ledger"), COVERED)
def test_an_event_is_taken_when_the_reconciler_completes_updates_of_every_cluster_of_the_function(
    name, own, ledger
):
    assert (
        deploy(EVENT, variables(name, own, ledger), Ecs(SimulatedEcs().client(_CONFIG)))[
            "statusCode"
        ]
        == 200
    )
