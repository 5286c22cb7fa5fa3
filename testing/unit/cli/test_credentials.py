"""Credentials that are missing, wrong or expired, and AWS that cannot be reached: exit code 3 at
once, and one clear sentence.
"""

import configparser
import json
import signal

import pytest

from ecs_updater_cli.backends.account import Account
from ecs_updater_cli.batch import watcher
from fakes.fake_ecs import UNREACHABLE
from fakes.simulated_ecs import Image
from support.rollout_world import EVENT, World

ROLE = {"role_arn": "arn:aws:iam::123456789012:role/x", "source_profile": "nobody"}
NONE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LOG_IN = "log in (aws configure, aws sso login), or name a profile with --profile\n"

COMMANDS = {
    "deploy": ("deploy",),
    "deploy --dry-run": ("deploy", "--dry-run"),
    "deploy --dry-run --no-ledger": ("deploy", "--direct", "--no-ledger", "--dry-run"),
    "deploy --direct": ("deploy", "--direct"),
    "deploy --direct --no-ledger": ("deploy", "--direct", "--no-ledger"),
    "update": ("update", "ECSCluster", "ecs-dummy-service", "app:2"),
    "update --direct": ("update", "ECSCluster", "ecs-dummy-service", "app:2", "--direct"),
    "update --direct --no-ledger": (
        "update",
        "ECSCluster",
        "ecs-dummy-service",
        "app:2",
        "--direct",
        "--no-ledger",
    ),
    "rollback": ("rollback", "ECSCluster", "ecs-dummy-service"),
    "rollback --direct": ("rollback", "ECSCluster", "ecs-dummy-service", "--direct"),
    "rollback --direct --no-ledger": (
        "rollback",
        "ECSCluster",
        "ecs-dummy-service",
        "--direct",
        "--no-ledger",
    ),
    "status": ("status",),
    "history": ("history",),
    "watch": ("watch", "20270115T080000Z-5eed"),
    "watch --direct": ("watch", "20270115T080000Z-5eed", "--direct"),
    "stop": ("stop", "20270115T080000Z-5eed"),
}
ALONE = [name for name in COMMANDS if name.endswith("--direct --no-ledger")]


@pytest.fixture(autouse=True)
def _shell(monkeypatch, tmp_path):
    """A shell in a directory with a file of deployments, and credentials that open nothing; nobody
    waits between two looks.
    """
    monkeypatch.chdir(tmp_path)
    events = [
        {**EVENT, "ecs_service_name": name, "ecs_tag_mode": "merge"}
        for name in ("ecs-dummy-service", "other")
    ]
    (tmp_path / "deployments.json").write_text(json.dumps(events), "utf-8")
    for name in ("AWS_PROFILE", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    given = {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "COLUMNS": "100",
    }
    none = {
        "AWS_CONFIG_FILE": "config",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    for name, value in {**given, **none}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.01)
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda seconds: None)
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def profile(**settings: str) -> str:
    """Makes a profile; its name."""
    config = configparser.ConfigParser(interpolation=None)
    config["profile p"] = settings
    with open("config", "w", encoding="utf-8") as file:
        config.write(file)
    return "p"


def said_once(err: str, sentence: str) -> bool:
    """Whether standard error has this sentence as one line, once."""
    return sum(line.startswith(sentence) for line in err.splitlines()) == 1


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
@pytest.mark.parametrize(
    "missing, sentence",
    [
        (NONE, "there are no credentials: log in (aws"),
        (NONE[1:], "the credentials are not complete (Partial credentials found in env, missing"),
    ],
    ids=["none", "half"],
)
def test_without_credentials_every_command_ends_at_once_with_3(
    run, monkeypatch, words, missing, sentence
):
    for name in missing:
        monkeypatch.delenv(name)
    code, _, err = run(*words)
    assert code == 3 and said_once(err, sentence) and "Traceback" not in err


PROFILES = {
    "a program for credentials that fails": (
        {"credential_process": "false"},
        "there are no credentials: Error when retrieving",
    ),
    "a login whose token is not there": (
        {
            "sso_start_url": "https://x",
            "sso_region": "eu-west-1",
            "sso_account_id": "1",
            "sso_role_name": "x",
        },
        "there are no credentials: Error loading SSO Token",
    ),
    "a role whose source there is not": (ROLE, "there are no credentials: "),
}


@pytest.mark.parametrize(
    "words", [COMMANDS[name] for name in ("deploy", "status", "deploy --direct", *ALONE)]
)
@pytest.mark.parametrize("settings, sentence", PROFILES.values(), ids=PROFILES)
def test_credentials_that_cannot_be_got_are_exit_code_3_at_once(
    run, monkeypatch, words, settings, sentence
):
    for name in NONE:
        monkeypatch.delenv(name)
    code, _, err = run(*words, "--profile", profile(**settings))
    assert code == 3 and said_once(err, sentence) and err.count(LOG_IN) == 1


