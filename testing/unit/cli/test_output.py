"""The output for people and for programs, byte for byte."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from ecs_updater.ledger.batch import Member
from ecs_updater_cli.backends.local import LocalBackend
from ecs_updater_cli.backends.preview import ServicePlan
from ecs_updater_cli.backends.sqs import SqsBackend
from ecs_updater_cli.batch.state import State, Status, TaskCounts
from ecs_updater_cli.batch.tracker import Row, Tracker
from ecs_updater_cli.output.changes import change_text
from ecs_updater_cli.output.plan import show_plans
from ecs_updater_cli.output.screen import draw
from ecs_updater_cli.output.tables import services_table, updates_table
from fakes.scripted_batch import BATCH, HOSTILE, START, ScriptedBackend, batch, ending, shop

SCREENS = Path(__file__).parent / "screens"


def stored(name: str) -> str:
    """The output that was approved."""
    return (SCREENS / f"{name}.txt").read_text("utf-8")


@pytest.fixture(name="scripted")
def _scripted(wait):
    """Shows the scripted batch of twelve to its end. Returns the exit code."""

    def show(**options) -> int:
        started, steps, counts = shop()
        return wait(ScriptedBackend(*steps, ending(), counts=counts), started, **options)

    return show


@pytest.mark.parametrize(("as_json", "name"), [(False, "lines"), (True, "records")])
def test_each_change_is_a_line_or_an_object_for_programs(scripted, printer, as_json, name):
    assert scripted(as_json=as_json) == 1
    assert (printer.out(), printer.err()) == (stored(name), "")


def test_success_is_exit_code_0_and_a_timeout_is_1_with_the_way_to_resume(wait, printer):
    assert wait(ScriptedBackend({1: Status(State.UNCHANGED)})) == 0
    assert wait(ScriptedBackend(*[{}] * 9), timeout=3) == 1
    assert printer.err() == f"timed out: resume with ecs-updater watch {BATCH}\n"


@pytest.mark.parametrize("awaited", [SqsBackend.awaited, LocalBackend.awaited])
def test_a_minute_without_a_change_prints_what_a_rollout_waits_for(wait, printer, awaited):
    deploying = {1: Status(State.DEPLOYING, "to web:2")}
    backend = ScriptedBackend(deploying, *[{}] * 70, awaited=awaited)
    counts = [{1: TaskCounts(2, 2)}]
    backend.counts = lambda _: counts.pop() if counts else {}
    assert wait(backend, timeout=70) == 1
    assert printer.out().splitlines()[2] == (
        f"08:01:00  DEPLOYING     shop/web  web:2  2/2 run; waiting for {awaited} "
        "(polled 60 s ago); to web:2"
    )


def unfinished_batch(count: int = 12) -> Tracker:
    """The scripted batch, four polls after its start."""
    started, steps, counts = shop(count)
    backend, tracker = ScriptedBackend(*steps), Tracker(started.members, START, BATCH)
    for _ in steps:
        tracker.apply(backend.poll(tracker.waiting))
        backend.time.sleep(1)
    tracker.apply_counts(counts, START + 4)
    return tracker


def drawn(width: int, height: int, count: int = 12) -> list[str]:
    """The live view as lines."""
    tracker = unfinished_batch(count)
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, force_terminal=True)
    console.print(draw(tracker, START + 4, width, height))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [1, 20, 60, 80, 100, 200])
def test_the_view_fits_any_terminal(width):
    for height in (1, 5, 8, 24, 60):
        lines = drawn(width, height, 12 if height == 24 else 100)
        assert len(lines) <= height
        assert max(map(len, lines)) <= width


def test_failures_stay_when_successful_updates_are_left_out():
    lines = drawn(80, 14, 300)
    assert [line[2:16].strip() for line in lines[4:9] if line[:1] != " "] == [
        "failed",
        "rolling back",
        "rolled back",
    ]
    assert (
        lines[10].rstrip()
        == "  … and 296 more services: 2 succeeded, 1 unchanged, 3 deploying, 290 queued"
    )


def test_control_characters_are_shown_escaped():
    text = "\n".join(drawn(200, 30))
    assert (
        "\x1b" not in text and "\u202e" not in text and "\\x1b[2J" in text and HOSTILE not in text
    )


def test_the_title_names_the_current_wave():
    members = batch([("a", "i", None), ("b", "i", "edge")]).members
    tracker = Tracker(members, START)
    tracker.apply({1: Status(State.SUCCEEDED)})
    tracker.waves_left.clear()
    title = draw(tracker, START, 100, 20).renderables[0].plain
    assert "wave 2 of 2, edge" in title


COMMAND = "ecs-updater approve shop web h"
PAUSED = Status(
    State.AWAITING_APPROVAL, "to web:2, hook h", begun_at=START, hint=COMMAND, hook_id="h"
)


def test_a_deployment_that_awaits_approval_is_a_row_with_the_command_that_answers(wait, printer):
    assert wait(ScriptedBackend({1: PAUSED}), timeout=1) == 1
    lines = printer.out().splitlines()
    assert lines[1] == "08:00:00  AWAITING APPROVAL  shop/web  web:2  to web:2, hook h"
    assert lines[2] == f"          {COMMAND}"
    assert lines[3].endswith(": 1 awaiting approval")


def test_programs_get_the_id_of_an_awaited_hook(wait, printer):
    wait(ScriptedBackend({1: PAUSED}), timeout=1, as_json=True)
    change = json.loads(printer.out().splitlines()[1])
    assert (change["state"], change["hookId"], change["verdict"]) == (
        "awaiting approval",
        "h",
        None,
    )


def test_the_live_view_has_the_command_below_the_row_that_awaits_approval():
    tracker = Tracker(batch([("web", "web:2", None), ("api", "api:2", None)]).members, START)
    tracker.apply({1: PAUSED})
    lines = [line.plain.rstrip() for line in draw(tracker, START, 120, 20).renderables]
    row, below, other = lines[4:7]
    assert " ".join(row.split()) == "⠋ awaiting approval web web:2 0:00 to web:2, hook h"
    assert below == f"    {COMMAND}" and other[2:].startswith("queued             api")
    assert all(
        len(line) <= 40
        for line in (each.plain for each in draw(tracker, START, 40, 20).renderables)
    )


SERVICE = {
    "target": None,
    "clusterName": "shop",
    "serviceName": "web",
    "taskDefinition": "web:7",
    "desiredCount": 3,
    "runningCount": 2,
    "pendingCount": 1,
    "rolloutState": "IN_PROGRESS",
    "images": {"app": "registry.example.com/shop/web:2.4"},
    "tags": [{"key": "owner", "value": "web\x1b[31m"}, {"key": "release", "value": "42"}],
}
IMAGES = {"app": "a:1", "log": "l:2"}
OTHER = {
    **SERVICE,
    "target": "stage",
    "serviceName": "api",
    "rolloutState": None,
    "pendingCount": 0,
    "images": IMAGES,
    "tags": [],
}


def test_services_are_a_table(printer):
    printer.line(services_table([SERVICE, OTHER]))
    assert printer.out() == (
        "SERVICE          TASKS  ROLLOUT      REVISION  IMAGES                             TAGS\n"
        "shop/web        2/3 +1  in progress  web:7     registry.example.com/shop/web:2.4  "
        "owner=web\\x1b[31m release=42\n"
        "stage/shop/api     2/3               web:7     app=a:1 log=l:2\n"
    )


def test_past_updates_are_a_table(printer):
    side = {"images": {"app": "web:1"}, "tags": {}}
    item = {
        "service": "arn:aws:ecs:eu-west-1:123456789012:service/shop/web",
        "cluster_arn": "c",
        "service_arn": "s",
        "action": "update",
        "state": "ENDED",
        "verdict": "SUCCEEDED",
        "before": side,
        "after": {"images": {"app": "web:2"}, "tags": {}},
        "begun_at": "2027-01-15T08:00:00.000Z",
        "ended_at": "2027-01-15T08:01:05.000Z",
        "cause": "1 of 1 tasks run web:2",
    }
    failed = {
        **item,
        "verdict": "FAILED",
        "cause": "[ERROR][ecs_service_rollout] FAILED: it died",
        "action": "rollback",
    }
    tagged = {
        **item,
        "verdict": "NO_CHANGE",
        "cause": "only tags changed",
        "after": {**side, "tags": {"a": "b"}},
    }
    arns = [f"arn:aws:ecs:e:1:task-definition/web:{number}" for number in (6, 7)]
    sides = [{**side, "task_definition_arn": arn} for arn in arns]
    settings = {**item, "before": sides[0], "after": sides[1]}
    counts = [{**side, "service_settings": {"desiredCount": count}} for count in (2, 3)]
    scaled = {**item, "before": counts[0], "after": counts[1]}
    answer = {"hook_id": "h", "action": "ROLLBACK", "caller": "me", "at": "T", "is_confirmed": True}
    unsent = {**answer, "is_confirmed": False}
    rejected = {**failed, "action": "update", "approvals": [answer, unsent]}
    items = [item, failed, tagged, settings, scaled, rejected]
    printer.line(updates_table(items, [None, None, None, None, "dr", None]))
    assert printer.out() == (
        "BEGUN                    STATE      SERVICE      TIME  CHANGE              CAUSE\n"
        "2027-01-15 08:00:00 UTC  succeeded  shop/web     1:05  web:1 → web:2\n"
        "2027-01-15 08:00:00 UTC  failed     shop/web     1:05  rollback to web:2   it died\n"
        "2027-01-15 08:00:00 UTC  unchanged  shop/web     1:05  tags                only "
        "tags changed\n"
        "2027-01-15 08:00:00 UTC  succeeded  shop/web     1:05  web:6 → web:7\n"
        "2027-01-15 08:00:00 UTC  succeeded  dr/shop/web  1:05  desiredCount 2 → 3\n"
        "2027-01-15 08:00:00 UTC  failed     shop/web     1:05  web:1 → web:2       it died; "
        "rejected by me at T\n"
    )


CHANGES = [
    {"what": "image.app", "from": "web:1", "to": "web:2"},
    {"what": "environment.app.LOG_LEVEL", "from": 'say "no"', "to": ""},
    {"what": "environment.app.API_TOKEN", "from": "(set)", "to": "(set)"},
    {"what": "tag.owner", "from": None, "to": "me"},
    {"what": "tag.old", "from": "x", "to": None},
]
PLANS = {
    "web": {"changes": CHANGES, "deploys": True, "notes": ["registry: no answer"]},
    "api": {"changes": CHANGES[3:4]},
    "mail": {},
    "scaled": {"changes": [{"what": "desiredCount", "from": "2", "to": "3"}]},
}
GONE = Status(State.FAILED, "ecs_service_name gone not found", error_type="ServiceNotFoundError")


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"ecs_environment": {"A": "b", "C": None}, "ecs_command": [], "ecs_cpu": 0}, "4 settings"),
        ({"ecs_container_settings": {"log": {"ecs_secrets": {"A": "arn"}}}}, "1 setting"),
        ({"ecs_container_images": {"log": "l:2"}, "ecs_desired_count": 0}, "1 image, count 0"),
        ({"ecs_task_definition": "web:7", "ecs_task_cpu": 256}, "web:7, 1 setting"),
        ({"ecs_image_name": "web:2", "ecs_desired_count": 3}, "web:2"),
    ],
)
def test_an_update_without_an_image_shows_what_it_changes(fields, text):
    row = Row(Member(1, "", fields))
    assert (row.requested, row.image) == (text, fields.get("ecs_image_name"))


@pytest.mark.parametrize("value", ["\x1b[2J", "(set)\x1b[2J"])
def test_no_value_of_a_change_controls_the_terminal(value):
    change = {"what": f"environment.app.{value}", "from": value, "to": value}
    assert change_text(change).plain.isprintable()


@pytest.mark.parametrize("as_json", [False, True])
def test_a_plan_of_each_kind_is_lines_or_objects(printer, as_json):
    members = batch([(name, "web:2", None) for name in [*PLANS, "gone"]]).members
    plans = [
        ServicePlan(Row(member), **fields)
        for member, fields in zip(members, PLANS.values(), strict=False)
    ]
    assert show_plans([*plans, ServicePlan(Row(members[-1], GONE))], printer, as_json) == 1
    if not as_json:
        assert printer.out() == stored("plan")
        return
    *plans, summary = [json.loads(line) for line in printer.out().splitlines()]
    assert [plan["errorType"] for plan in plans] == [*[None] * 4, "ServiceNotFoundError"]
    kinds = {"deploy": 1, "tags": 1, "service": 1, "unchanged": 1, "refused": 1}
    assert summary == {"type": "summary", "services": 5, "exitCode": 1, **kinds}
