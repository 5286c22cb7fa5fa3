"""The live view in a real terminal: what is on the screen, after a resize, at the end and after
Ctrl-C.
"""

import json
import os
import re
import sys
from pathlib import Path

import pytest

from support.picture import picture
from support.pseudo_terminal import Terminal

PROJECT = Path(__file__).resolve().parents[2]
SCREENS = PROJECT / "testing" / "unit" / "cli" / "screens"
AT_THE_END_OF_THE_SCRIPT = "5 of 12 done"
COLOURS = re.compile(rb"\x1b\[(?:\d+;)*(?:3[0-7]|9[0-7])(?:;\d+)*m")


def terminal(columns: int, lines: int, options: dict | None = None, **environment: str) -> Terminal:
    """The scripted batch in a terminal of this size."""
    paths = os.pathsep.join(str(PROJECT / name) for name in ("lambda_code", "testing"))
    shell = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": paths,
        "TZ": "UTC",
        "LANG": "C.UTF-8",
        **environment,
    }
    return Terminal(
        [sys.executable, "-m", "fakes.scripted_batch", json.dumps(options or {})],
        columns,
        lines,
        shell,
    )


def stored(name: str) -> str:
    """A screen that was looked at, and kept."""
    return (SCREENS / f"{name}.txt").read_text("utf-8")


def is_at_the_end(screen: Terminal) -> bool:
    """Whether nothing changes on it any more."""
    return AT_THE_END_OF_THE_SCRIPT in screen.text and " 0:04\n" in screen.text


def test_the_documents_show_the_screen_as_it_is(tmp_path):
    said = "container app ran out of memory (exit code 137)"
    with terminal(100, 22, {"said": said}) as screen:
        # The picture is drawn from the last frame, which has to be there as a whole.
        screen.wait_for(
            lambda shown: (
                is_at_the_end(shown)
                and shown.text == stored("readme")
                and b"go on" in shown.received.rpartition(b"\x1b[H")[2]
            )
        )
        received = screen.received
    assert stored("readme") in (PROJECT / "docs" / "many-services.md").read_text("utf-8")
    shown, made = SCREENS / "live-view.svg", tmp_path / "live-view.svg"
    made.write_text(picture(received, 100, "ecs-updater deploy deployments.yaml -i"), "utf-8")
    assert f"]({shown.relative_to(PROJECT)})" in (PROJECT / "README.md").read_text("utf-8")
    assert made.read_bytes() == shown.read_bytes(), (
        f"{made} is as it looks now: look at it, and put it into {SCREENS}"
    )


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (140, 30)])
def test_the_screen_is_as_it_was_looked_at_and_ctrl_c_says_how_to_come_back_and_gives_it_back(
    columns, lines
):
    with terminal(columns, lines) as screen:
        screen.wait_for(
            lambda shown: is_at_the_end(shown) and shown.text == stored(f"{columns}x{lines}")
        )
        screen.press("\x03")
        assert screen.ends() == 130
        assert screen.lines[-1] == "detached: resume with ecs-updater watch 20270115T080000Z-5eed"
        assert screen.received.rstrip().endswith(b"5eed")
        assert screen.received.rindex(b"\x1b[?1049l") > screen.received.rindex(b"\x1b[?1049h")
        assert screen.received.rindex(b"\x1b[?25h") > screen.received.rindex(b"\x1b[?25l")


def test_after_a_resize_the_screen_is_that_of_the_new_size():
    with terminal(140, 30) as screen:
        screen.wait_for(is_at_the_end)
        screen.resize(80, 24)
        screen.wait_for(lambda shown: shown.text == stored("80x24"))
        screen.resize(140, 30)
        screen.wait_for(lambda shown: shown.text == stored("140x30"))


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_the_result_stays_on_the_usual_screen_and_with_no_color_it_has_none(environment):
    with terminal(80, 24, {"ends": True}, **environment) as screen:
        assert screen.ends() == 1
        assert screen.text == stored("ended-80x24")
        assert bool(COLOURS.search(screen.received)) == (not environment)
