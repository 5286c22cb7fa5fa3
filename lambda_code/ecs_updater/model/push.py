"""A push to Amazon ECR, as its EventBridge event reports it.

https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import InvalidEventError, one_line
from .event_parser import parse_json

_DIGEST = re.compile("sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Push:
    """A tag that was pushed."""

    account: str
    """Id of the registry."""
    region: str
    repository: str
    """Name of the repository, such as `shop/web`."""
    tag: str
    digest: str
    pushed_at: int
    """Time of the event in seconds since the epoch."""

    @property
    def place(self) -> tuple[str, str, str]:
        """Returns registry, region and repository, which identify a repository."""
        return self.account, self.region, self.repository

    @classmethod
    def parse(cls, body: str) -> "Push | None":
        """Returns the push of a message's body. None: the event is not about a pushed tag.

        Raises InvalidEventError for a text that is not an event.
        """
        try:
            event = parse_json(body, "the message")
            detail = event["detail"]
            is_push = (event["detail-type"], detail["action-type"], detail["result"]) == (
                "ECR Image Action",
                "PUSH",
                "SUCCESS",
            )
            # An image of an index is pushed without a tag.
            return cls._of(event, detail) if is_push and detail.get("image-tag") else None
        except (AttributeError, KeyError, RecursionError, TypeError, ValueError) as error:
            reason = f"{type(error).__name__}: {one_line(str(error), 100)}"
            raise InvalidEventError(
                f"the message is not an event of Amazon ECR: {reason}"
            ) from None

    @classmethod
    def _of(cls, event: Mapping[str, Any], detail: Mapping[str, Any]) -> "Push":
        texts = {
            "account": event["account"],
            "region": event["region"],
            "repository": detail["repository-name"],
            "tag": detail["image-tag"],
            "digest": detail["image-digest"],
        }
        if not all(isinstance(text, str) for text in texts.values()):
            raise TypeError("a field is not a text")
        if not _DIGEST.fullmatch(texts["digest"]):
            raise ValueError(f"the digest {texts['digest']!r} is not a SHA-256")
        return cls(**texts, pushed_at=int(datetime.fromisoformat(event["time"]).timestamp()))
