"""The ways in to the browser application and the report; what they need is imported once one is taken."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from mvakit.progress import Tick, no_tick

__all__ = ["TMVAGui", "save_report", "serve_gui"]


def serve_gui(
    files: Sequence[str | os.PathLike[str]],
    *,
    dataset: str | None = None,
    port: int | None = None,
    browser: bool = True,
    say: Callable[[str], Any] = print,
) -> None:
    """Serve result files to browsers until Ctrl-C; see `mvakit_gui.server.serve_gui`."""
    from mvakit_gui.server import serve_gui as serve

    serve(files, dataset, port=port, browser=browser, say=say)


def TMVAGui(
    files: str | os.PathLike[str] | Sequence[str | os.PathLike[str]] = "TMVA.root",
    dataset: str | None = None,
    *,
    port: int | None = None,
) -> Any:
    """Open the GUI for a result file; see `mvakit_gui.server.TMVAGui`."""
    from mvakit_gui import server

    return server.TMVAGui(files, dataset, port=port)


def save_report(
    files: Sequence[str | os.PathLike[str]],
    path: str | os.PathLike[str],
    *,
    dataset: str | None = None,
    tick: Tick = no_tick,
) -> Path:
    """Write all views of result files into one file; see `mvakit_gui.report.save_report`."""
    from mvakit_gui.report import save_report as save

    return save(files, path, dataset, tick=tick)
