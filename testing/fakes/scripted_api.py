"""The page's document and an API behind it on loopback: its routes answer from plain lists, or what
a test says instead.
"""

import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from ecs_updater.api.ui import document

STAGE = "/v1"
KEY = "a-key-of-the-API-0123456789"
Answer = tuple[int, dict[str, str], Any]


def error(status: int, kind: str, message: str, **headers: str) -> Answer:
    """An error as the gateway and the function answer it; a header's name has underscores here."""
    body = {"errorType": kind, "errorMessage": message, "requestId": "4f1c2d3e"}
    return status, {name.replace("_", "-"): text for name, text in headers.items()}, body


FORBIDDEN = error(
    403, "Forbidden", "the header x-api-key is missing, or its value is not a key of this API"
)
UNAUTHORIZED = error(401, "Unauthorized", "the header Authorization has no valid bearer token")


class ScriptedApi:
    """What the routes answer, and what they were requested."""

    def __init__(
        self, tag_filters: tuple[str, ...] = ("environment", "owner", "contact"), auth: str = "key"
    ):
        self.tag_filters, self.auth, self.has_approvals = tag_filters, auth, True
        self.services: list[dict[str, Any]] = []
        self.deployments: list[dict[str, Any]] = []
        self.unavailable: list[dict[str, str]] = []
        """Targets that the list cannot read."""
        self.page_size = 1000
        self.scope = {
            "account": "123456789012",
            "region": "eu-west-1",
            "environment": "production",
        }
        self.instead: dict[str, Answer] = {}
        """Answers to give instead, by route: ``list``, ``deployments``, ``deployments/{id}``."""
        self.requested: list[tuple[str, dict[str, str]]] = []
        """Route and query of every request to the API that had the key."""
        self.posted: list[tuple[str, str, Any]] = []
        """Of every answer to a hook that had the key, the name of its route, the update and the
        body.
        """
        self.headers: list[Mapping[str, str]] = []
        self.gate = threading.Event()
        """Cleared: the API does not answer until it is set."""
        self.gate.set()
        handler = type("Handler", (_Handler,), {"api": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )

    def __enter__(self) -> "ScriptedApi":
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self.gate.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """Where the page lies, as the output ApiInvokeUrl has it: without a slash at its end."""
        return f"{self.origin}{STAGE}"

    def queries(self, route: str) -> list[dict[str, str]]:
        """The queries that a route was requested, in their order."""
        return [query for requested, query in self.requested if requested == route]

    def answer(self, path: str, query: dict[str, str], headers: Mapping[str, str]) -> Answer:
        """The answer to ``GET path``."""
        if path in (STAGE, f"{STAGE}/"):
            text, more = document(self.tag_filters, self.auth, has_approvals=self.has_approvals)
            return 200, more, text
        self.headers.append(headers)
        route = re.sub(r"^deployments/.*$", "deployments/{id}", path.removeprefix(f"{STAGE}/"))
        if refusal := self._refusal(headers):
            return refusal
        self.requested.append((route, query))
        self.gate.wait(300)
        if route in self.instead:
            return self.instead[route]
        routes = {
            "list": lambda: self._list(query),
            "deployments": lambda: self._page("deployments", self._updates(query), query),
            "deployments/{id}": lambda: self._deployment(unquote(path.rpartition("/")[2])),
        }
        return routes[route]()

    def answer_post(self, path: str, body: Any, headers: Mapping[str, str]) -> Answer:
        """The answer to ``POST path``: that to a hook, which the update then has."""
        _, identity, name = path.removeprefix(f"{STAGE}/").split("/")
        if refusal := self._refusal(headers):
            return refusal
        self.posted.append((name, identity, body))
        if name in self.instead:
            return self.instead[name]
        (update,) = [each for each in self.deployments if each["id"] == identity]
        action = {"approve": "CONTINUE", "reject": "ROLLBACK"}[name]
        answer = {"hookId": body["hookId"], "stage": None, "action": action, "confirmed": True}
        answer |= {"by": "API key a1b2", "at": "2026-11-26T13:05:00.000Z"}
        update["approvals"] = [*update.get("approvals", ()), answer]
        return 200, {}, {"requestId": identity, "approval": answer}

    def _refusal(self, headers: Mapping[str, str]) -> Answer | None:
        """What a request without the key, or with `auth` jwt without the token, is answered."""
        if self.auth == "jwt":
            return None if headers.get("authorization") == f"Bearer {KEY}" else UNAUTHORIZED
        return None if headers.get("x-api-key") == KEY else FORBIDDEN

    def _deployment(self, identity: str) -> Answer:
        found = [each for each in self.deployments if each["id"] == identity]
        missing = error(404, "DeploymentNotFoundError", "there is no such deployment")
        return (
            (
                200,
                {},
                {"answer": None, "errorType": None, "errorMessage": None, "caller": None}
                | found[0],
            )
            if found
            else missing
        )

    def _updates(self, query: dict[str, str]) -> list[dict[str, Any]]:
        place, _, cluster = query.get("cluster", "").rpartition("cluster/")
        wanted = {"clusterName": cluster} if cluster else {}
        wanted |= {"serviceName": query["service"]} if "service" in query else {}
        return [
            update
            for update in self.deployments
            if wanted.items() <= update.items() and update["serviceArn"].startswith(place)
        ]

    def _list(self, query: dict[str, str]) -> Answer:
        wanted = {(key, query[key]) for key in self.tag_filters if key in query}
        types = query.get("launch_type", "FARGATE").split(",")
        services = [
            service
            for service in self.services
            if ("ALL" in types or service["launchType"] in types)
            and query.get("target") in (None, service.get("target") or "home")
            and wanted <= {(tag["key"], tag["value"]) for tag in service["tags"]}
        ]
        status, headers, page = self._page("services", services, query)
        return status, headers, page | {"unavailable": self.unavailable}

    def _page(self, name: str, rows: list[dict[str, Any]], query: dict[str, str]) -> Answer:
        begin = int(query.get("next", 0))
        end = begin + min(self.page_size, int(query.get("limit", 1000)))
        page = {name: rows[begin:end], "next": str(end) if end < len(rows) else None}
        return 200, {}, page | self.scope


class _Handler(BaseHTTPRequestHandler):
    api: ScriptedApi
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:  # pylint: disable=invalid-name  # The server looks for this name.
        """Answers one request."""
        url = urlsplit(self.path)
        self._respond(*self.api.answer(url.path, dict(parse_qsl(url.query)), self.headers))

    def do_POST(self) -> None:  # pylint: disable=invalid-name  # The server looks for this name.
        """Answers one request."""
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Content-Type"] == "application/json"
        self._respond(*self.api.answer_post(urlsplit(self.path).path, body, self.headers))

    def _respond(self, status: int, headers: dict[str, str], body: Any) -> None:
        content = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        standard = {
            "Content-Type": "application/json",
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        for name, text in {**standard, **headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(content)

    def handle(self) -> None:
        """Serves a connection; the browser closes some while an answer is on its way."""
        try:
            super().handle()
        except (BrokenPipeError, ConnectionResetError):
            pass

    def log_message(self, format: str, *args: Any) -> None:  # pylint: disable=redefined-builtin  # The server's own name for it.
        """Says nothing."""
