"""Metrics in Amazon CloudWatch. docs/operations.md has their names, units and costs.

A measurement is one line of JSON on stdout in the embedded metric format: CloudWatch Logs makes the
metrics from it, without a call. The variable `UPDATER_NAME`, the value of the dimension `updater`,
switches them on.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from .log import logger

NAMESPACE = "ecs-updater"

Values = Mapping[str, tuple[float, MetricUnit]]
"""Value and unit of each metric."""


def count_verdict(entry: Any) -> None:
    """Counts the verdict of an ended update of the ledger, and measures the time until then.

    An update that a retry may repeat is counted when it is not repeated any more.
    """
    if entry.may_be_repeated:
        return
    verdict = {"verdict": str(entry.verdict)}
    of_cluster = {"cluster": entry.cluster_arn.rpartition("/")[2]} | verdict
    sets = [verdict, of_cluster]
    if os.environ.get("METRICS_BY_SERVICE") == "true":
        sets.append({"service": entry.service_arn.rpartition("/")[2]} | of_cluster)
    _put({"Verdicts": (1, MetricUnit.Count)}, *sets)
    if entry.deployment_id:
        begun, ended = map(datetime.fromisoformat, (entry.begun_at, entry.ended_at))
        seconds = (ended - begun).total_seconds()
        _put({"DurationToVerdict": (seconds, MetricUnit.Seconds)}, verdict)


def measure_lease_wait(seconds: float) -> None:
    """Measures how long an update waited for the lease of its service."""
    _put({"LeaseWait": (seconds, MetricUnit.Seconds)})


def measure_rate_limit_wait(seconds: float) -> None:
    """Measures how long a call waited for a rate limit of ECS."""
    _put({"RateLimitWait": (seconds, MetricUnit.Seconds)})


def count_retry(operation: str) -> None:
    """Counts a call of AWS that the SDK repeats. The line also has the operation."""
    _put({"Retries": (1, MetricUnit.Count)}, operation=operation)


def count_rejected_message(message_id: str) -> None:
    """Counts a message that the worker sends to the dead-letter queue. The line has its id."""
    _put({"RejectedMessages": (1, MetricUnit.Count)}, message_id=message_id)


def measure_run(*, open_updates: int, oldest_seconds: float, overdue: int, skipped: int) -> None:
    """Measures what a run of the reconciler over all services leaves.

    `oldest_seconds`: age of the oldest open update. `overdue`: updates without a change for
    longer than OPEN_UPDATE_MAX_HOURS. `skipped`: entries or services that it could not reconcile.
    """
    _put(
        {
            "OpenUpdates": (open_updates, MetricUnit.Count),
            "OldestOpenUpdate": (oldest_seconds, MetricUnit.Seconds),
            "OverdueUpdates": (overdue, MetricUnit.Count),
            "SkippedEntries": (skipped, MetricUnit.Count),
        }
    )


def _put(values: Values, *sets: Mapping[str, str], **fields: str) -> None:
    """Writes one line with the metrics in each set of dimensions, by default with `updater` only.

    `fields`: further fields of the line. Raises nothing: an update goes on without its metrics.
    """
    updater = os.environ.get("UPDATER_NAME")
    if not updater:
        return
    try:
        # Without a service of its own: it would be a dimension.
        emf = EphemeralMetrics(namespace=NAMESPACE, service="")
        first, *others = ({"updater": updater} | dict(each) for each in sets or ({},))
        for name, value in first.items():
            emf.add_dimension(name, value)
        for dimensions in others:
            emf.add_dimensions(**dimensions)
        for name, field in fields.items():
            emf.add_metadata(name, field)
        for name, (number, unit) in values.items():
            emf.add_metric(name, unit, number)
        emf.flush_metrics()
    except Exception:  # pylint: disable=broad-exception-caught
        logger.exception("a metric could not be written")
