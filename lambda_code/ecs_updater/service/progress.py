"""What is told of a write while it goes on, so that whoever finds it interrupted knows how far it
came.
"""

from typing import Protocol


class Progress(Protocol):
    """Who is told. Any of these can raise LeaseHeldError (somebody else has the service now) or
    LedgerError.
    """

    def before_write(self) -> None:
        """A write to ECS comes next: is it still ours to do?"""

    def may_take_back(self) -> bool:
        """Whether what was written may still be taken back, although the ledger cannot be asked."""

    def registered(self, task_definition_arn: str) -> None:
        """The new revision is registered; tags come next."""

    def tagged(self) -> None:
        """The tags are written; the deployment comes next."""
