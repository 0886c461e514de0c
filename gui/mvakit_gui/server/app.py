"""The application behind the guard: the page's own files, and the documents that describe the results."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Final, Protocol

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from mvakit.errors import MvakitError
from mvakit_gui.page import MODULES, page_file
from mvakit_gui.server.bundle import vega_bundle
from mvakit_gui.server.guard import Guard, cookie_name

__all__ = ["DocumentSource", "make_app"]

_TYPES: Final = {"html": "text/html", "css": "text/css", "js": "text/javascript"}


class DocumentSource(Protocol):
    """What the application serves."""

    def read(self, path: str, query: Mapping[str, str]) -> bytes | None:
        """Return a JSON document, or None where there is none of this path."""


def make_app(documents: DocumentSource, token: str, *, framed: bool = False) -> Starlette:
    """Return the application.

    Parameters
    ----------
    documents : DocumentSource
    token : str
    framed : bool
        Whether a notebook's page may show it in a frame.
    """
    public: dict[str, Callable[[], bytes]] = {name: _reader(name) for name in ("style.css", *MODULES)}

    async def page(request: Request) -> Response:
        response = Response(page_file("index.html"), media_type=_TYPES["html"])
        if "token" in request.query_params:
            # Without a path the browser keeps it to the folder of this page, wherever a proxy put that.
            response.set_cookie(cookie_name(token), token, path=None, httponly=True, samesite="strict")
        return response

    def asset(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in public:
            return _missing(request)
        return _tagged(request, public[name](), _TYPES[name.rpartition(".")[2]])

    def vega(request: Request) -> Response:
        packed = vega_bundle()
        if "gzip" in request.headers.get("accept-encoding", ""):
            return _tagged(request, packed, _TYPES["js"], {"content-encoding": "gzip", "vary": "accept-encoding"})
        return _tagged(request, gzip.decompress(packed), _TYPES["js"], {"vary": "accept-encoding"})

    def document(request: Request) -> Response:
        path = request.path_params["path"]
        try:
            found = documents.read(path, dict(request.query_params))
        except MvakitError as error:
            return JSONResponse({"error": str(error)}, HTTPStatus.UNPROCESSABLE_ENTITY)
        return _missing(request) if found is None else Response(found, media_type="application/json")

    app = Starlette(
        routes=[
            Route("/", page),
            Route("/vega.js", vega),
            Route("/{name}", asset),
            Route("/data/{path:path}", document),
        ],
        middleware=[
            Middleware(Guard, token=token, public=[f"/{name}" for name in (*public, "vega.js")], framed=framed),
            Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        ],
        exception_handlers={404: _nothing_here},
    )
    app.router.redirect_slashes = False  # a redirection would name an address that a proxy has changed
    return app


def _reader(name: str) -> Callable[[], bytes]:
    return lambda: page_file(name)


def _tagged(request: Request, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> Response:
    """Return a file that the browser keeps, and asks for again with its tag."""
    tag = f'"{sha256(body).hexdigest()[:32]}"'
    kept = {**(headers or {}), "etag": tag, "cache-control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=kept)
    return Response(body, media_type=kind, headers=kept)


def _missing(_: Request) -> Response:
    return JSONResponse({"error": "there is nothing of this name here"}, HTTPStatus.NOT_FOUND)


async def _nothing_here(request: Request, _: Exception) -> Response:
    return _missing(request)
