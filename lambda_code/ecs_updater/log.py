"""One structured log line per update: service, changes, duration and number of AWS calls.

Never the environment, the whole event, or a credential.
"""

import os
import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from aws_lambda_powertools import Logger

from .context import counted
from .errors import NEEDED, CallerFault, EcsUpdaterError, InternalError, InvalidEventError, one_line

logger = Logger(service=os.environ.get("POWERTOOLS_SERVICE_NAME") or "ecs-updater")

Answer = Mapping[str, Any]


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


def add_log_keys(event: Any, request_id: str | None = None) -> None:
    """Adds cluster and service of `event`, and the id of an HTTP request, to the log lines."""
    http_request = {"http_request_id": request_id} if request_id else {}
    logger.thread_safe_append_keys(**_names_in(event), **http_request)


def log_update(event: Any, context: Any, work: Callable[[], Answer]) -> Answer:
    """Runs `work`, which handles `event`, and logs its outcome and its AWS calls.

    Raises EcsUpdaterError only: any other error is logged with its traceback and becomes an
    InternalError.
    """
    add_log_keys(event)

    def fields(answer: Answer) -> Mapping[str, Any]:
        body = answer["body"]
        return {
            "service_arn": body.get("AFTER", {}).get("serviceArn"),
            **{name: body.get(name) for name in ("changed", "changes", "deployment")},
        }

    return _log(context, work, "update", fields)


def log_run(context: Any, work: Callable[[], Answer]) -> Answer:
    """Like `log_update` for a run of the reconciler. Logs the whole answer."""
    return _log(context, work, "complete", lambda answer: answer)


def log_read(path: str, context: Any, work: Callable[[], Answer]) -> Answer:
    """Like `log_update` for a read request over HTTP. Logs the path and the lengths of lists."""

    def fields(answer: Answer) -> Mapping[str, Any]:
        counts = {name: len(value) for name, value in answer.items() if isinstance(value, list)}
        return {"path": one_line(path), **counts}

    return _log(context, work, "read", fields)


def _log(
    context: Any,
    work: Callable[[], Answer],
    message: str,
    fields: Callable[[Answer], Mapping[str, Any]],
) -> Answer:
    """Runs `work` and logs `message` with the `fields` of its answer. For any number of threads."""
    begin = time.monotonic()
    logger.thread_safe_append_keys(request_id=getattr(context, "aws_request_id", None))

    def figures() -> dict[str, Any]:
        return {
            "duration_ms": round(1000 * (time.monotonic() - begin)),
            "aws_calls": dict(sorted(Counter(calls).items())),
        }

    with counted() as calls:
        try:
            answer = work()
            logger.info(message, **fields(answer), **figures())
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
        finally:
            logger.thread_safe_clear_keys()


def _names_in(event: Any) -> dict[str, str]:
    """Returns cluster and service of the event, else of the environment."""
    fields = event if isinstance(event, dict) else {}
    defaults = {"ecs_cluster_name": "CLUSTER_NAME", "ecs_service_name": "SERVICE_NAME"}
    values = {
        name: fields.get(name, os.environ.get(variable)) for name, variable in defaults.items()
    }
    return {
        name: one_line(value) for name, value in values.items() if isinstance(value, str) and value
    }


def _log_error(error: EcsUpdaterError, figures: dict[str, Any]) -> None:
    if isinstance(error, InvalidEventError):
        for violation in error.violations:
            logger.error(f"[ERROR][json_validation] {violation}")
        logger.error(NEEDED)
    log = logger.warning if isinstance(error, CallerFault) else logger.error
    hint = {"hint": error.hint} if error.hint else {}
    log(str(error), **{**error.details, **hint, "error_type": type(error).__name__, **figures})
