"""What cannot succeed: said by the command before anything is sent, and by the ledger where a
program sent it all the same.
"""

import json

import pytest

from e2e.fleet_suite.command import batch_command

REFUSED = [
    "MISSING_JSON_FIELD",
    "WRONG_JSON_FORMAT",
    "MISSING_ECS_CLUSTER",
    "MISSING_ECS_SERVICE",
    "WRONG_IMAGE_NAME",
]


@pytest.fixture(scope="module", name="sent")
def _sent(events, services, send, at_first) -> dict[str, str]:
    """Those events, all sent at once; their request_ids."""
    services[0].restore(at_first)
    return {name: send(events[name].event) for name in REFUSED}


@pytest.mark.parametrize("name", REFUSED)
def test_the_ledger_has_the_error_of_a_direct_call(name, sent, events, ended, services):
    expected = events[name].expected
    entry = ended(sent[name])
    assert (entry["error_type"], entry["cause"]) == (expected.error_type, expected.error_message)
    assert not entry.get("may_be_repeated")
    assert services[0].read() == events[name].ends_with


def test_a_file_with_an_error_is_refused_with_its_place_and_nothing_is_sent(
    events, services, at_first, tmp_path
):
    services[0].restore(at_first)
    path = tmp_path / "deployments.json"
    path.write_text(
        json.dumps([events["base"].event, events["MISSING_JSON_FIELD"].event], indent=1), "utf-8"
    )

    ran = batch_command("deploy", "--file", str(path))

    assert ran.status == 2 and not ran.output
    assert f"{path.name}:" in ran.errors and "ecs_image_name" in ran.errors
    assert services[0].read() == at_first
