"""Updates to put into a ledger, for its tests."""

from dataclasses import replace

import pytest

from ecs_updater.ledger.entry import Entry, Side
from ecs_updater.ledger.lease import Lease
from fakes.wire import CLUSTER_ARN, FAMILY_ARN

START = 1_800_000_000.0
ANSWER = {"statusCode": 200, "body": {"changed": True}}


def intent(lease: Lease, **fields: object) -> Entry:
    """What an update under this lease is about to do."""
    entry = Entry(
        service=lease.service,
        number=lease.fence,
        request_id=lease.holder.request_id,
        owner=lease.holder.id,
        fence=lease.fence,
        cluster_arn=CLUSTER_ARN,
        service_arn=lease.service,
        before=Side(f"{FAMILY_ARN}:1", {"app": "busybox"}, {"old": "tag"}),
        after=Side(None, {"app": "busybox:1.36"}, {"new": "tag"}),
    )
    return replace(entry, **fields)


def succeeded(entry: Entry) -> Entry:
    """The entry of an update that went well."""
    return (
        entry.registered(f"{FAMILY_ARN}:2")
        .tagged()
        .deployed("ecs-svc/2")
        .answered("SUCCEEDED", "it runs", ANSWER)
    )


def message_of(kind: type[Exception], call: object, *arguments: object) -> str:
    """The message of the error, of this kind, that ``call`` ends with."""
    with pytest.raises(kind) as raised:
        call(*arguments)
    return str(raised.value)
