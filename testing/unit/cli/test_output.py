"""What a person or a program reads, byte for byte."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from ecs_updater_cli.batch.state import State, Status
from ecs_updater_cli.batch.tracker import Tracker
from ecs_updater_cli.batch.waves import Waves, waves_of
from ecs_updater_cli.commands.options import ViewOptions
from ecs_updater_cli.commands.wait import wait_for_batch
from ecs_updater_cli.output.plan import PlanView
from ecs_updater_cli.output.screen import Frame, draw, fold, result_lines
from ecs_updater_cli.output.tables import services_table, updates_table
from fakes.scripted_batch import (
    HOSTILE,
    START,
    ScriptedClock,
    ScriptedDoor,
    batch,
    ending,
    opened,
    shop,
)

SCREENS = Path(__file__).parent / "screens"


def stored(name: str) -> str:
    """A text that was looked at, and kept."""
    return (SCREENS / f"{name}.txt").read_text("utf-8")


def played(printer, **how) -> int:
    """The scripted batch of twelve, to its end; the exit code."""
    begun, steps, counts = shop()
    clock = ScriptedClock()
    return wait_for_batch(
        opened(ScriptedDoor([*steps, ending()], clock, counts)),
        begun,
        ViewOptions(**how),
        printer,
        clock.clock,
    )


def test_each_change_is_a_line(printer):
    assert played(printer) == 1
    assert printer.out() == stored("lines")
    assert printer.err() == ""


def test_each_change_is_an_object_for_programs(printer):
    assert played(printer, as_json=True) == 1
    assert printer.out() == stored("records")
    records = [json.loads(line) for line in printer.out().splitlines()]
    assert [records[0]["type"], records[-1]["type"]] == ["batch", "summary"]
    assert {record["type"] for record in records[1:-1]} == {"change"}


def test_all_good_is_exit_code_0_and_time_is_up_is_1_with_the_way_back(printer):
    begun = batch([("web", "web:2", None)])
    clock = ScriptedClock()
    assert (
        wait_for_batch(
            opened(ScriptedDoor([{1: Status(State.UNCHANGED)}], clock)),
            begun,
            ViewOptions(),
            printer,
            clock.clock,
        )
        == 0
    )
    clock = ScriptedClock()
    assert (
        wait_for_batch(
            opened(ScriptedDoor([{}] * 9, clock)),
            begun,
            ViewOptions(timeout=3),
            printer,
            clock.clock,
        )
        == 1
    )
    assert printer.err() == "timed out: resume with ecs-updater watch 20270115T080000Z-5eed\n"


def board_in_the_middle(count: int = 12) -> tuple[Tracker, Waves]:
    """The scripted batch, four looks after its beginning."""
    begun, steps, counts = shop(count)
    clock = ScriptedClock()
    backend, tracker = (
        ScriptedDoor(steps, clock),
        Tracker(begun.members, START, "20270115T080000Z-5eed"),
    )
    for _ in steps:
        tracker.apply(backend.poll(tracker.waiting))
        clock.sleep(1)
    tracker.apply_counts(counts)
    return tracker, Waves(waves_of({member.number: member.group for member in begun.members}))


def drawn(width: int, height: int, count: int = 12, **options) -> list[str]:
    """The live view as lines."""
    tracker, waves = board_in_the_middle(count)
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, color_system=None, force_terminal=True)
    console.print(draw(Frame(tracker, waves, START + 4, width, height, **options)))
    return out.getvalue().splitlines()


@pytest.mark.parametrize("width", [1, 20, 60, 80, 100, 200])
def test_the_view_fits_whatever_terminal(width):
    for height in (1, 5, 8, 24, 60):
        lines = drawn(width, height, 12 if height == 24 else 100)
        assert len(lines) <= height
        assert max(map(len, lines)) <= width


def test_failures_stay_when_finished_ones_are_folded_away():
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


def test_what_a_terminal_would_obey_is_shown_as_it_is_written():
    text = "\n".join(drawn(200, 30))
    assert (
        "\x1b" not in text and "\u202e" not in text and "\\x1b[2J" in text and HOSTILE not in text
    )


def test_what_stays_on_the_screen_does_not_turn_and_leaves_out_what_has_not_begun():
    tracker, waves = board_in_the_middle()
    lines = [line.plain for line in result_lines(Frame(tracker, waves, START + 4, 80, 24))]
    assert "· rolling back  mail" in "\n".join(lines) and "sessions" not in "\n".join(lines)
    assert not any(line[:1] in "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏" for line in lines)


def test_the_wave_that_is_under_way_is_named():
    begun = batch([("a", "i", None), ("b", "i", "edge")])
    waves, tracker = Waves(waves_of({1: None, 2: "edge"})), Tracker(begun.members, START)
    tracker.apply({1: Status(State.SUCCEEDED)})
    for _ in range(2):
        waves.next_step({row.number: row for row in tracker.rows})
        waves.mark_started()
    title = draw(Frame(tracker, waves, START, 100, 20)).renderables[0].plain
    assert "wave 2 of 2, edge" in title


def test_a_fold_keeps_a_line_for_what_it_leaves_out():
    tracker, _ = board_in_the_middle(300)
    for lines in range(1, 40):
        folded = fold(tracker.rows, lines, lambda row: 2 if row.state.is_bad else 1)
        assert sum(2 if row.state.is_bad else 1 for row in folded.rows) + 1 <= lines
        assert len(folded.rows) + folded.others.total() == 300


def plain(lines) -> str:
    """As a pipe has them."""
    return "".join(f"{line.plain}\n" for line in lines)


SERVICE = {
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
    "serviceName": "api",
    "rolloutState": None,
    "pendingCount": 0,
    "images": IMAGES,
    "tags": [],
}


def test_services_are_a_table():
    assert plain(services_table([SERVICE, OTHER], None)) == (
        "SERVICE    TASKS  ROLLOUT      REVISION  IMAGES                             TAGS\n"
        "shop/web  2/3 +1  in progress  web:7     registry.example.com/shop/web:2.4  "
        "owner=web\\x1b[31m release=42\n"
        "shop/api     2/3               web:7     app=a:1 log=l:2\n"
    )


def test_updates_of_the_past_are_a_table():
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
    assert plain(updates_table([item, failed, tagged], None)) == (
        "BEGUN                STATE      SERVICE   TIME  CHANGE             CAUSE\n"
        "2027-01-15 08:00:00  succeeded  shop/web  1:05  web:1 → web:2\n"
        "2027-01-15 08:00:00  failed     shop/web  1:05  rollback to web:2  it died\n"
        "2027-01-15 08:00:00  unchanged  shop/web  1:05  tags               only tags changed\n"
    )


def plans():
    """A plan of each kind."""
    changes = [
        {"what": "image.app", "from": "web:1", "to": "web:2"},
        {"what": "tag.owner", "from": None, "to": "me"},
        {"what": "tag.old", "from": "x", "to": None},
    ]

    def one(service, **fields):
        row = SimpleNamespace(
            name=f"shop/{service}", cluster="shop", service=service, image="web:2"
        )
        given = {
            "changes": [],
            "deploys": False,
            "error": None,
            "error_type": None,
            "hint": None,
            "notes": [],
            **fields,
        }
        return SimpleNamespace(row=row, **given)

    return [
        one("web", changes=changes, deploys=True, notes=["registry: no answer"]),
        one("api", changes=changes[1:2]),
        one("mail"),
        one("gone", error="ecs_service_name gone not found", error_type="ServiceNotFoundError"),
    ]


def test_a_plan_says_what_would_change(printer):
    show = PlanView(printer, as_json=False)
    for one in plans():
        show.show(one)
    assert show.show_summary() == 1
    assert printer.out() == stored("plan")


def test_a_plan_is_objects_for_programs(printer):
    show = PlanView(printer, as_json=True)
    for one in plans():
        show.show(one)
    assert show.show_summary() == 1
    *records, summary = [json.loads(line) for line in printer.out().splitlines()]
    assert [record["errorType"] for record in records] == [None, None, None, "ServiceNotFoundError"]
    assert summary == {
        "type": "summary",
        "services": 4,
        "exitCode": 1,
        "deploy": 1,
        "tags": 1,
        "unchanged": 1,
        "refused": 1,
    }
