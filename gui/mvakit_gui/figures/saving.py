"""Figures as files and as bytes: whole or not at all, the same bytes for the same figure, nothing said of fonts."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mvakit.errors import OptionError, did_you_mean
from mvakit.files import written_aside
from mvakit_gui.figures.style import Style, drawing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "FORMATS",
    "RESOLUTION",
    "MakeChart",
    "checked_formats",
    "figure_bytes",
    "freeze_layout",
    "mimebundle",
    "save_figure",
]

# Each format with the metadata that would make two runs differ.
FORMATS: Final[dict[str, dict[str, Any]]] = {
    "pdf": {"CreationDate": None},
    "png": {},
    "svg": {"Date": None},
    "eps": {},
}

# Returns an Altair chart of the same results.
MakeChart = Callable[[], Any]

# Dots per inch of a PNG.
RESOLUTION: Final = 150.0


@contextlib.contextmanager
def _quiet_fonts() -> Iterator[None]:
    """Keep what the font library says of each table of a font it packs out of an application's log."""
    logger = logging.getLogger("fontTools")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


def checked_formats(formats: Sequence[str] | str) -> tuple[str, ...]:
    """Return the formats, each once, from a sequence or from text such as ``"pdf,png"``.

    Raises
    ------
    OptionError
        If one of them is not among `FORMATS`, or there is none.
    """
    named = formats.split(",") if isinstance(formats, str) else formats
    found = tuple(dict.fromkeys(str(name).strip().lower().removeprefix(".") for name in named))
    if not found or found == ("",):
        raise OptionError(f"name at least one format of {', '.join(FORMATS)}")
    for name in found:
        if name not in FORMATS:
            raise OptionError(f"figures are not written as {name!r}; {did_you_mean(name, FORMATS, noun='formats')}")
    return found


def save_figure(figure: Figure, path: Path, format: str, *, style: Style = None) -> Path:
    """Write a figure as one of `FORMATS`; the file takes its place once it is whole.

    Raises
    ------
    OutputError
        If the folder cannot be written to.
    """
    checked_formats([format])
    with written_aside(path) as temporary:
        temporary.write_bytes(figure_bytes(figure, format, style=style))
    return path


def figure_bytes(figure: Figure, format: str = "png", *, dpi: float | None = None, style: Style = None) -> bytes:
    """Return a figure as the bytes of a file."""
    (kind,) = checked_formats([format])
    buffer = io.BytesIO()
    with drawing(style), _quiet_fonts():
        figure.savefig(buffer, format=kind, metadata=FORMATS[kind], dpi=dpi or RESOLUTION)
    return buffer.getvalue()


def mimebundle(figure: Figure, make_chart: MakeChart | None) -> dict[str, Any]:
    """Return what a notebook shows: the chart where it can, the picture of the figure where it cannot.

    Nothing in it asks anything of the network.
    """
    bundle: dict[str, Any] = {"image/png": figure_bytes(figure), "text/plain": repr(figure)}
    # Charts need Altair, an extra; figures do not.
    if make_chart is not None and importlib.util.find_spec("altair") is not None:
        spec = make_chart().to_dict()
        version = spec["$schema"].rsplit("/v", 1)[1].split(".", 1)[0]
        bundle[f"application/vnd.vegalite.v{version}+json"] = spec
    return bundle


def freeze_layout(figure: Figure, *, style: Style = None) -> None:
    """Lay a figure out once and for all, so that writing it in several formats does not repeat that."""
    engine = figure.get_layout_engine()
    if engine is not None:
        with drawing(style):
            engine.execute(figure)
            figure.set_layout_engine("none")
