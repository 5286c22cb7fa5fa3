"""Credentials that are missing, wrong or expired, and AWS that cannot be reached: exit code 3 at
once, and one clear sentence.
"""

import pytest

from ecs_updater_cli.backends.account import Account
from ecs_updater_cli.batch import watcher
from fakes.scripted_batch import BATCH
from fakes.simulated_ecs import Image
from fakes.wire import UNREACHABLE
from support.rollout_world import EVENT, World

ROLE = {"role_arn": "arn:aws:iam::123456789012:role/x", "source_profile": "nobody"}
NONE = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
LOG_IN = "log in (aws configure, aws sso login), or name a profile with --profile\n"

UPDATE = "update ECSCluster ecs-dummy-service app:2"
ROLLBACK = "rollback ECSCluster ecs-dummy-service"
WITHOUT_LEDGER = [f"{name} --direct --no-ledger" for name in ("deploy", UPDATE, ROLLBACK)]
COMMANDS = [
    *(f"{name}{direct}" for name in ("deploy", UPDATE, ROLLBACK) for direct in ("", " --direct")),
    *WITHOUT_LEDGER,
    *("deploy --dry-run", "deploy --direct --no-ledger --dry-run", "status", "history"),
    *(f"watch {BATCH}", f"watch {BATCH} --direct", f"stop {BATCH}"),
]


@pytest.fixture(autouse=True)
def _quick(monkeypatch, file):
    """A file of deployments, and polls without a pause."""
    names = ("ecs-dummy-service", "other")
    file(*({**EVENT, "ecs_service_name": name, "ecs_tag_mode": "merge"} for name in names))
    monkeypatch.setattr(watcher, "POLL_SECONDS", 0.01)


@pytest.fixture(name="fail")
def _fail(run):
    """Runs a command that ends with exit code 3 and one line with this sentence."""

    def fail(words: str, sentence: str) -> tuple[str, str]:
        code, out, err = run(*words.split())
        assert code == 3 and "Traceback" not in err
        assert sum(line.startswith(sentence) for line in err.splitlines()) == 1, err
        return out, err

    return fail


@pytest.mark.parametrize("words", COMMANDS)
@pytest.mark.parametrize(
    "missing, sentence",
    [
        (NONE, "there are no credentials: log in (aws"),
        (NONE[1:], "the credentials are not complete (Partial credentials found in env, missing"),
    ],
    ids=["none", "half"],
)
def test_without_credentials_every_command_ends_at_once_with_3(
    fail, monkeypatch, words, missing, sentence
):
    for name in missing:
        monkeypatch.delenv(name)
    fail(words, sentence)


PROFILES = {
    "a program that fails": (
        {"credential_process": "false"},
        "there are no credentials: Error when retrieving credentials from custom-process: log in",
    ),
    "a login without a token": (
        {
            "sso_start_url": "https://x",
            "sso_region": "eu-west-1",
            "sso_account_id": "1",
            "sso_role_name": "x",
        },
        "there are no credentials: Error loading SSO Token",
    ),
    "a role without a source": (ROLE, "there are no credentials: "),
}


@pytest.mark.parametrize("words", ["deploy", "status", "deploy --direct", *WITHOUT_LEDGER])
@pytest.mark.parametrize("settings, sentence", PROFILES.values(), ids=PROFILES)
def test_credentials_that_cannot_be_loaded_are_exit_code_3_at_once(
    fail, monkeypatch, tmp_path, words, settings, sentence
):
    for name in NONE:
        monkeypatch.delenv(name)
    lines = [f"{name} = {value}" for name, value in settings.items()]
    (tmp_path / "config").write_text("\n".join(["[profile p]", *lines]), "utf-8")
    monkeypatch.setenv("AWS_CONFIG_FILE", "config")
    _, err = fail(f"{words} --profile p", sentence)
    assert err.count(LOG_IN) == 1


