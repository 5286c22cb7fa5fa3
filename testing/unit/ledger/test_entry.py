"""An entry of the ledger and the keys: forward only, the same after a trip through the table, and
never too large for it.
"""

import json
from dataclasses import replace

import pytest

from ecs_updater.errors import LedgerError
from ecs_updater.ledger.entry import (
    Entry,
    Side,
    State,
    Success,
    TaskRun,
    from_item,
    to_item,
)
from ecs_updater.model.arn import group_id, service_key
from ecs_updater.model.request import fingerprint
from fakes.wire import CLUSTER_ARN, FAMILY_ARN, SERVICE_ARN

BEFORE = Side(f"{FAMILY_ARN}:1", {"app": "busybox:1.35"}, {"old": "tag", "empty": ""})
AFTER = Side(None, {"app": "busybox:1.36"}, {"new": "tag"})
ANSWER = {
    "statusCode": 200,
    "body": {"BEFORE": {"tags": []}, "AFTER": {"x": None}, "changes": [1.5], "changed": True},
}


@pytest.fixture(name="entry")
def _entry():
    return Entry(
        service=SERVICE_ARN,
        number=1_800_000_000_001,
        request_id="request-1",
        owner="holder-1",
        fence=1_800_000_000_001,
        cluster_arn=CLUSTER_ARN,
        service_arn=SERVICE_ARN,
        before=BEFORE,
        after=AFTER,
    )


STEPS = {
    State.REGISTERED: lambda entry: entry.registered("arn:2"),
    State.RUNNING_TASK: lambda entry: entry.running_task(TaskRun("app", 600)),
    State.TAGGED: lambda entry: entry.tagged(),
    State.DEPLOYED: lambda entry: entry.deployed("ecs-svc/1"),
    State.ROLLING_BACK: lambda entry: entry.rolling_back("why", "arn:1"),
    State.ENDED: lambda entry: entry.answered("SUCCEEDED", "it runs", ANSWER),
}


@pytest.mark.parametrize("to", STEPS)
@pytest.mark.parametrize("state", State)
def test_an_entry_goes_forward_or_stays_and_never_back(entry, state, to):
    order = list(State)
    entry = replace(entry, state=state)
    # Taken up, or planned, again.
    resumed = (State.REGISTERED, State.RUNNING_TASK, State.TAGGED)
    if state in (State.RUNNING_TASK, State.TAGGED, State.DEPLOYED) and to in resumed:
        assert STEPS[to](entry).state is max(state, to, key=order.index)
    elif state is not State.ENDED and order.index(state) <= order.index(to):
        assert STEPS[to](entry).state is to
    else:
        with pytest.raises(ValueError, match=f"an entry cannot go from {state} to {to}"):
            STEPS[to](entry)


# As an item


def filled(entry):
    """An entry in which every field has a value of its own."""
    return replace(
        entry.registered("arn:2")
        .rolling_back("why", "arn:1", "ecs-svc/2")
        .answered("FAILED", "why", ANSWER),
        action="rollback",
        caller="arn:aws:iam::1:user/somebody",
        batch="b",
        fingerprint="f",
        rollback_on_failure=True,
        rollback_to="arn:1",
        rollback_tags={"old": "tag"},
        replaces_tags=True,
        digests={"app": ["sha256:1"]},
        previous_deployment_id="ecs-svc/0",
        previous_service_deployment_arn="arn:0",
        service_deployment_arn="arn:1",
        deployment_id="ecs-svc/1",
        error_type="E",
        error_message="m",
        error_attributes={"violations": ["v"]},
        may_be_repeated=True,
        begun_at="2027-01-15T08:00:01.000Z",
        updated_at="2027-01-15T08:00:02.000Z",
        ended_at="2027-01-15T08:00:03.000Z",
    )


@pytest.mark.parametrize("make", [lambda entry: entry, filled], ids=["begun", "with everything"])
def test_an_item_becomes_the_same_entry_again(entry, make):
    assert from_item(to_item(make(entry))) == make(entry)


