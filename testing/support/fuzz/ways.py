"""The ways in: each one makes an event of a case, and invokes its handler or command with it.

Those over HTTP are in `http_ways`.
"""

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any
from unittest import mock

from botocore.exceptions import ClientError

from ecs_updater.aws.codepipeline import JobResults
from ecs_updater.codepipeline.run import Runner
from ecs_updater.handlers import codepipeline, push, reconcile, sqs_worker, update
from ecs_updater.ledger.store import History
from ecs_updater.push.run import Clients
from ecs_updater_cli.backends.account import Account, Ledger
from ecs_updater_cli.main import main
from fakes.pipeline import BUCKET, KEY, Artifacts, Pipeline
from fakes.wire import PREFIX, SERVICE_ARN

from ..push_run import SimulatedTagging
from . import samples
from .answers import (
    Answer,
    Event,
    answer_of,
    context_of,
    delivered,
    envelope,
    hidden_in,
    hidden_in_text,
    replaced,
)
from .mutation import SECRET, Generator, members_of
from .setting import Setting


def direct(setting: Setting) -> Event:
    """The direct invocation."""
    text, event = delivered(setting.draw, lambda draw: draw.mutated(samples.event(draw)))

    def invoke() -> Answer:
        with replaced(update, ECS=setting.world.boundary, LEDGER=setting.world.table):
            return answer_of(lambda: update.lambda_handler(event, context_of(900)))

    return Event(text, hidden_in(event), invoke)


def queue(setting: Setting) -> Event:
    """The queue's worker."""
    draw, world = setting.draw, setting.world
    bodies = [
        draw.written(draw.mutated(samples.event(draw)))
        for _ in range(draw.pick((1, 1, 1, 1, 2, 5)))
    ]
    records = [samples.message(draw, body, setting.now()) for body in bodies]
    text, event = _of_queue(draw, records)

    def invoke() -> Answer:
        queues = {"QUEUE": setting.queue, "DEAD_LETTER_QUEUE": setting.dead_letter_queue}
        with replaced(sqs_worker, ECS=world.boundary, LEDGER=world.table, **queues):
            answer = answer_of(lambda: sqs_worker.lambda_handler(event, context_of(180)))
        answer.is_refused |= not _has_begun(setting)
        if not answer.is_error:
            answer.wrong += _lost(setting, event["Records"], json.loads(answer.texts[0]))
        return answer

    return Event(text, set.union(*map(hidden_in_text, bodies)), invoke)


def pushes(setting: Setting) -> Event:
    """The function of the pushes."""
    draw, world = setting.draw, setting.world
    setting.run_policies(samples.policy(draw))
    bodies = [
        draw.written(draw.mutated(samples.push(draw, setting.now())))
        for _ in range(draw.pick((1, 1, 2, 5)))
    ]
    records = [samples.message(draw, body, setting.now()) for body in bodies]
    text, event = _of_queue(draw, records)
    tagging: Any = SimulatedTagging(world.ecs)
    clients = Clients(world.boundary, tagging, setting.queue, world.table)  # type: ignore[arg-type]

    def invoke() -> Answer:
        with replaced(push, CLIENTS=clients):
            answer = answer_of(lambda: push.lambda_handler(event, context_of(180)))
        answer.is_refused |= not setting.queue.is_busy and not answer.is_error
        for body in setting.queue.bodies:
            sent = json.loads(body)
            answer.names.append("update sent")
            answer.wrong += [] if sent["ecs_image_name"] else ["a message without an image"]
        return answer

    return Event(text, set(), invoke)


def events(setting: Setting) -> Event:
    """The reconciler."""
    draw, world = setting.draw, setting.world
    text, event = delivered(draw, lambda _: draw.mutated(samples.eventbridge(draw)))

    def invoke() -> Answer:
        with replaced(reconcile, ECS=world.boundary, LEDGER=world.table):
            return answer_of(lambda: reconcile.lambda_handler(event, context_of(240)))

    return Event(text, set(), invoke)


class _Bucket(Artifacts):
    """A bucket with one object."""

    def get_object(self, **parameters: str) -> dict[str, Any]:
        """Answers a range of the object. Raises ClientError for another one."""
        if (parameters["Bucket"], parameters["Key"]) != (BUCKET, KEY):
            reason = {"Code": "NoSuchKey", "Message": "The specified key does not exist."}
            raise ClientError({"Error": reason}, "GetObject")
        return super().get_object(**parameters)


