"""Answers of AWS that were made here, in the form in which botocore takes them from a
``before-send`` handler.
"""

import json
from email.utils import formatdate
from typing import Any

from botocore.awsrequest import AWSResponse


class _Raw:
    """As much of urllib3's response as botocore reads."""

    def __init__(self, content: bytes):
        self._content = content

    def stream(self, **_: Any) -> Any:
        """The whole content at once."""
        yield self._content


def answer_of(url: str, status: int, body: dict[str, Any], now: float | None = None) -> AWSResponse:
    """The answer ``body`` of a service that speaks JSON; ``now``: with the time by the service's
    clock.
    """
    content = json.dumps(body).encode()
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "x-amzn-RequestId": "0",
        "Content-Length": str(len(content)),
    }
    if now is not None:
        headers["Date"] = formatdate(now, usegmt=True)
    return AWSResponse(url, status, headers, _Raw(content))
