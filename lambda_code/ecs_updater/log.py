"""One structured line of log per update: what it was about, what changed, how long it took and how
many AWS calls it cost.

Never the environment, the event as a whole, or a credential.
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


def say_whether_there_is_a_ledger(table: object) -> None:
    """Logs, once for a function's environment, that it works without a ledger."""
    if table is None:
        logger.info("no LEDGER_TABLE: this function works without lease and history")


def warn_of_what_is_unrestricted(environment: Mapping[str, str]) -> None:
    """Logs one warning, once for a function's environment, where a list of what may be deployed is
    empty.
    """
    everything = {"ALLOWED_IMAGES": "every image", "ALLOWED_SERVICES": "every service"}
    if empty := [setting for setting in everything if not environment.get(setting)]:
        every = " and ".join(everything[setting] for setting in empty)
        logger.warning(f"no {' and no '.join(empty)}: this function accepts {every}")


def tell_about(event: Any, request_id: str | None = None) -> None:
    """Lets the lines of this invocation name the cluster and the service of ``event``, and the id
    of a request over HTTP.
    """
    logger.thread_safe_append_keys(
        **_about(event), **({"http_request_id": request_id} if request_id else {})
    )


def logged(event: Any, context: Any, work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Does ``work``, the handling of ``event``, and logs what came of it, with the AWS calls that
    it cost.

    Raises the errors of ``errors`` only: what is none of them is logged with its traceback and
    becomes an InternalError.
    """
    tell_about(event)

    def work_and_tell() -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
        answer = work()
        body = answer["body"]
        told = {name: body.get(name) for name in ("changed", "changes", "deployment")}
        return "update", {"service_arn": body.get("AFTER", {}).get("serviceArn"), **told}, answer

    return _logged(context, work_and_tell)


def logged_run(context: Any, work: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The same for a run of the completer: its whole answer is the line."""

    def work_and_tell() -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
        answer = work()
        return "complete", answer, answer

    return _logged(context, work_and_tell)


def logged_read(
    path: str, context: Any, work: Callable[[], Mapping[str, Any]]
) -> Mapping[str, Any]:
    """The same for a question over HTTP, to which nothing changes: the line says what was asked and
    how many there were.
    """

    def work_and_tell() -> tuple[str, Mapping[str, Any], Mapping[str, Any]]:
        answer = work()
        counts = {name: len(value) for name, value in answer.items() if isinstance(value, list)}
        return "read", {"path": one_line(path), **counts}, answer

    return _logged(context, work_and_tell)


def _logged(
    context: Any, work: Callable[[], tuple[str, Mapping[str, Any], Mapping[str, Any]]]
) -> Mapping[str, Any]:
    """Does ``work``, which returns a line's message and fields and the answer.

    For any number of threads.
    """
    begin = time.monotonic()
    logger.thread_safe_append_keys(request_id=getattr(context, "aws_request_id", None))

    def figures() -> dict[str, Any]:
        return {
            "duration_ms": round(1000 * (time.monotonic() - begin)),
            "aws_calls": dict(sorted(Counter(calls).items())),
        }

    with counted() as calls:
        try:
            message, fields, answer = work()
            logger.info(message, **fields, **figures())
            return answer
        except EcsUpdaterError as error:
            _log_error(error, figures())
            # Lambda puts the traceback into its answer: the caller gets this one line of it, not
            # our frames and AWS's.
            raise error.with_traceback(None) from None
        except Exception as error:
            logger.exception("a defect of this function", **figures())
            raise InternalError(
                f"{type(error).__name__}: a defect of ecs-updater, the "
                "function's log has the details"
            ) from None
        finally:
            logger.thread_safe_clear_keys()


def _about(event: Any) -> dict[str, str]:
    """The cluster and the service as the event, whatever it is, or the function's environment names
    them.
    """
    named = event if isinstance(event, dict) else {}
    defaults = {"ecs_cluster_name": "CLUSTER_NAME", "ecs_service_name": "SERVICE_NAME"}
    values = {
        name: named.get(name, os.environ.get(variable)) for name, variable in defaults.items()
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
