"""How an update ended, or how far it is. The words are part of the contract."""

from enum import StrEnum


class Verdict(StrEnum):
    """Outcome of an update. A member is its own JSON and DynamoDB value."""

    NO_CHANGE = "NO_CHANGE"
    """The requested state is in place and its deployment has completed."""
    IN_PROGRESS = "IN_PROGRESS"
    """The deployment was started and not waited for."""
    TIMED_OUT = "TIMED_OUT"
    """The wait ended before the rollout did."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    ROLLED_BACK = "ROLLED_BACK"
    ROLLBACK_FAILED = "ROLLBACK_FAILED"
    """The deployment failed, and ECS could not roll it back."""
    STOPPED = "STOPPED"
    """The deployment was stopped, or its service was deleted."""
    SUPERSEDED = "SUPERSEDED"
    """Another deployment took its place."""
    NOT_DEPLOYED = "NOT_DEPLOYED"
    """Only in the ledger: an error ended the update before its deployment was made."""
    INTERRUPTED = "INTERRUPTED"
    """Only in the ledger: the function ended before the deployment was made."""
    NOT_STARTED = "NOT_STARTED"
    """Only in the ledger: the batch was stopped before the update began."""
