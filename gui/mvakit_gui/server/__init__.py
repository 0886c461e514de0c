"""The browser application's server: on loopback, behind a token, read-only, with nothing from outside."""

from __future__ import annotations

from mvakit_gui.server.app import make_app
from mvakit_gui.server.bundle import vega_bundle
from mvakit_gui.server.serving import Gui, TMVAGui, serve_gui

__all__ = ["Gui", "TMVAGui", "make_app", "serve_gui", "vega_bundle"]
