"""One structured log line per update: service, changes, duration and number of AWS calls.

Each line about an update has its `action`, `request_id` and `batch`, also one of the reconciler,
and the `lambda_request_id` of the invocation that logs it. Errors of the caller are warnings,
except a failed rollback, which needs an operator. No line has the environment, the whole event, or
a credential.
"""

import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from aws_lambda_powertools import Logger

from .context import Call, counted
from .errors import (
    NEEDED,
    CallerFault,
    EcsUpdaterError,
    InternalError,
    InvalidEventError,
    RolloutRollbackFailedError,
    one_line,
)

logger = Logger(
    service=os.environ.get("POWERTOOLS_SERVICE_NAME") or "ecs-updater",
    # In ASCII: a text can have a lone surrogate, which no stream can encode.
    json_serializer=partial(json.dumps, default=str, separators=(",", ":")),
)

Answer = Mapping[str, Any]

_CHANGES_LOGGED = 100


def log_missing_ledger(table: object) -> None:
    """Logs, once per execution environment, that the function has no ledger."""
    if table is None:
        logger.info("no LEDGER_TABLE: this function works without lease and history")


def warn_if_unrestricted(environment: Mapping[str, str]) -> None:
    """Logs a warning, once per execution environment, for each empty allow list."""
    everything = {"ALLOWED_IMAGES": "every image", "ALLOWED_SERVICES": "every service"}
    if empty := [setting for setting in everything if not environment.get(setting)]:
        every = " and ".join(everything[setting] for setting in empty)
        logger.warning(f"no {' and no '.join(empty)}: this function accepts {every}")


def add_log_keys(event: Any, call: Call, action: str = "update", **further: str) -> None:
    """Adds the fields of an update, or of another `action`, to the following log lines."""
    fields = event if isinstance(event, dict) else {}
    defaults = {
        "action": action,
        "ecs_cluster_name": os.environ.get("CLUSTER_NAME"),
        "ecs_service_name": os.environ.get("SERVICE_NAME"),
        "target": None,
    }
    values = {name: fields.get(name, default) for name, default in defaults.items()}
    logger.thread_safe_append_keys(
        **{name: one_line(text) for name, text in values.items() if text and isinstance(text, str)},
        request_id=one_line(call.request_id(event)),
        batch=call.batch,
        lambda_request_id=call.lambda_request_id,
        **further,
    )


def add_caller(call: Call, event: Mapping[str, Any]) -> None:
    """Adds the caller, and the address in API Gateway's event, to the following log lines."""
    identity = event.get("requestContext", {}).get("identity") or {}
    logger.thread_safe_append_keys(
        caller=call.caller, source_ip=one_line(str(identity.get("sourceIp") or ""), 64)
    )


@contextmanager
def log_keys(event: Any, call: Call, action: str = "update") -> Iterator[None]:
    """Adds these fields to the log lines of a block."""
    earlier = logger.thread_safe_get_current_keys()
    add_log_keys(event, call, action)
    try:
        yield
    finally:
        logger.thread_safe_clear_keys()
        logger.thread_safe_append_keys(**earlier)


def log_update(event: Any, call: Call, work: Callable[[], Answer]) -> Answer:
    """Runs `work`, which handles `event`, and logs its outcome and its AWS calls.

    Raises EcsUpdaterError only: any other error is logged with its traceback and becomes an
    InternalError.
    """

    def fields(answer: Answer) -> Mapping[str, Any]:
        body = answer["body"]
        return {
            "service_arn": body.get("AFTER", {}).get("serviceArn"),
            **{name: body.get(name) for name in ("changed", "deployment")},
            "changes": _shortened(body.get("changes")),
        }

    return _log("update", event, call, work, fields)


def _shortened(changes: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
    """Returns changes for the log, whose lines have at most 256 KB. None: there are none."""
    if changes is None:
        return None
    shown = [
        {name: one_line(value) if isinstance(value, str) else value for name, value in each.items()}
        for each in changes[:_CHANGES_LOGGED]
    ]
    more = len(changes) - len(shown)
    return [*shown, {"what": f"and {more} more"}] if more else shown


def log_run(call: Call, work: Callable[[], Answer]) -> Answer:
    """Like `log_update` for a run of the reconciler. Logs the whole answer."""
    return _log("reconcile", None, call, work, lambda answer: answer)


def log_read(path: str, call: Call, work: Callable[[], Answer]) -> Answer:
    """Like `log_update` for a read request over HTTP. Logs the path and the lengths of lists."""

    def fields(answer: Answer) -> Mapping[str, Any]:
        counts = {name: len(value) for name, value in answer.items() if isinstance(value, list)}
        return {"path": one_line(path), **counts}

    return _log("read", None, call, work, fields)


def log_answer(action: str, request_id: str, call: Call, work: Callable[[], Answer]) -> Answer:
    """Like `log_update` for the answer to a hook of the update `request_id`. Logs the answer."""
    return _log(action, {"request_id": request_id}, call, work, lambda answer: answer)


def log_ended(entry: Any) -> None:
    """Logs the verdict of an update of the ledger that this invocation did not begin."""
    log = logger.warning if entry.error_type else logger.info
    if entry.error_type == RolloutRollbackFailedError.__name__:
        log = logger.error
    log(
        entry.error_message or "an open update has ended",
        deployment={"id": entry.deployment_id, "verdict": entry.verdict, "reason": entry.cause},
        **{**keys_of(entry), "error_type": entry.error_type},
    )


def keys_of(entry: Any) -> dict[str, Any]:
    """Returns the fields of an update of the ledger for one log line."""
    return {
        "action": entry.action,
        "request_id": one_line(entry.request_id),
        "batch": entry.batch,
        "ecs_cluster_name": entry.cluster_arn.rpartition("/")[2],
        "ecs_service_name": entry.service_arn.rpartition("/")[2],
        "service_arn": entry.service_arn,
    }


def _log(
    action: str,
    event: Any,
    call: Call,
    work: Callable[[], Answer],
    fields: Callable[[Answer], Mapping[str, Any]],
) -> Answer:
    """Runs `work` and logs the `fields` of its answer. For any number of threads."""
    begin = time.monotonic()

    def figures() -> dict[str, Any]:
        return {
            "duration_ms": round(1000 * (time.monotonic() - begin)),
            "aws_calls": dict(sorted(Counter(calls).items())),
        }

    with counted() as calls, log_keys(event, call, action):
        try:
            answer = work()
            logger.info(action, **fields(answer), **figures())
            return answer
        except EcsUpdaterError as error:
            _log_error(error, figures())
            # Lambda returns the traceback to the caller, who needs only the message.
            raise error.with_traceback(None) from None
        except Exception as error:
            logger.exception("a defect of this function", **figures())
            raise InternalError(
                f"{type(error).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            ) from None


def _log_error(error: EcsUpdaterError, figures: dict[str, Any]) -> None:
    needs_operator = isinstance(error, RolloutRollbackFailedError)
    is_warning = isinstance(error, CallerFault) and not needs_operator
    log = logger.warning if is_warning else logger.error
    own: dict[str, object] = {"hint": error.hint, "error_type": type(error).__name__}
    if isinstance(error, InvalidEventError):
        own |= {"violations": error.violations, "needed": NEEDED}
    log(str(error), **{**error.details, **own, **figures})
