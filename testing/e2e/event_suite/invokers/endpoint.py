"""Where Lambda's API is, and what it does not show there."""

import json
import urllib.request
from collections.abc import Mapping
from urllib.parse import urljoin

_SECONDS = 10


def of_lambda(environment: Mapping[str, str]) -> str | None:
    """``$LAMBDA_ENDPOINT_URL``, which may be `sam local start-lambda`, else the one of every
    service; None is AWS's own.
    """
    return environment.get("LAMBDA_ENDPOINT_URL") or environment.get("AWS_ENDPOINT_URL") or None


def cannot_show(endpoint: str | None) -> frozenset[str]:
    """``errorType`` when the endpoint is the emulator's, else nothing; None is AWS's own.

    MiniStack calls every error of a Python function Runtime.HandlerError. Lambda gives the error's
    class, and so does `sam local start-lambda`.
    """
    return frozenset({"errorType"}) if endpoint and _is_emulator(endpoint) else frozenset()


def _is_emulator(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(
            urljoin(endpoint, "/_ministack/health"), timeout=_SECONDS
        ) as response:
            return "edition" in json.load(response)
    except (OSError, ValueError, TypeError):
        # Another program, or none: the invocation will fail.
        return False
