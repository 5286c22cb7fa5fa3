"""Tells the ledger at once of an update that cannot succeed, so that nobody waits for it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..context import Call
from ..deployments.recovery import Recovery
from ..errors import EcsUpdaterError, one_line
from ..ledger.entry import Entry, Side, State
from ..ledger.lease import Holder, Leases
from ..ledger.store import History
from ..model.arn import cluster_arn_of, cluster_name, service_key
from ..model.event_parser import ROLLBACK
from ..model.request import fingerprint_of_event
from ..settings import Settings
from .message import LONGEST_ID

_NAMED = re.compile(r"[\w-]{1,255}|arn:.{1,1024}", re.ASCII)


class Refusals:
    """The ends of updates that nobody tries again."""

    def __init__(
        self,
        history: History,
        leases: Leases,
        recovery: Recovery,
        arn_prefix: str,
        settings: Settings,
    ):
        """``arn_prefix``: of the account's services, ``arn:aws:ecs:eu-west-1:123456789012:``, for
        events that name them.

        ``settings`` have the cluster and the service of events that name none.
        """
        self._history, self._leases, self._recovery, self._prefix = (
            history,
            leases,
            recovery,
            arn_prefix,
        )
        self._settings = settings

    def key(self, event: Mapping[str, Any]) -> str | None:
        """The key of the service that an event names; None where it names none that there could
        be.
        """
        cluster = event.get("ecs_cluster_name", self._settings.cluster)
        service = event.get("ecs_service_name", self._settings.service)
        if not isinstance(cluster, str) or not isinstance(service, str):
            return None
        if not all(_NAMED.fullmatch(one) for one in (cluster, service)):
            return None
        cluster_arn = cluster if cluster.startswith("arn:") else f"{self._prefix}cluster/{cluster}"
        service_arn = (
            service
            if service.startswith("arn:")
            else f"{self._prefix}service/{cluster_name(cluster_arn)}/{service}"
        )
        try:
            return service_key(service_arn, cluster_arn)
        except ValueError:
            return None

    def write(
        self, event: Mapping[str, Any], error: EcsUpdaterError, call: Call, verdict: str
    ) -> bool:
        """Lets the update of ``event`` have ended with ``error``, for good.

        False where the event names no service, and where another update has its ``request_id``. An
        end that the update itself has written stays. An update that has begun and not ended is
        settled as it is found: undone, or, where its deployment was made after all, left for the
        completer. Raises LeaseHeldError, LedgerError or ServiceReadError.
        """
        request_id = event["request_id"]
        key = self.key(event)
        if not isinstance(request_id, str) or len(request_id) > LONGEST_ID or key is None:
            return False
        entry = self._history.find(request_id)
        if entry is None:
            with self._leases.hold(key, holder := Holder.of(request_id)) as hold:
                fence = hold.lease.fence
                new = replace(
                    _entry(key, event, call),
                    number=fence,
                    fence=fence,
                    owner=holder.id,
                    request_id=request_id,
                )
                entry = self._history.refuse(new.refused(verdict, str(error), error))
        if entry.service != key or entry.fingerprint not in (None, fingerprint_of_event(event)):
            return False
        if entry.state in (State.BEGUN, State.REGISTERED, State.TAGGED):
            with self._leases.hold(entry.service, Holder.of(request_id)) as hold:
                entry = self._recovery.settle(entry, hold)
        if entry.is_ended and entry.may_be_repeated:
            self._history.give_up(entry)
        return True


def _entry(key: str, event: Mapping[str, Any], call: Call) -> Entry:
    image, container = event.get("ecs_image_name"), event.get("ecs_container_name")
    wanted = (
        {one_line(container): one_line(image)}
        if container and isinstance(container, str) and isinstance(image, str)
        else {}
    )
    return Entry(
        service=key,
        number=0,
        request_id="",
        owner="",
        fence=0,
        cluster_arn=cluster_arn_of(key),
        service_arn=key,
        before=Side(),
        after=Side(images=wanted),
        action=ROLLBACK if event.get("action") == ROLLBACK else "update",
        caller=call.caller,
        batch=call.batch,
        fingerprint=fingerprint_of_event(event),
        deploys=False,
    )
