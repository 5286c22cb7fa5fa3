"""New revisions that the services of a batch share.

    pk        sk                      item
    --------  ----------------------  ---------------------------------------------------------
    BATCH#id  REVISION#key            `arn`, or `holder` and `until` of the claim; `claims`
    BATCH#id  REVISION#key#service    `request_id` of the service's update that may use it

The key is a hash of the running revision and of the new one. One update claims the key and
registers the revision, and the others use it. After a kill the claim expires. Then the next update
looks for the revision before it registers one. A claim that expires too early costs another
revision and nothing else: each update deploys a revision with the requested content.

One update of a service may use a shared revision. So a deployment of the revision in the service is
that update's own, as with a revision that is not shared.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from ..aws.dynamodb import ConditionFailed, Put, Table, Update
from ..errors import LedgerError
from .batch import batch_key

CLAIM_SECONDS = 15
"""Longer than a call of RegisterTaskDefinition with its retries usually takes."""

_REVISION = "REVISION#"


class _Store(Protocol):
    """Ends a claim."""

    def store(self, key: str, holder: str, arn: str | None) -> None:
        """Stores the revision, or without one that nobody claims it."""


@dataclass(frozen=True)
class Claim:
    """The state of a shared revision, for one update."""

    arn: str | None = None
    """The registered revision."""
    is_own: bool = False
    """Whether the update registers the revision."""
    may_be_registered: bool = False
    """Whether an earlier holder of the claim may have registered the revision."""
    shared: _Store | None = None
    key: str = ""
    holder: str = ""

    def end(self, arn: str | None = None) -> None:
        """Stores the revision, or without one that nobody claims it.

        No effect on the claim of another update. Without the ledger, the claim expires.
        """
        if self.is_own and self.shared:
            with suppress(LedgerError):
                self.shared.store(self.key, self.holder, arn)


NO_CLAIM = Claim()
"""The revision is not shared."""


class SharedRevisions:
    """The shared revisions of one batch in the ledger's table. All methods raise LedgerError."""

    def __init__(self, table: Table, batch: str, *, retention: int, clock: Callable[[], float]):
        """`retention`: seconds for which a revision is shared."""
        self._table, self._pk = table, batch_key(batch)
        self._retention, self._clock = retention, clock

    def is_expected(self, key: str) -> bool:
        """Returns whether the revision is registered, or another update registers it. One call."""
        item = self._table.get(self._pk, f"{_REVISION}{key}") or {}
        return "arn" in item or item.get("until", 0) >= self._clock()

    def may_use(self, key: str, service: str, request_id: str) -> bool:
        """Returns whether no other update of the service may use the revision. One call."""
        item = {
            "pk": self._pk,
            "sk": f"{_REVISION}{key}#{service}",
            "request_id": request_id,
            "expires": self._expires(),
        }
        condition = "attribute_not_exists(#request_id) OR #request_id = :request_id"
        try:
            self._table.put(Put(item, condition, {"request_id": request_id}))
        except ConditionFailed:
            return False
        return True

    def claim(self, key: str, holder: str, instead_of: str = "") -> Claim:
        """Claims a revision that is not registered and that no other update claims. One call.

        `holder`: the update's `request_id`. `instead_of`: a registered revision that is unusable.
        """
        now = self._clock()
        update = Update(
            self._pk,
            f"{_REVISION}{key}",
            "SET #holder = :holder, #until = :until, #expires = :expires, "
            "#claims = if_not_exists(#claims, :zero) + :one REMOVE #arn",
            "#arn = :instead_of OR (attribute_not_exists(#arn) AND "
            "(attribute_not_exists(#holder) OR #holder = :holder OR #until < :now))",
            {
                "holder": holder,
                "until": now + CLAIM_SECONDS,
                "now": now,
                "expires": self._expires(),
                "instead_of": instead_of,
                "zero": 0,
                "one": 1,
            },
        )
        try:
            claims: int = self._table.update(update)["claims"]
        except ConditionFailed as error:
            return Claim((error.items[0] or {}).get("arn"))
        return Claim(None, True, claims > 1, self, key, holder)

    def store(self, key: str, holder: str, arn: str | None) -> None:
        """Ends the holder's claim. One call."""
        change = "SET #arn = :arn REMOVE #holder, #until" if arn else "REMOVE #holder, #until"
        values = {"holder": holder} | ({"arn": arn} if arn else {})
        update = Update(self._pk, f"{_REVISION}{key}", change, "#holder = :holder", values)
        # It is stored already, or another update has the claim.
        with suppress(ConditionFailed):
            self._table.change(update)

    def _expires(self) -> int:
        return int(self._clock() + self._retention)
