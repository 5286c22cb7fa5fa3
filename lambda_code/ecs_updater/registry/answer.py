"""What a registry said about a manifest or a blob."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Found:
    """It is there."""

    digest: str
    body: bytes
    media_type: str = ""
    """As the registry says; empty where it says nothing."""


@dataclass(frozen=True)
class Missing:
    """The registry knows that it is not there, or that it can never be."""

    reason: str


@dataclass(frozen=True)
class NoAnswer:
    """Nothing is known: the registry could not be reached, was too busy, or does not say it to
    us.
    """

    reason: str


Answer = Found | Missing | NoAnswer
