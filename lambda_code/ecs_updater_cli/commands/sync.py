"""`ecs-updater sync` and `export`: a file of deployments as the source of the services."""

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from ecs_updater.aws.ecs import Ecs
from ecs_updater.context import REAL_TIME
from ecs_updater.deployments.reader import read
from ecs_updater.errors import AwsFailure, CallerFault
from ecs_updater.model.arn import name_of, nearest
from ecs_updater.model.event_parser import ROLLBACK
from ecs_updater.model.request import TARGET
from ecs_updater.model.service import ServiceDescription, Snapshot
from ecs_updater.model.tags import MERGE
from ecs_updater.model.task_definition import container_images

from ..backends.account import Account
from ..backends.aws_errors import aws_errors
from ..backends.preview import read_services
from ..backends.settings import allowing, environment
from ..batch.state import plain_cause
from ..errors import NOT_ALL, SUCCEEDED, input_error
from ..manifest.checks import problems_of_event
from ..manifest.entries import DEFAULTS, LIST, ManifestEntry, in_target, tasks_before
from ..manifest.values import Problem
from ..output.plan import show_comparison, show_drift
from ..output.terminal import Printer, safe
from .deploy import plan_services, start_batch
from .options import AccountOptions, StartOptions
from .validate import chosen_file, read_entries


def sync(
    file: Path | None,
    file_option: Path | None,
    check: bool,
    waves: bool,
    max_failures: int | None,
    target: str | None,
    options: StartOptions,
) -> int:
    """Deploys the entries of a file that differ from their services. Returns the exit code."""
    file = chosen_file(file, file_option)
    entries = in_target(read_entries(file), target)
    _reject_rollbacks(entries, str(file))
    account, printer = Account(options.name, options.region, options.profile), Printer()
    # A service does not show whether a deployment was forced.
    states = [entry.event | {"force_new_deployment": False} for entry in entries]
    plans = list(plan_services(account, states, options))
    show_drift(plans, printer, options.as_json)
    differing = [entry for entry, plan in zip(entries, plans, strict=True) if plan.differs]
    if check or not differing:
        return show_comparison(plans, printer, options.as_json)
    # The numbers of a batch are those of its own entries.
    differing = [replace(entry, index=index) for index, entry in enumerate(differing)]
    return start_batch(
        account,
        [entry.event for entry in differing],
        [entry.group if waves else None for entry in differing],
        options,
        max_failures,
        tasks_before(differing),
    )


def _reject_rollbacks(entries: Sequence[ManifestEntry], file: str) -> None:
    """Raises CommandError if there is a rollback, which names no state to compare."""
    for entry in entries:
        if entry.event.get("action") == ROLLBACK:
            position, name, _ = entry.where(["action"])
            sentence = "sync cannot compare a rollback with a service: name the earlier image"
            raise input_error(Problem(position, name, sentence).in_file(file))


def export(cluster: str, target: str | None, options: AccountOptions) -> int:
    """Prints a file of deployments of the services of a cluster. Returns the exit code."""
    account, printer = Account(options.name, options.region, options.profile), Printer()
    request, ecs = account.locate(cluster, "", target)
    place = f"the target {target}" if target else account.region
    names = _service_names(ecs, request.cluster, place)
    common = {
        **({TARGET: target} if target else {}),
        "ecs_cluster_name": cluster,
        "ecs_tag_mode": MERGE,
    }
    allowed = allowing()

    def read_event(index: int, service: ServiceDescription | None) -> dict[str, Any] | str:
        """Returns the event, or the reason why there is none."""
        name = names[index]
        try:
            snapshot = read(ecs, replace(request, service=name), None, service)
        except CallerFault as error:
            return plain_cause(str(error)).removeprefix(f"ecs_service_name {name} ")
        event = _event_of(name, snapshot)
        for problem in problems_of_event(common | event, allowed):
            return ": ".join(filter(None, ("cannot be written", problem.path, problem.sentence)))
        return event

    pairs = [(request.cluster, name) for name in names]
    settings = environment(account.table_name)
    found = list(read_services(account.ecs, settings, REAL_TIME, pairs, read_event))
    parts = [_yaml({DEFAULTS: common}), f"{LIST}:"]
    for name, event in zip(names, found, strict=True):
        parts.append(_yaml([event]) if isinstance(event, dict) else f"# {name} {safe(event)}")
    for part in parts:
        printer.raw(part)
    if any(isinstance(event, dict) for event in found):
        return SUCCEEDED
    printer.note(f"cluster {cluster} in {place} has no service that can be updated")
    return NOT_ALL


@aws_errors()
def _service_names(ecs: Ecs, cluster: str, place: str) -> list[str]:
    """Returns the names of a cluster's services. `place`: for the error. Raises CommandError."""
    try:
        return sorted(map(name_of, ecs.service_arns(cluster)))
    except AwsFailure as failure:
        if failure.code != "ClusterNotFoundException":
            raise
        name = name_of(cluster)
        meant = nearest(name, ecs.cluster_names())
        question = f": did you mean {meant}?" if meant else ""
        raise input_error(f"cluster {name} not found in {place}{question}") from None


def _event_of(name: str, snapshot: Snapshot) -> dict[str, Any]:
    """Returns the event that changes nothing: images and tags, and no value of a variable."""
    (container, image), *others = container_images(snapshot.task_definition).items()
    named = {"ecs_container_name": container, "ecs_container_images": dict(others)}
    return {
        "ecs_service_name": name,
        "ecs_image_name": image,
        **(named if others else {}),
        "ecs_tag": dict(sorted(snapshot.tags.items())),
    }


def _yaml(value: Any) -> str:
    """Returns a value as YAML in ASCII, which every terminal and pipe leaves as it is."""
    return yaml.safe_dump(value, sort_keys=False, width=math.inf).rstrip("\n")
