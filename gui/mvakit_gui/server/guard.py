"""Who may ask for what: reads only, with the token, from a browser that really means this server."""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from http.cookies import CookieError, SimpleCookie
from secrets import compare_digest
from typing import Final

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["TOKEN_HEADER", "Guard", "cookie_name"]

TOKEN_HEADER: Final = "x-mvakit-token"  # noqa: S105 - the name of a header
_LOOPBACK: Final = re.compile(r"(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?", re.IGNORECASE | re.ASCII)
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
)
_REFUSED: Final = (
    "the token is missing or wrong: open the whole address that mvakit printed, with what stands behind ?token="
)


def cookie_name(token: str) -> str:
    """Return a name of its own for each server: cookies are shared by all ports of a host."""
    return "mvakit_" + sha256(token.encode()).hexdigest()[:12]


class Guard:
    """Lets through what may be read, and adds the headers that bind the browser to this address.

    Parameters
    ----------
    app : ASGI application
    token : str
        Whoever knows it may read. It comes as ``?token=``, as a header or, from the loopback addresses, as the cookie
        that the first page set. Behind a proxy the host has another name; there the cookie does not count, so that
        no other page whose name is made to point here (DNS rebinding) can use it.
    public : iterable of str
        Paths that tell nothing and are served to anyone: the page's scripts and styles.
    framed : bool
        Whether other pages, as a notebook's, may show this one in a frame.
    """

    def __init__(self, app: ASGIApp, token: str, public: Iterable[str] = (), *, framed: bool = False) -> None:
        self.app = app
        self.token = token.encode()
        self.cookie = cookie_name(token)
        self.public = frozenset(public)
        self.policy = _POLICY.format(ancestors="*" if framed else "'self'")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._bind(MutableHeaders(scope=message))
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_guarded)

    def _bind(self, headers: MutableHeaders) -> None:
        headers["content-security-policy"] = self.policy
        headers["x-content-type-options"] = "nosniff"
        headers["referrer-policy"] = "no-referrer"
        headers["cross-origin-resource-policy"] = "same-origin"
        headers.setdefault("cache-control", "no-store")

    def _refusal(self, scope: Scope) -> Response | None:
        if scope["method"] not in {"GET", "HEAD"}:
            return JSONResponse({"error": "this server only reads"}, 405, {"allow": "GET, HEAD"})
        if scope["path"] in self.public or self._known(scope):
            return None
        if scope["path"] == "/":
            return HTMLResponse(f"<!DOCTYPE html><title>mvakit</title><p>mvakit: {_REFUSED}.</p>", 403)
        return JSONResponse({"error": _REFUSED}, 403)

    def _known(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        given = [QueryParams(scope["query_string"]).get("token", ""), headers.get(TOKEN_HEADER, "")]
        if _LOOPBACK.fullmatch(headers.get("host", "")):
            cookies: SimpleCookie = SimpleCookie()
            try:
                cookies.load(headers.get("cookie", ""))
            except CookieError:
                cookies = SimpleCookie()
            if self.cookie in cookies:
                given.append(cookies[self.cookie].value)
        return any(compare_digest(text.encode(), self.token) for text in given)