@pytest.mark.parametrize("words", COMMANDS.values(), ids=COMMANDS)
def test_an_unknown_profile_no_region_and_no_connection_are_exit_code_3(run, monkeypatch, words):
    assert run(*words, "--profile", "nope")[0] == 3
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    code, _, err = run(*words)
    assert code == 3 and said_once(
        err, 'Could not connect to the endpoint URL: "http://127.0.0.1:9/": check the network'
    )
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert run(*words)[::2] == (
        3,
        "there is no region: name one with --region, or set AWS_DEFAULT_REGION\n",
    )


# On the simulated ECS, without a ledger.

EXPIRED = (400, "ExpiredTokenException", "The security token included in the request is expired")
REFUSALS = {
    "ExpiredTokenException": (EXPIRED, "the credentials have expired: log in"),
    "ExpiredToken": (
        (403, "ExpiredToken", "The provided token has expired."),
        "the credentials have expired: log in",
    ),
    **{
        f"{code} {status}": (
            (status, code, "The security token is invalid."),
            f"AWS rejected the credentials ({code})",
        )
        for status in (400, 403)
        for code in (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "IncompleteSignature",
            "MissingAuthenticationToken",
        )
    },
    "InvalidSignatureException": (
        (
            400,
            "InvalidSignatureException",
            "The request signature we calculated does not match. secret",
        ),
        "AWS rejected the credentials (InvalidSignatureException): log in",
    ),
    "a wrong clock": (
        (
            400,
            "InvalidSignatureException",
            "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z",
        ),
        (
            "AWS rejected the signature (Signature expired: 20260101T000000Z is now earlier "
            "than 20260101T001000Z): set this"
        ),
    ),
    "no connection": (
        UNREACHABLE,
        'Could not connect to the endpoint URL: "https://ecs": check the network',
    ),
}


@pytest.fixture(name="world")
def _world(monkeypatch):
    """The ECS that the commands reach."""
    world = World()
    world.ecs.publish("app:2", Image.good())
    world.ecs.clock.drive_sdk(monkeypatch)
    monkeypatch.setattr(Account, "ecs", world.boundary)
    return world


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("fault, sentence", REFUSALS.values(), ids=REFUSALS)
def test_what_aws_does_not_take_is_exit_code_3_at_once_and_nothing_is_retried(
    run, world, name, fault, sentence
):
    world.ecs.wire.fail("*", fault, times=99)
    code, out, err = run(*COMMANDS[name])
    assert code == 3 and said_once(err, sentence) and not out and "secret" not in err
    services = 2 if name.startswith("deploy") else 1
    assert len(world.ecs.operations) <= services * (4 if fault is UNREACHABLE else 1), (
        "the SDK's own repetitions are the only ones"
    )


def test_credentials_that_expire_while_rollouts_go_on_are_exit_code_3_with_what_is_under_way(
    run, world
):
    """The services that were not begun by then are not begun either."""
    answer = world.ecs.wire.before

    def expire(request):
        is_over = "UpdateService" in world.ecs.operations
        return (
            (EXPIRED, False)
            if is_over and request.operation in ("DescribeServices", "ListTasks")
            else answer(request)
        )

    world.ecs.wire.before = expire
    code, _, err = run(*COMMANDS["update --direct --no-ledger"])
    assert code == 3 and said_once(err, "the credentials have expired: log in")
    assert (
        "1 update under way (ECSCluster/ecs-dummy-service); without a ledger no process rolls "
        "them back" in err
    )


def test_credentials_that_expire_between_two_writes_are_exit_code_3_with_what_was_done(run, world):
    world.ecs.wire.fail("UpdateService", EXPIRED, times=99)
    code, out, err = run(*COMMANDS["update --direct --no-ledger"])
    assert code == 3 and said_once(err, "the credentials have expired: log in")
    assert (
        "ecs-dummy-task:2 was registered and is not used" in out
        and "the service is as it was" in out
    )
    assert world.ecs.operations.count("UpdateService") == 1


def test_what_is_not_permitted_is_the_services_own_failure_and_not_retried(run, world):
    world.ecs.wire.fail(
        "RegisterTaskDefinition", (400, "AccessDeniedException", "User is not authorized"), times=99
    )
    code, out, _ = run(*COMMANDS["update --direct --no-ledger"])
    assert (
        code == 1 and "FAILED" in out and world.ecs.operations.count("RegisterTaskDefinition") == 1
    )