def test_what_a_later_version_adds_to_an_item_is_left_out(entry):
    item = to_item(entry) | {"new": 1}
    item["before"] = {**item["before"], "new": 1}
    assert from_item(item) == entry


def largest(character):
    """Fifty tags of the largest size that tags have, in this character."""
    return {f"{index:02}{character * 126}": character * 256 for index in range(50)}


@pytest.mark.parametrize("notes", [[], ["n" * 2000] * 100], ids=["few notes", "many notes"])
@pytest.mark.parametrize("character", ["a", "é", "漢", "𠀀"])
def test_the_largest_entry_that_there_can_be_fits_and_its_answer_comes_back_whole(
    entry, character, notes
):
    before, after = (
        largest(character),
        {key[:-1]: value[:-1] for key, value in largest(character).items()},
    )
    old, new = ({f"c{index}": f"{index:0255}{mark}" for index in range(20)} for mark in "ab")
    changes = [{"what": f"image.{name}", "from": old[name], "to": new[name]} for name in old]
    changes += [
        {"what": f"tag.{key}", "from": before.get(key), "to": after.get(key)}
        for key in sorted({*before, *after})
    ]
    changes += [{"what": "deployment", "from": None, "to": "forced"}]
    state = {
        "clusterArn": CLUSTER_ARN,
        "serviceArn": SERVICE_ARN,
        "taskDefinitionName": "c0",
        "taskDefinitionFamily": "ecs-dummy-task",
        "serviceImage": old["c0"],
        "serviceMemory": 64,
        "tags": [
            {"key": key, "value": value}
            for key, value in sorted({**before, "aws:cdk": "reserved"}.items())
        ],
        "updatedOn": "2027-01-15T08:00:00.000Z",
    }
    body = {
        "BEFORE": state,
        "AFTER": {
            **state,
            "serviceImage": new["c0"],
            "tags": [{"key": key, "value": after[key]} for key in sorted(after)],
        },
        "changed": True,
        "changes": changes,
        "taskDefinitionArn": {"before": f"{FAMILY_ARN}:1", "after": f"{FAMILY_ARN}:2"},
        "deployment": {
            "id": "ecs-svc/1",
            "verdict": "SUCCEEDED",
            "reason": "r" * 2000,
            "notes": notes,
        },
    }
    entry = replace(
        entry,
        before=Side(f"{FAMILY_ARN}:1", old, before),
        after=Side(f"{FAMILY_ARN}:2", new, after),
        rollback_tags=largest(character),
        request_id="𠀀" * 128,
    )
    item = to_item(entry.answered("SUCCEEDED", "𠀀" * 2000, {"statusCode": 200, "body": body}))
    assert len(json.dumps(item, ensure_ascii=False).encode()) < 400_000
    again = from_item(item).answer
    assert again["body"].keys() == body.keys()
    assert again["body"]["deployment"].items() >= {"id": "ecs-svc/1", "reason": "r" * 2000}.items()
    for name in ("BEFORE", "AFTER"):
        assert (
            again["body"][name].keys() == body[name].keys()
            and again["body"][name]["serviceImage"] == body[name]["serviceImage"]
        )
    if not (notes and character in "漢𠀀"):
        assert again["body"] == body


def test_an_answer_that_an_earlier_version_cut_comes_back_with_what_the_entry_knows(entry):
    entry = replace(entry, after=replace(AFTER, task_definition_arn=f"{FAMILY_ARN}:2"))
    body = {
        "changed": True,
        "deployment": {"id": "d"},
        "recorded": "too large for the ledger: BEFORE, AFTER, changes are left out",
    }
    cut = {"statusCode": 200, "body": body}
    body = from_item(to_item(entry) | {"answer": json.dumps(cut)}).answer["body"]
    assert (
        body["BEFORE"]["serviceImage"] == "busybox:1.35"
        and body["BEFORE"]["taskDefinitionFamily"] == "ecs-dummy-task"
    )
    assert body["AFTER"]["tags"] == [{"key": "new", "value": "tag"}] and "recorded" not in body
    assert [change["what"] for change in body["changes"]] == [
        "image.app",
        "tag.empty",
        "tag.new",
        "tag.old",
    ]


