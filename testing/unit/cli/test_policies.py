"""`ecs-updater policies`: the newest image that each policy takes, and whether it is deployed."""

import json
from datetime import UTC, datetime

import boto3
import pytest
from botocore.stub import Stubber

from ecs_updater.aws.ecr import Ecr, EcrRepository
from ecs_updater.errors import AwsFailure, LedgerError, Outcome
from ecs_updater.push.policy import LastPush
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.commands import policies
from fakes.wire import ACCOUNT, REGION
from support.push_run import WEB, PushedFleet, digest_of

NEVER = 1_700_000_000
LATER = 1_900_000_000
IMAGES = (("1.4.1", NEVER), ("1.4.3", LATER), ("1.4.2", LATER), ("2.0.0", NEVER), ("main", LATER))


class Images:
    """Stands in for ``aws.ecr.Ecr``."""

    def __init__(self, images=IMAGES):
        self.images, self.calls = images, 0

    def tags(self, repository):
        """The images of a repository."""
        self.calls += 1
        if isinstance(self.images, Exception):
            raise self.images
        assert repository == EcrRepository(ACCOUNT, REGION, "shop/web")
        return [(tag, digest_of(tag), at) for tag, at in self.images]


def read(fleet, images=None, last=None):
    """What the command prints, by the name of the service."""
    found = policies.read_policies(
        fleet.tagging, fleet.ecs.reader(), images or Images(), lambda service: last
    )
    assert found == sorted(found, key=lambda row: row["serviceArn"])
    return {row["serviceArn"].rpartition("/")[2]: row for row in found}


@pytest.mark.parametrize(
    ("policy", "image", "newest", "reason"),
    [
        ("semver:1.4.x", f"{WEB}:1.4.1", "1.4.3", None),
        ("semver:1.4.x", f"{WEB}:1.4.4", "1.4.3", "a newer version runs"),
        ("semver:1.4.x", f"{WEB}@{digest_of('1.4.3')}", "1.4.3", "this digest runs already"),
        ("digest:main", f"{WEB}:main", "main", None),
        ("digest:1.4.1", f"{WEB}:1.4.1", "1.4.1", "this digest runs already"),
        ("semver:3.x", f"{WEB}:1.4.1", None, "the repository has no such tag"),
        ("semver:1.4.x", "busybox:1.4.1", None, "not listed: no container runs an image of Ama"),
    ],
)
def test_a_service_has_its_newest_tag_and_what_would_be_deployed(policy, image, newest, reason):
    (row,) = read(PushedFleet(1, policy, image=image)).values()
    assert (row["policy"], row["newest"], row["failed"]) == (policy, newest, False)
    assert row["deploys"] is (reason is None)
    assert row["reason"] == reason or row["reason"].startswith(reason)


def test_a_version_that_has_failed_is_not_deployed_again():
    fleet = PushedFleet(1)
    fleet.push("1.4.3")
    accepted = fleet.accepted.last(fleet.ecs.service_of("web-001").arn)
    (row,) = read(fleet, last=LastPush(accepted.push)).values()
    assert row["reason"] == "this digest was the last one that was deployed"


def test_a_repository_is_listed_once_and_services_without_policy_are_left_out():
    fleet, images = PushedFleet(25), Images()
    fleet.set_policy("web-001", None)
    assert len(read(fleet, images)) == 24 and images.calls >= 1
    assert fleet.ecs.buckets.calls["DescribeServices"] == 3


def test_what_is_wrong_with_one_service_stands_beside_the_others():
    fleet = PushedFleet(3)
    fleet.set_policy("web-001", "semver:^1")
    fleet.set_policy("web-002", "semver:1.4.x", "nothing")
    rows = read(fleet)
    assert [row["failed"] for row in rows.values()] == [True, True, False]
    assert rows["web-001"]["reason"].startswith("ECS does not allow '^' in a tag")
    assert rows["web-002"]["reason"].startswith("container nothing of the tag")


def test_a_repository_that_cannot_be_read_is_named():
    denied = AwsFailure("DescribeImages", Outcome.NOT_PERMITTED, "AccessDeniedException", "no")
    (row,) = read(PushedFleet(1), Images(denied)).values()
    assert row["reason"] == "DescribeImages is not permitted: no" and row["failed"]


@pytest.fixture(name="command")
def _command(run, monkeypatch):
    """Runs the command over a fleet."""

    def command(fleet, *words):
        monkeypatch.setattr(Account, "ledger", None)
        monkeypatch.setattr(policies, "Tagging", lambda: fleet.tagging)
        monkeypatch.setattr(policies, "EcsReader", fleet.ecs.reader)
        monkeypatch.setattr(policies, "Ecr", lambda http: Images())
        return run("policies", "--region", REGION, *words)

    return command


def test_a_table_for_people_and_an_object_for_each_service_for_programs(command):
    fleet = PushedFleet(2)
    fleet.set_policy("web-002", "digest:1.4.1")
    code, out, err = command(fleet)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()] == [
        "SERVICE",
        "ECSCluster/web-001",
        "ECSCluster/web-002",
    ]
    assert "1.4.3   deploy" in out and "this digest runs already" in out
    code, out, err = command(fleet, "--json")
    rows = [json.loads(line) for line in out.splitlines()]
    assert [(row["newest"], row["deploys"]) for row in rows] == [("1.4.3", True), ("1.4.1", False)]


def test_an_invalid_policy_is_exit_code_one_and_no_policy_a_note(command):
    fleet = PushedFleet(1, "latest")
    assert command(fleet)[0] == 1
    fleet.set_policy("web-001", None)
    assert command(fleet) == (0, "", "no service in eu-west-1 has the tag ecs-updater:policy\n")


def test_a_ledger_that_cannot_be_read_is_one_note(printer, monkeypatch):
    fleet = PushedFleet(2)
    fleet.table.get = lambda *_: (_ for _ in ()).throw(LedgerError("denied"))
    account = Account("ecs-updater", REGION, None)
    monkeypatch.setattr(Account, "ledger", Ledger(fleet.table, f"arn:aws:ecs:{REGION}:{ACCOUNT}:"))
    last = policies._last_of(account, printer)  # pylint: disable=protected-access
    assert last("a") is last("b") is None
    assert printer.err() == "failed versions are not known: denied\n"


def test_all_tags_of_a_repository_are_listed():
    client = boto3.client("ecr", region_name=REGION)
    moment = datetime.fromtimestamp(LATER, UTC)
    details = [{"imageTags": ["1", "main"], "imageDigest": digest_of("1"), "imagePushedAt": moment}]
    request = {
        "registryId": ACCOUNT,
        "repositoryName": "shop/web",
        "filter": {"tagStatus": "TAGGED"},
        "maxResults": 1000,
    }
    with Stubber(client) as stubber:
        stubber.add_response("describe_images", {"imageDetails": details}, request)
        found = Ecr(None, lambda region: client).tags(EcrRepository(ACCOUNT, REGION, "shop/web"))
    assert found == [("1", digest_of("1"), LATER), ("main", digest_of("1"), LATER)]