def jobs(setting: Setting, client: Any) -> Event:
    """The function for CodePipeline."""
    draw, world = setting.draw, setting.world
    parameters = draw.written(draw.mutated(samples.parameters(draw)))
    text, event = delivered(draw, lambda _: envelope(draw, samples.job(draw, parameters)))
    pipeline, artifacts = Pipeline({}), _Bucket(samples.artifact(draw))
    with contextlib.suppress(KeyError, TypeError):
        pipeline._job_id = event["CodePipeline.job"]["id"]  # pylint: disable=protected-access

    def invoke() -> Answer:
        pipeline.take(client)
        ecs, results = world.boundary, JobResults(client)
        runner = Runner(os.environ, ecs, world.table, results, lambda _: artifacts)
        with replaced(codepipeline, RUNNER=runner):
            answer = answer_of(lambda: codepipeline.lambda_handler(event, context_of(240)) or {})
        answer.is_refused |= not _has_begun(setting)
        for result in filter(None, [pipeline.result, pipeline.failure]):
            answer.texts.append(json.dumps(result, ensure_ascii=False))
            answer.names.append(str(result.get("operation", "")))
        is_own_id = len(str(pipeline._job_id)) < 100  # pylint: disable=protected-access
        answer.wrong += [str(refusal) for refusal in pipeline.refusals if is_own_id]
        return answer

    return Event(text, hidden_in_text(parameters) | set(_credentials(event)), invoke)


def command_line(setting: Setting, folder: Path) -> Event:
    """The command line: its arguments, and its file."""
    draw, world = setting.draw, setting.world
    written = draw.written(draw.mutated(samples.manifest(draw)))
    content = written.encode("utf-8", draw.pick(("surrogatepass", "replace", "backslashreplace")))
    given = samples.words(draw)
    words = [str(word) for _, word in members_of(draw.mutated(given, 2))]
    words = [word.encode("utf-8", "replace").decode() for word in words if "\0" not in word]

    def start(account: Any, *_: Any) -> None:
        account.ecs, account.clock, account.region = world.boundary, world.clock, "eu-west-1"
        account.table_name, account.queue_name, account.parameter = "ledger", "queue", "/targets"
        account.ledger = Ledger(world.table, PREFIX) if world.table else None

    def invoke() -> Answer:
        (folder / "deployments.json").write_bytes(content)
        out, error = io.StringIO(), io.StringIO()
        with (
            mock.patch.object(Account, "__init__", start),
            contextlib.chdir(folder),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(error),
        ):
            code = _exit_code(words)
        # Of words that are no command, the usage shows the first that is left over.
        texts = [out.getvalue(), "" if "Usage:" in error.getvalue() else error.getvalue()]
        wrong = [] if code in (0, 1, 2, 3, 4, 130) else [f"exit code {code}"]
        return Answer([f"exit code {code}"], code == 2, code != 0, texts, wrong)

    hidden, shown = set[str](), set[str]()
    for before, word in zip(["", *words], words, strict=False):
        (hidden if before in ("--env", "-c") else shown).update(SECRET.findall(word))
    hidden -= shown
    return Event(f"{words}\n{written}", hidden_in_text(written) | hidden, invoke)


def _of_queue(draw: Generator, records: list[Any]) -> tuple[str, Any]:
    """Returns Lambda's event with these messages, as text and as a value.

    SQS makes the ids, so they are valid text and have no secret of the sender.
    """
    text, event = delivered(draw, lambda _: envelope(draw, {"Records": records}))
    found = event.get("Records") if isinstance(event, dict) else None
    for message in found if isinstance(found, list) else ():
        if isinstance(message, dict) and isinstance(id_ := message.get("messageId"), str):
            message["messageId"] = SECRET.sub("id", id_.encode("utf-8", "replace").decode())
    return text, event


def _has_begun(setting: Setting) -> bool:
    """Whether an update of the case's event has begun: an entry that was not refused."""
    table = setting.world.table
    entries = History(table, clock=setting.now).latest(SERVICE_ARN) if table else []
    keys = set(setting.noted)
    return any(
        (entry.service, f"UPDATE#{entry.number:015d}") in keys
        and entry.verdict not in ("NOT_DEPLOYED", "NOT_STARTED")
        for entry in entries
    )


def _lost(setting: Setting, records: Any, answer: Any) -> list[str]:
    """Returns the messages that are neither to come again, nor in the ledger, nor dead."""
    failed = [each["itemIdentifier"] for each in answer["batchItemFailures"]]
    dead = setting.dead_letter_queue.bodies
    table, wrong = setting.world.table, []
    for message in records:
        if not isinstance(message, dict) or message.get("messageId") in failed:
            continue
        body = message.get("body")
        try:
            event = json.loads(body)
            id_ = event.get("request_id", message["messageId"])
            if event.get("dry_run") is True or History(table).find(id_):
                continue
        except Exception:  # pylint: disable=broad-exception-caught  # Then it must be a dead letter.
            pass
        if not dead:
            wrong.append(f"a message is lost: {str(body)[:200]}")
    return wrong


def _exit_code(words: list[str]) -> Any:
    try:
        main(words)
    except SystemExit as ended:
        return ended.code
    return "none"


def _credentials(event: Any) -> list[str]:
    with contextlib.suppress(KeyError, TypeError, AttributeError):
        return SECRET.findall(str(event["CodePipeline.job"]["data"]["artifactCredentials"]))
    return []
