"""The teardown of the fleet's door: its mapping, its alarm, and the policy of those who send."""

import pytest

from fakes.laid_out import ACCOUNT, OURS
from teardown import kinds, workload

MAPPINGS = f"arn:aws:lambda:eu-west-1:{ACCOUNT}:event-source-mapping"
ONE, OTHER = (f"a0000000-0000-0000-0000-00000000000{number}" for number in "12")
SENDERS = f"arn:aws:iam::{ACCOUNT}:policy/f-fleet-sender-eu-west-1"


def mappings_are(account, number: str, tags: dict[str, str], **more: str) -> None:
    """Lays out a page with one mapping of the function ``f``, and the mapping's tags."""
    found = [{"UUID": number, "EventSourceMappingArn": f"{MAPPINGS}:{number}"}]
    account.answers("lambda", "list_event_source_mappings", {"EventSourceMappings": found, **more})
    account.answers("lambda", "list_tags", {"Tags": tags}, Resource=f"{MAPPINGS}:{number}")


def test_a_mapping_that_is_still_being_made_is_deleted_then_and_waited_for(account, project, clock):
    mappings_are(account, ONE, {"ecs-updater": "mine"})
    account.refuses("lambda", "delete_event_source_mapping", "ResourceInUseException")
    account.answers("lambda", "delete_event_source_mapping", {}, UUID=ONE)
    account.answers("lambda", "get_event_source_mapping", {"State": "Deleting"}, UUID=ONE)
    account.refuses("lambda", "get_event_source_mapping", "ResourceNotFoundException")

    kinds.remove(project, "mapping", "f")

    assert clock.now == pytest.approx(0.1 + 0.1) and not project.something_is_left


def test_a_mapping_that_does_not_go_is_named(account, project, clock, capsys):
    mappings_are(account, ONE, {"ecs-updater": "mine"})
    account.answers("lambda", "delete_event_source_mapping", {}, UUID=ONE)
    for _ in range(100):
        account.answers("lambda", "get_event_source_mapping", {"State": "Deleting"}, UUID=ONE)

    kinds.remove(project, "mapping", "f")

    said = (
        f"mapping {ONE} of function f could not be removed, make clean tries again: it is still "
        "being deleted after 120 seconds"
    )
    assert said in capsys.readouterr().err and clock.now > kinds.MAPPING_SECONDS
    account.forget("lambda")


def test_a_mapping_whose_stack_stays_and_one_of_others_stay(account, project):
    project.spare(ONE)
    one, other = (
        {"UUID": number, "EventSourceMappingArn": f"{MAPPINGS}:{number}"} for number in (ONE, OTHER)
    )
    account.answers(
        "lambda", "list_event_source_mappings", {"EventSourceMappings": [one], "NextMarker": "more"}
    )
    account.answers("lambda", "list_event_source_mappings", {"EventSourceMappings": [other]})
    account.answers("lambda", "list_tags", {"Tags": {}}, Resource=f"{MAPPINGS}:{OTHER}")

    kinds.remove(project, "mapping", "f")

    assert project.something_is_left


def test_an_alarm_that_is_not_there_is_passed_over(account, project):
    account.answers(
        "cloudwatch",
        "describe_alarms",
        {"MetricAlarms": []},
        AlarmNames=["a"],
        AlarmTypes=["MetricAlarm"],
    )

    kinds.remove(project, "alarm", "a")

    assert not project.something_is_left


def test_a_policy_is_taken_from_its_holders_page_by_page_and_goes_with_its_versions(
    account, project
):
    policy = {"PolicyName": SENDERS.rpartition("/")[2], "Arn": SENDERS, "Tags": OURS}
    account.answers("iam", "get_policy", {"Policy": policy}, PolicyArn=SENDERS)
    users = {"PolicyUsers": [{"UserName": "someone"}], "PolicyGroups": [{"GroupName": "some"}]}
    account.answers(
        "iam",
        "list_entities_for_policy",
        users | {"IsTruncated": True, "Marker": "more"},
        PolicyArn=SENDERS,
    )
    account.answers("iam", "detach_user_policy", {}, PolicyArn=SENDERS, UserName="someone")
    account.refuses("iam", "detach_group_policy", "NoSuchEntity")  # Somebody was quicker.
    account.answers(
        "iam",
        "list_entities_for_policy",
        {"PolicyRoles": [{"RoleName": "pipeline"}], "IsTruncated": False},
    )
    account.answers("iam", "detach_role_policy", {}, PolicyArn=SENDERS, RoleName="pipeline")
    versions = [
        {"VersionId": "v2", "IsDefaultVersion": True},
        {"VersionId": "v1", "IsDefaultVersion": False},
    ]
    account.answers(
        "iam",
        "list_policy_versions",
        {"Versions": versions, "IsTruncated": False},
        PolicyArn=SENDERS,
    )
    account.answers("iam", "delete_policy_version", {}, PolicyArn=SENDERS, VersionId="v1")
    # IAM hears of a change within seconds.
    account.refuses("iam", "delete_policy", "DeleteConflict")
    account.answers("iam", "delete_policy", {}, PolicyArn=SENDERS)

    kinds.remove(project, "policy", "f-fleet-sender-eu-west-1")

    assert not project.something_is_left


@pytest.mark.parametrize(
    ("tags", "is_taken"), [(OURS, True), ([], False)], ids=["ours", "of others"]
)
def test_a_policy_is_taken_from_its_holders_before_terraform_destroys_it_where_it_is_ours(
    account, project, tags, is_taken
):
    account.refuses(
        "cloudformation",
        "describe_stacks",
        "ValidationError",
        "Stack with id mine-fleet does not exist",
    )
    account.answers(
        "iam", "get_policy", {"Policy": {"Arn": SENDERS, "Tags": tags}}, PolicyArn=SENDERS
    )
    if is_taken:
        holders = {"PolicyRoles": [{"RoleName": "pipeline"}], "IsTruncated": False}
        account.answers("iam", "list_entities_for_policy", holders, PolicyArn=SENDERS)
        account.answers("iam", "detach_role_policy", {}, PolicyArn=SENDERS, RoleName="pipeline")

    workload.detach_senders(project, "mine-fleet", "f")

    assert not project.something_is_left


def test_where_there_is_no_policy_it_is_taken_from_nobody(account, project):
    account.refuses(
        "cloudformation",
        "describe_stacks",
        "ValidationError",
        "Stack with id mine-fleet does not exist",
    )
    account.refuses("iam", "get_policy", "NoSuchEntity")

    workload.detach_senders(project, "mine-fleet", "f")

    assert not project.something_is_left
