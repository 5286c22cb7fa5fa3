"""Runs the cases of a way in, checks what must hold for each event, and counts what came of it."""

import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import boto3
from botocore.retries import quota
from botocore.useragent import UserAgentString

from ecs_updater.aws import codepipeline as codepipeline_boundary
from ecs_updater.aws import ecs_reader
from fakes.memory_dynamodb import MemoryDynamodb
from fakes.wire import REGION

from ..make import PROJECT
from ..rollout_world import EndlessQuota, Function
from . import http_ways, tokens, ways
from .answers import Answer, Event
from .mutation import Generator
from .setting import Setting

EVENTS_PER_CASE = 10

MESSAGE_LIMIT = 2000 + len("[ERROR][ecs_service_update] ")
ERROR_BODY_LIMIT = 32 << 10
RESPONSE_LIMIT = 6 << 20
"""Lambda's: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
LOG_LINE_LIMIT = 256 << 10
"""Maximum bytes of one event of CloudWatch Logs for every reader."""

BEFORE, AFTER, WITHOUT, WRITTEN = STAGES = (
    "refused before any call",
    "refused after reads",
    "answered without a write",
    "written",
)
"""How far events come."""

WAYS = (
    *(
        "update",
        "http-post",
        "http-get",
        "authorizer",
        "queue",
        "push",
        "reconciler",
        "codepipeline",
    ),
    "command-line",
)
"""The ways in, as `Bench.ways` has them."""

_ERRORS = (PROJECT / "docs" / "results-and-errors.md").read_text("utf-8")


@dataclass
class Figures:
    """What came of the cases of one way in."""

    stages: Counter[str] = field(default_factory=Counter)
    names: Counter[str] = field(default_factory=Counter)
    violations: dict[str, str] = field(default_factory=dict)
    """The first case of each violation."""
    found: int = 0
    longest: tuple[float, str] = (0.0, "")
    """Seconds of processor time, and the case that took them."""

    def __str__(self) -> str:
        stages = ", ".join(f"{self.stages[stage]} {stage}" for stage in STAGES)
        seconds, case = self.longest
        kinds = len({name for name in self.names if "Error" in name})
        return (
            f"{self.stages.total()} events: {stages}; {kinds} kinds of errors; "
            f"longest {1000 * seconds:.0f} ms ({case})"
        )


class Bench:
    """What all cases share, because to make it takes longer than a case."""

    def __init__(self, folder: Path, monkeypatch: Any):
        self.folder, self.monkeypatch = folder, monkeypatch
        # The SDK takes longer for it than for most of a request.
        monkeypatch.setattr(UserAgentString, "to_string", lambda self: "test")
        self.function = Function(MemoryDynamodb())
        with mock.patch.object(quota, "RetryQuota", EndlessQuota):
            self.reader = _client("ecs", ecs_reader)
            self.codepipeline = _client("codepipeline", codepipeline_boundary)
        self.ways: dict[str, Callable[[Setting], Event]] = {
            "update": ways.direct,
            "http-post": http_ways.http_post,
            "http-get": lambda setting: http_ways.http_get(setting, self.reader),
            "authorizer": tokens.authorizer,
            "queue": ways.queue,
            "push": ways.pushes,
            "reconciler": ways.events,
            "codepipeline": lambda setting: ways.jobs(setting, self.codepipeline),
            "command-line": lambda setting: ways.command_line(setting, self.folder),
        }

    def run(self, case: str, figures: Figures) -> None:
        """Runs one case, such as `7/queue/12`: the seed, the way in and a number.

        Its events go to one service, so that later ones meet what earlier ones left.
        """
        _, way, _ = case.split("/")
        draw = Generator(Random(case))
        has_ledger = way not in ("update", "http-post", "http-get") or draw.chance(0.9)
        setting = Setting(draw, self.function, has_ledger)
        setting.world.ecs.clock.drive_sdk(self.monkeypatch)
        if way.startswith("http-"):
            setting.give_scopes()
        for _ in range(EVENTS_PER_CASE):
            event, begin = self.ways[way](setting), time.process_time()
            answer = Answer()
            try:
                with setting.recording():
                    answer = event.invoke()
                wrong = list(violations(setting, event, answer))
            except Exception as error:  # pylint: disable=broad-exception-caught
                wrong = [f"{type(error).__name__} in {_place(error)}: {str(error)[:200]}"]
            for violation in wrong:
                figures.found += 1
                text = f"{case}: {violation}\n{event.text[:1000]}"
                figures.violations.setdefault(_kind(violation), text)
            figures.stages[_stage(setting, answer)] += 1
            figures.names.update(answer.names)
            figures.longest = max(figures.longest, (time.process_time() - begin, case))
            setting.world.pass_time(draw.pick((0, 5, 120)))


def _client(service: str, boundary: Any) -> Any:
    return boto3.client(service, region_name=REGION, config=boundary._CONFIG)  # type: ignore[call-overload]  # pylint: disable=protected-access


def violations(setting: Setting, event: Event, answer: Answer) -> Iterator[str]:
    """Yields what does not hold that must hold for every event."""
    yield from answer.wrong
    for name in answer.names:
        kind = name.rpartition(" ")[2]
        if kind.endswith("Error") and (kind == "InternalError" or f"`{kind}`" not in _ERRORS):
            yield f"an error that is not documented: {kind}: {answer.texts[0][:300]}"
    if answer.is_refused and setting.written and not setting.is_recovered:
        yield f"written after a refusal: {setting.written}"
    if answer.is_refused and answer.is_error and setting.noted and not setting.is_recovered:
        yield f"noted after a refusal: {setting.noted}"
    if found := setting.disallowed():
        yield f"written against an allow list: {found}"
    for text in answer.texts:
        is_message = answer.is_error and text.startswith("[ERROR]")
        most = (
            MESSAGE_LIMIT if is_message else ERROR_BODY_LIMIT if answer.is_error else RESPONSE_LIMIT
        )
        if len(text.encode()) > most:
            yield f"a text over its limit: {len(text)} characters, {text[:200]}"
    for line in setting.log.getvalue().split("\n")[:-1]:
        if len(line.encode()) > LOG_LINE_LIMIT:
            yield f"a log line over its limit: {len(line)} characters, {line[:300]}"
        if "exception" in (found := json.loads(line)):
            where = found["exception"].rpartition("File")[2]
            yield f"a defect is logged {found['exception_name']} {where}: {line[:300]}"
    shown = [*answer.texts, setting.log.getvalue()]
    for secret in sorted(event.hidden):
        if where := next((text for text in shown if secret in text), None):
            at = where.index(secret)
            yield f"a secret is shown: {where[max(0, at - 200) : at + 60]}"


def _stage(setting: Setting, answer: Answer) -> str:
    if setting.written:
        return WRITTEN
    if answer.is_error or answer.is_refused:
        return AFTER if setting.requests else BEFORE
    return WITHOUT


def _place(error: BaseException) -> str:
    trace, place = error.__traceback__, ""
    while trace:
        name = trace.tb_frame.f_code.co_filename
        if "/ecs_updater" in name or not place:
            place = f"{name.rpartition('/lambda_code/')[2]} {trace.tb_lineno}"
        trace = trace.tb_next
    return place


def _kind(violation: str) -> str:
    """Returns what violations of the same cause have in common."""
    what, _, detail = violation.partition(": ")
    defect = re.search(r'"exception":"(.*?)","exception_name":"(\w+)"', detail)
    return f"{what} {defect[2]}" if defect else what
