"""Asking an ASGI application and a running server, without a client library."""

from __future__ import annotations

import asyncio
import gzip
import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote


@dataclass
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content(self) -> bytes:
        """The body, unpacked."""
        return gzip.decompress(self.body) if self.headers.get("content-encoding") == "gzip" else self.body

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.content)


class Asking:
    """Asks an application as a server would hand requests to it: the path decoded, and not tidied up."""

    def __init__(self, app: Any, host: str = "127.0.0.1:8080", **headers: str) -> None:
        self.app = app
        self.headers = {"host": host, **headers}

    def get(self, target: str, method: str = "GET", **headers: str) -> Answer:
        """Ask; underscores in the names of headers stand for hyphens."""
        path, _, query = target.partition("?")
        named = {name.replace("_", "-"): value for name, value in (self.headers | headers).items()}
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
            "path": unquote(path), "raw_path": path.encode(), "root_path": "", "query_string": query.encode(),
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
            "server": ("127.0.0.1", 8080), "client": ("127.0.0.1", 5),
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        asyncio.run(self.app(scope, receive, send))
        start = sent[0]
        found = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
        return Answer(start["status"], found, b"".join(message.get("body", b"") for message in sent[1:]))


def ask(url: str) -> Answer:
    """Ask a running server."""
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return Answer(response.status, {k.lower(): v for k, v in response.headers.items()}, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, dict(error.headers), error.read())
