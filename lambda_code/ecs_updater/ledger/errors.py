"""What becomes of a failure of the ledger's table: one clear error, whichever call it was."""

from collections.abc import Iterator
from contextlib import contextmanager

from ..aws.dynamodb import Table
from ..aws.errors import AwsFailure, Outcome
from ..errors import LedgerError


@contextmanager
def told(table: Table) -> Iterator[None]:
    """Raises an AwsFailure inside as LedgerError."""
    try:
        yield
    except AwsFailure as failure:
        raise ledger_error(table, failure).caused_by(failure) from failure


def ledger_error(table: Table, failure: AwsFailure) -> LedgerError:
    """The error for ``failure`` of a call about ``table``: it names the setting that leads to the
    table.
    """
    if failure.code == "ResourceNotFoundException":
        return LedgerError(
            f"the table {table.name}, which the function's LEDGER_TABLE names, does not exist in "
            "this account and region: "
            "make it, or leave LEDGER_TABLE empty to work without lease and history"
        )
    if failure.outcome is Outcome.NOT_PERMITTED:
        return LedgerError(
            f"the function's role may not do {failure.operation} on the table {table.name} of "
            f"its LEDGER_TABLE: {failure}"
        )
    return LedgerError(
        f"{failure.operation} failed on the table {table.name} of the function's "
        f"LEDGER_TABLE: {failure}"
    )
