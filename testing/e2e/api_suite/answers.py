"""What is so of every answer of the API, and of every error."""

from typing import Any

from requests import Response

from e2e.event_suite.api import Api


def answered(reply: Response, status: int = 200) -> Any:
    """The JSON of an answer, which no cache may keep and no browser may take for something else."""
    assert reply.status_code == status, (reply.status_code, reply.content[:500])
    assert reply.headers["content-type"].partition(";")[0] == "application/json"
    assert (reply.headers["cache-control"], reply.headers["x-content-type-options"]) == (
        "no-store",
        "nosniff",
    )
    return reply.json()


def refused(api: Api, reply: Response, status: int, *types: str) -> str:
    """The message of an error of one of these types: three fields, two that some errors have, and
    no internals, no key.
    """
    assert reply.status_code == status, (reply.status_code, reply.content[:500])
    assert reply.headers["content-type"].partition(";")[0] == "application/json"
    error = reply.json()
    assert error.keys() - {"violations", "hint"} == {"errorType", "errorMessage", "requestId"}
    assert all(
        error[name] and isinstance(error[name], str)
        for name in ("errorType", "errorMessage", "requestId")
    )
    assert not types or error["errorType"] in types, error
    if error["errorType"] == "InvalidEventError":
        assert error["violations"] and all(
            isinstance(violation, str) for violation in error["violations"]
        )
    text = reply.content.decode()
    assert not [
        word for word in ("Traceback", 'File \\"', ".py", "stackTrace", api.key) if word in text
    ]
    return error["errorMessage"]
