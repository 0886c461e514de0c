"""What a person is told while work goes on: TMVA-like log lines and a progress bar.

Lines go through `logging` under the name ``mvakit.<source>``. A handler that prints them the way TMVA does is attached
when an analysis object is made and the application has not configured logging itself.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, TextIO

__all__ = ["Messenger", "Tick", "no_tick", "progress_bar", "show_messages"]

_ROOT: Final = "mvakit"
_WIDTH: Final = 25
_COLORS: Final = {logging.WARNING: "\033[31m", logging.ERROR: "\033[1;31m"}


class _Console(logging.Handler):
    """Prints ``Source                   : text`` to whatever standard output is at that moment."""

    color = True

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record, a prefix before each of its lines."""
        stream = sys.stdout
        source = record.name.removeprefix(_ROOT + ".")
        level = f"<{record.levelname}> " if record.levelno != logging.INFO else ""
        start, end = ("", "")
        if self.color and _is_terminal(stream):
            start = _COLORS.get(record.levelno, "")
            end = "\033[0m" if start else ""
        try:
            for line in record.getMessage().split("\n"):
                stream.write(f"{start}{level + source:<{_WIDTH}}: {line}{end}\n")
            stream.flush()
        except (OSError, ValueError):
            self.handleError(record)


def _is_terminal(stream: TextIO) -> bool:
    return hasattr(stream, "isatty") and stream.isatty()


def show_messages(*, color: bool = True) -> None:
    """Print mvakit's log lines, in colour on a terminal if wanted, unless the application handles them already."""
    logger = logging.getLogger(_ROOT)
    _Console.color = color
    if not logger.handlers and not logging.getLogger().handlers:
        logger.addHandler(_Console())
        logger.propagate = False
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.INFO)


class Messenger:
    """Says things on behalf of one object, in TMVA's layout.

    Parameters
    ----------
    source : str
        Who speaks: ``"Factory"``.
    silent : bool
        Whether only warnings and errors are said.
    verbose : bool
        Whether details are said as well.
    """

    def __init__(self, source: str, *, silent: bool = False, verbose: bool = False) -> None:
        self.logger = logging.getLogger(f"{_ROOT}.{source}")
        self.silent = silent
        self.verbose = verbose

    def info(self, text: str) -> None:
        """Say something that everyone wants to know."""
        if not self.silent:
            self.logger.info("%s", text)

    def detail(self, text: str) -> None:
        """Say something that only a verbose object says."""
        if self.verbose and not self.silent:
            self.logger.info("%s", text)

    def warning(self, text: str) -> None:
        """Say something that may be wrong."""
        self.logger.warning("%s", text)


class Tick(Protocol):
    """Called as work goes on, with how much of it is done and what it has reached."""

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Report progress."""


def no_tick(done: float, total: float, note: str = "") -> None:
    """Report progress to nobody."""


def _in_notebook() -> bool:
    shell = sys.modules.get("IPython")
    if shell is None:
        return False
    instance = shell.get_ipython()
    return instance is not None and "IPKernelApp" in instance.config


@contextmanager
def progress_bar(description: str, *, enabled: bool = True) -> Iterator[Tick]:
    """Show a progress bar, on a terminal or in Jupyter only, and yield the function that moves it."""
    if not enabled or not (_is_terminal(sys.stdout) or _in_notebook()):
        yield no_tick
        return
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TimeRemainingColumn(), TextColumn("{task.fields[note]}"),
    )  # fmt: skip
    with Progress(*columns, transient=True) as bar:
        task = bar.add_task(description, total=None, note="")

        def tick(done: float, total: float, note: str = "") -> None:
            bar.update(task, completed=done, total=total, note=note)

        yield tick