@pytest.mark.parametrize(
    "odd",
    [
        {"state": "PAUSED"},
        {"state": 7},
        {"state": None},
        {"before": 7},
        {"before": {"images": 7}},
        {"after": {"tags": {"a": 1}}},
        {"number": "one"},
        {"rollback": "yes"},
        {"rollback": {"deployment_id": "x"}},
        {"answer": "{"},
        {"digests": {"app": 1}},
        {"rollback_tags": ["a"]},
        {"cluster_arn": 7},
        {"deploys": "yes"},
        {"error_attributes": 7},
    ],
)
def test_an_item_that_is_not_an_entry_as_this_version_knows_them_is_one_error_that_names_it(
    entry, odd
):
    item = {**to_item(entry), "sk": "UPDATE#1", **odd}
    with pytest.raises(LedgerError, match=f"the entry {SERVICE_ARN} UPDATE#1 cannot be read"):
        from_item({name: value for name, value in item.items() if value is not None})


def test_only_what_succeeded_is_a_success(entry):
    entry = entry.registered("arn:2").deployed("ecs-svc/2")
    assert Success.of(entry) is None
    assert Success.of(entry.answered("NO_CHANGE", "", {})) is None
    assert Success.of(replace(entry, after=AFTER).answered("SUCCEEDED", "", {})) is None
    success = Success.of(replace(entry.answered("SUCCEEDED", "", {}), ended_at="then"))
    assert success == Success(
        SERVICE_ARN,
        entry.number,
        "request-1",
        "arn:2",
        AFTER.images,
        AFTER.tags,
        "ecs-svc/2",
        "then",
    )


# Keys

ACCOUNT = "arn:aws:ecs:eu-west-1:123456789012:"
CHINA = "arn:aws-cn:ecs:cn-north-1:1:"


@pytest.mark.parametrize(
    "service, cluster, key",
    [
        (f"{ACCOUNT}service/c/s", f"{ACCOUNT}cluster/c", f"{ACCOUNT}service/c/s"),
        (f"{ACCOUNT}service/s", f"{ACCOUNT}cluster/c", f"{ACCOUNT}service/c/s"),
        (f"{ACCOUNT}service/s", f"{ACCOUNT}cluster/other", f"{ACCOUNT}service/other/s"),
        (f"{ACCOUNT}service/c/s", "", f"{ACCOUNT}service/c/s"),
        (f"{CHINA}service/s", f"{CHINA}cluster/c", f"{CHINA}service/c/s"),
    ],
)
def test_a_service_has_one_key_for_each_form_of_its_arn(service, cluster, key):
    assert service_key(service, cluster) == key


@pytest.mark.parametrize(
    "service, cluster",
    [("s", "cluster/c"), ("service/s", "c"), ("service/s\n", "cluster/c"), ("", "")],
)
def test_other_texts_have_no_key(service, cluster):
    with pytest.raises(ValueError, match="are not the ARNs of a service and of its cluster"):
        service_key(ACCOUNT + service, ACCOUNT + cluster)


def test_a_queue_takes_the_longest_key_as_its_group():
    key = service_key(f"{ACCOUNT}service/{'c' * 255}/{'s' * 255}", f"{ACCOUNT}cluster/{'c' * 255}")
    assert len(key) > 128 >= len(group_id(key)) and group_id(key) != group_id(key[:-1])


def test_one_request_has_one_fingerprint_whatever_the_order_of_its_fields():
    assert fingerprint({"a": 1, "b": {"c": "é", "d": None}}) == fingerprint(
        {"b": {"d": None, "c": "é"}, "a": 1}
    )
    assert (
        len(
            {
                fingerprint(value)
                for value in ({"a": 1}, {"a": "1"}, {"a": 1, "b": None}, [], None, "\ud800")
            }
        )
        == 6
    )
