"""What an update, a wait or a rollback came to, for the caller and for the ledger. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import EcsUpdaterError, rebuilt
from ..ledger.entry import Entry
from ..result import Answer


@dataclass(frozen=True)
class Conclusion:
    """What the caller is told: an answer or an error, or neither while nothing is known yet."""

    answer: Answer | None = None
    error: EcsUpdaterError | None = None
    is_final: bool = True
    """Whether nothing follows: otherwise the rollout, or the rollback, goes on."""
    verdict: str = ""


def failed(
    kind: type[EcsUpdaterError],
    sentence: str,
    verdict: str,
    entry: Entry,
    deployment: Mapping[str, Any] | None = None,
    *,
    is_final: bool = True,
) -> Conclusion:
    """The conclusion that is an error.

    ``deployment`` is what the log is told of it beside the sentence.
    """
    details: dict[str, object] = {
        "service_arn": entry.service_arn,
        "deployment": dict(deployment or {}),
    }
    return Conclusion(
        error=kind(sentence).with_details(details), is_final=is_final, verdict=verdict
    )


def error_of(entry: Entry) -> EcsUpdaterError:
    """The error with which ``entry`` ended."""
    return rebuilt(entry.error_type or "", entry.error_message or "", entry.error_attributes or {})