@pytest.mark.parametrize("words", COMMANDS)
def test_an_unknown_profile_no_region_and_no_connection_are_exit_code_3(fail, monkeypatch, words):
    profiles = "aws configure list-profiles lists the existing profiles"
    fail(f"{words} --profile no", f"The config profile (no) could not be found: {profiles}")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    fail(words, 'Could not connect to the endpoint URL: "http://127.0.0.1:9/": check the network')
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    fail(words, "there is no region: name one with --region, or set AWS_DEFAULT_REGION")


# On the simulated ECS, without a ledger.

EXPIRED = (400, "ExpiredTokenException", "The security token included in the request is expired")
INVALID = "InvalidSignatureException"
NO_MATCH = "The request signature we calculated does not match. secret"
LATE = "Signature expired: 20260101T000000Z is now earlier than 20260101T001000Z"
LOGIN_EXPIRED = "the credentials have expired: log in"
REJECTED = "AWS rejected the credentials"
REFUSALS = {
    "ExpiredTokenException": (EXPIRED, LOGIN_EXPIRED),
    "ExpiredToken": ((403, "ExpiredToken", "The provided token has expired."), LOGIN_EXPIRED),
    **{
        f"{code} {status}": (
            (status, code, "The security token is invalid."),
            f"{REJECTED} ({code})",
        )
        for status in (400, 403)
        for code in (
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "IncompleteSignature",
            "MissingAuthenticationToken",
        )
    },
    INVALID: ((400, INVALID, NO_MATCH), f"{REJECTED} ({INVALID}): log in"),
    "a wrong clock": (
        (400, INVALID, LATE),
        f"AWS rejected the signature ({LATE}): set this",
    ),
    "no connection": (
        UNREACHABLE,
        'Could not connect to the endpoint URL: "https://ecs": check the network',
    ),
}
DIRECT_UPDATE = WITHOUT_LEDGER[1]


@pytest.fixture(name="ecs")
def _ecs(monkeypatch):
    """The ECS that the commands reach."""
    world = World()
    world.ecs.publish("app:2", Image.good())
    world.ecs.clock.drive_sdk(monkeypatch)
    monkeypatch.setattr(Account, "ecs", world.boundary)
    return world.ecs


@pytest.mark.parametrize("words", WITHOUT_LEDGER)
@pytest.mark.parametrize("fault, sentence", REFUSALS.values(), ids=REFUSALS)
def test_rejected_credentials_are_exit_code_3_at_once_and_nothing_is_retried(
    fail, ecs, words, fault, sentence
):
    ecs.fail("*", fault, times=99)
    out, err = fail(words, sentence)
    assert not out and "secret" not in err
    services, sdk = 2 if words.startswith("deploy") else 1, 4 if fault is UNREACHABLE else 1
    assert len(ecs.operations) <= services * sdk, "only the SDK retries"


def test_credentials_that_expire_during_a_rollout_are_exit_code_3_with_what_is_under_way(fail, ecs):
    before = ecs.before

    def expire(request):
        is_read = request.operation in ("DescribeServices", "ListTasks")
        return (
            (EXPIRED, False) if is_read and "UpdateService" in ecs.operations else before(request)
        )

    ecs.before = expire
    _, err = fail(DIRECT_UPDATE, LOGIN_EXPIRED)
    under_way = "1 update under way (ECSCluster/ecs-dummy-service)"
    assert f"{under_way}; without a ledger no process rolls them back" in err


def test_credentials_that_expire_between_two_writes_are_exit_code_3_with_what_was_done(fail, ecs):
    ecs.fail("UpdateService", EXPIRED, times=99)
    out, _ = fail(DIRECT_UPDATE, LOGIN_EXPIRED)
    assert "ecs-dummy-task:2 was registered and is not used" in out
    assert "the service is as it was" in out and ecs.operations.count("UpdateService") == 1


def test_a_denied_call_is_a_failure_of_the_service_and_is_not_retried(run, ecs):
    denied = (400, "AccessDeniedException", "User is not authorized")
    ecs.fail("RegisterTaskDefinition", denied, times=99)
    code, out, _ = run(*DIRECT_UPDATE.split())
    assert code == 1 and "FAILED" in out
    assert ecs.operations.count("RegisterTaskDefinition") == 1
