"""Ends an update that cannot succeed in the ledger, so that nobody waits for it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .. import metrics
from ..aws.targets import TargetAccess
from ..context import Call
from ..deployments.recovery import Recoveries
from ..errors import EcsUpdaterError, InvalidEventError, one_line
from ..ledger.entry import Entry, Side
from ..ledger.lease import Holder, Leases
from ..ledger.store import History
from ..model.arn import account_prefix, cluster_arn_of, name_of, service_key
from ..model.event_parser import ROLLBACK
from ..model.request import TARGET, fingerprint_of_event
from ..model.targets import HOME
from ..settings import Settings
from .message import LONGEST_ID

_NAME_OR_ARN = re.compile(r"[\w-]{1,255}|arn:.{1,1024}", re.ASCII)


class Rejections:
    """Writes the rejections of updates that are not retried."""

    def __init__(
        self,
        history: History,
        leases: Leases,
        recoveries: Recoveries,
        targets: TargetAccess,
        arn_prefix: str,
        settings: Settings,
    ):
        """`arn_prefix`: `arn:aws:ecs:eu-west-1:123456789012:`, for events that name the service.

        `settings`: the default cluster and service.
        """
        self._history, self._leases, self._recoveries = history, leases, recoveries
        self._targets, self._prefix, self._settings = targets, arn_prefix, settings

    def key(self, event: Mapping[str, Any]) -> str | None:
        """Returns the key of the event's service. None: the event names no possible service.

        Raises ConfigurationError if the targets are needed and cannot be read.
        """
        cluster = event.get("ecs_cluster_name", self._settings.cluster)
        service = event.get("ecs_service_name", self._settings.service)
        if (
            not isinstance(cluster, str)
            or not isinstance(service, str)
            or not _NAME_OR_ARN.fullmatch(cluster)
            or not _NAME_OR_ARN.fullmatch(service)
        ):
            return None
        try:
            if not cluster.startswith("arn:"):
                cluster = f"{self._prefix_of(event.get(TARGET))}cluster/{cluster}"
            if not service.startswith("arn:"):
                service = f"{account_prefix(cluster)}service/{name_of(cluster)}/{service}"
            return service_key(service, cluster)
        except (InvalidEventError, ValueError):
            return None

    def _prefix_of(self, target: Any) -> str:
        """Returns the beginning of the ARNs in the target of an event."""
        if target in (None, HOME):
            return self._prefix
        return self._targets.named(str(target)).prefix

    def write(
        self, event: Mapping[str, Any], error: EcsUpdaterError, call: Call, verdict: str
    ) -> bool:
        """Writes that the update of `event` ended with `error`, for good.

        Returns False if the event names no service, or if another update has its `request_id`. An
        end that the update has written itself stays. An update that is open is reconciled: it is
        undone or, if its deployment was made or its task may run, left to the reconciler. Raises
        LeaseHeldError, LedgerError, ServiceReadError or ConfigurationError.
        """
        request_id = event["request_id"]
        key = self.key(event)
        if not isinstance(request_id, str) or len(request_id) > LONGEST_ID or key is None:
            return False
        entry = self._history.find(request_id)
        if entry is None:
            with self._leases.held(key, holder := Holder.of(request_id)) as lease:
                rejected = _entry(
                    key, event, call, request_id, owner=holder.id, fence=lease.fence
                ).refused(verdict, str(error), error)
                begun = self._history.begin(rejected)
                entry = begun.entry
                if begun.is_new:
                    metrics.count_verdict(entry)
        if entry.service != key or entry.fingerprint not in (None, fingerprint_of_event(event)):
            return False
        if entry.is_before_deployment:
            with self._leases.held(entry.service, Holder.of(request_id)) as lease:
                entry = self._recoveries.of(key).recover(entry, lease)
                if entry.is_before_deployment and entry.task:
                    given_up = replace(entry.task, is_given_up=True)
                    entry = self._history.advance(replace(entry, task=given_up))
        if entry.is_ended and entry.may_be_repeated:
            self._history.give_up(entry)
            metrics.count_verdict(replace(entry, may_be_repeated=False))
        return True


def _entry(
    key: str, event: Mapping[str, Any], call: Call, request_id: str, *, owner: str, fence: int
) -> Entry:
    image, container = event.get("ecs_image_name"), event.get("ecs_container_name")
    images = (
        {one_line(container): one_line(image)}
        if container and isinstance(container, str) and isinstance(image, str)
        else {}
    )
    return Entry(
        service=key,
        number=fence,
        request_id=request_id,
        owner=owner,
        fence=fence,
        cluster_arn=cluster_arn_of(key),
        service_arn=key,
        before=Side(),
        after=Side(images=images),
        action=ROLLBACK if event.get("action") == ROLLBACK else "update",
        caller=call.caller,
        batch=call.batch,
        fingerprint=fingerprint_of_event(event),
        deploys=False,
    )
