"""``--until`` and ``wait_until`` in a file: each update that is sent has the stage of its wait."""

import pytest

from ecs_updater.aws.ecs import Ecs
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.commands import deploy as deploy_command
from fakes.simulated_ecs import SimulatedEcs

PREFIX = "arn:aws:ecs:eu-west-1:123456789012:"
EVENT = {"ecs_cluster_name": "shop", "ecs_image_name": "app:2", "ecs_tag": {}}
WEB, OWN = (
    EVENT | {"ecs_service_name": "web", "ecs_tag_mode": "merge"},
    EVENT | {"ecs_service_name": "own", "ecs_tag_mode": "merge", "wait_until": "SCALE_UP"},
)


@pytest.fixture(name="stages")
def _stages(monkeypatch, file, run):
    """Deploys up to the moment at which the events would be sent. Returns their ``wait_until``."""
    sent = []
    monkeypatch.setattr(Account, "ecs", Ecs(SimulatedEcs(services={"shop": {}}).client()))
    monkeypatch.setattr(Account, "needed_queue", "queue")
    monkeypatch.setattr(Account, "needed_ledger", Ledger(None, PREFIX))
    monkeypatch.setattr(deploy_command, "SqsBackend", lambda *_: None)
    monkeypatch.setattr(Ledger, "save_batch", lambda _, started: sent.extend(started.members))
    monkeypatch.setattr(deploy_command, "wait_for_batch", lambda *_: 0)

    def stages(*words):
        file(WEB, OWN)
        code, _, err = run("deploy", *words)
        assert code == 0, err
        return [member.event.get("wait_until") for member in sent]

    return stages


def test_a_file_names_the_stage_of_a_service(stages):
    assert stages() == [None, "SCALE_UP"]


def test_the_option_is_for_the_services_whose_event_names_no_stage(stages):
    assert stages("--until", "BAKE_TIME") == ["BAKE_TIME", "SCALE_UP"]


def test_an_unknown_stage_is_refused_with_the_allowed_ones(run, file):
    file(WEB)
    code, out, err = run("deploy", "--until", "BAKETIME")
    assert (code, out) == (2, "") and "BAKETIME" in err and "BAKE_TIME" in err
