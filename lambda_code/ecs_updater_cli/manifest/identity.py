"""Which service an event names: names and ARNs of the same service are the same."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ecs_updater.model.arn import service_key


@dataclass(frozen=True)
class ServiceIdentity:
    """A service, as far as an event says which."""

    cluster: str
    service: str
    """Both by name."""
    account: str | None = None
    """How its ARN begins, ``arn:aws:ecs:eu-west-1:123456789012:``; None where the event has names
    alone.
    """

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> "ServiceIdentity":
        """That of an event that fits the schema."""
        cluster, service = event["ecs_cluster_name"], event["ecs_service_name"]
        arn = next((text for text in (cluster, service) if text.startswith("arn:")), None)
        account = ":".join(arn.split(":")[:5]) + ":" if arn else None
        return cls(cluster.rpartition("/")[2], service.rpartition("/")[2], account)

    def may_be(self, other: "ServiceIdentity") -> bool:
        """Whether it is the same service, in the account that both are about."""
        is_one_account = None in (self.account, other.account) or self.account == other.account
        return is_one_account and (self.cluster, self.service) == (other.cluster, other.service)

    def key(self, account: str) -> str:
        """The service's key in the ledger, where ``account`` is that of this command."""
        return service_key(f"{account}service/{self.cluster}/{self.service}")

    def __str__(self) -> str:
        return f"{self.cluster}/{self.service}"
