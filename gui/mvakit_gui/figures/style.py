"""The look of every figure: fonts and ticks of mplhep's neutral ROOT style, colours that everyone can tell apart.

Figures are made without pyplot, so nothing piles up and nothing needs a display. The look is a set of rcParams in
force only while a figure is made or written; a lock keeps two threads from mixing theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from mvakit.errors import OptionError, did_you_mean

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "BACKGROUND",
    "LEGEND_MARGIN",
    "LEGEND_ROW",
    "SIGNAL",
    "ClassLook",
    "Style",
    "class_looks",
    "drawing",
    "headroom",
    "line_looks",
    "new_figure",
]

Style = str | Mapping[str, Any] | None

_LOCK: Final = threading.RLock()

# Of a legend in small type inside a frame, in points.
LEGEND_MARGIN: Final = 15.0
LEGEND_ROW: Final = 22.5

# Sizes belong to the layouts here, so they hold whatever fonts and ticks a style brings.
_SIZES: Final[dict[str, Any]] = {
    "axes.formatter.limits": (-3, 4),
    "axes.labelsize": "medium",
    "axes.linewidth": 1.4,
    "axes.titlesize": "medium",
    "axes.unicode_minus": True,
    "errorbar.capsize": 0.0,
    "figure.constrained_layout.use": False,
    "figure.autolayout": False,
    "figure.dpi": 100,
    "font.size": 18,
    "hatch.linewidth": 1.0,
    "legend.fontsize": "small",
    "legend.frameon": False,
    "legend.handlelength": 1.8,
    "lines.linewidth": 2.0,
    "lines.markersize": 6.0,
    # Letters and digits of formulae in the font of the text, symbols from one that has them all.
    "mathtext.default": "regular",
    "mathtext.fontset": "dejavusans",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "savefig.bbox": None,
    "savefig.dpi": 150,
    "svg.hashsalt": "mvakit",
    "text.usetex": False,
    "xtick.labelsize": "small",
    "xtick.major.size": 8,
    "xtick.minor.size": 4,
    "ytick.labelsize": "small",
    "ytick.major.size": 8,
    "ytick.minor.size": 4,
}


class ClassLook:
    """How one class is drawn: signal filled, background hatched, so that they differ without colour too.

    Parameters
    ----------
    line : str
        Colour of outlines and points.
    fill : str or None
        Colour of the filled area.
    hatch : str or None
    marker : str
        Of the points of the training sample.
    """

    __slots__ = ("fill", "hatch", "line", "marker")

    def __init__(self, line: str, fill: str | None, hatch: str | None, marker: str) -> None:
        self.line = line
        self.fill = fill
        self.hatch = hatch
        self.marker = marker


SIGNAL: Final = ClassLook("#005a9c", "#9ecae9", None, "o")
BACKGROUND: Final = ClassLook("#d1440c", None, "////", "s")
# For the third class on, where there are more than two.
_FURTHER: Final = (
    ClassLook("#4d4d4d", None, None, "^"),
    ClassLook("#832db6", None, r"\\\\", "v"),
    ClassLook("#0a8754", None, None, "D"),
    ClassLook("#a96b59", None, "....", "P"),
    ClassLook("#b8860b", None, None, "X"),
)

# M. Petroff's ten colours (arXiv:2107.02270), told apart with every kind of colour vision.
_COLOURS: Final = (
    "#3f90da", "#bd1f01", "#ffa90e", "#832db6", "#717581", "#e76300", "#a96b59", "#94a4a2", "#b9ac70", "#92dadd",
)  # fmt: skip
_DASHES: Final = ("-", (0, (5, 1.6)), (0, (6, 1.5, 1.2, 1.5)), (0, (1.4, 1.4)))


def class_looks(number: int) -> list[ClassLook]:
    """Return the looks of `number` classes, signal first."""
    looks = (SIGNAL, BACKGROUND, *_FURTHER)
    return [looks[i % len(looks)] for i in range(number)]


def line_looks(number: int) -> list[dict[str, Any]]:
    """Return colour and dashes for `number` lines; the first forty are all different, and neighbours differ in both."""
    return [
        {
            "color": _COLOURS[i % len(_COLOURS)],
            "linestyle": _DASHES[(i + i // (2 * len(_COLOURS))) % len(_DASHES)],
        }
        for i in range(number)
    ]


def _parameters(style: Style) -> dict[str, Any]:
    import mplhep

    known = {name: value for name, value in vars(mplhep.style).items() if isinstance(value, dict) and name[0].isupper()}
    parameters = dict(known["ROOT"])
    if isinstance(style, str):
        chosen = {name.lower(): value for name, value in known.items()}.get(style.lower())
        if chosen is None:
            raise OptionError(f"there is no style {style!r}; {did_you_mean(style, known, noun='the styles of mplhep')}")
        parameters.update(chosen)
    parameters.update(_SIZES)
    if isinstance(style, Mapping):
        parameters.update(style)
    parameters["text.usetex"] = False
    return parameters


def _fonts(parameters: Mapping[str, Any]) -> list[str]:
    """Return the installed ones of the fonts that a style asks for, so that nothing is said of the others."""
    from matplotlib import font_manager

    installed = set(font_manager.fontManager.get_font_names())
    families = parameters.get("font.family", "sans-serif")
    wanted: list[str] = []
    for family in [families] if isinstance(families, str) else families:
        named = parameters.get(f"font.{family}", family)
        wanted += [named] if isinstance(named, str) else named
    return [*(name for name in wanted if name in installed and name != "DejaVu Sans"), "DejaVu Sans"]


@contextmanager
def drawing(style: Style = None) -> Iterator[None]:
    """Put the look in force while a figure is made or written.

    Parameters
    ----------
    style : str or mapping, optional
        The name of one of mplhep's styles, for its fonts and ticks (it brings no label), or rcParams of one's own.

    Raises
    ------
    OptionError
        If mplhep has no style of this name, or a parameter is none of matplotlib's.
    """
    import matplotlib as mpl

    with _LOCK, mpl.rc_context():
        parameters = _parameters(style)
        parameters["font.family"] = fonts = _fonts(parameters)
        parameters.update({f"mathtext.{kind}": fonts[0] for kind in ("cal", "rm", "sf", "tt")})
        parameters.update({f"mathtext.{kind}": f"{fonts[0]}:italic" for kind in ("it", "bfit")})
        parameters["mathtext.bf"] = f"{fonts[0]}:bold"
        try:
            mpl.rcParams.update(parameters)
        except (KeyError, ValueError) as error:
            raise OptionError(f"the style does not suit matplotlib: {error}") from None
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of this size in inches, which lays itself out and belongs to nobody else."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=(width, height), layout=ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1))
    FigureCanvasAgg(figure)
    return figure


def headroom(axes: Axes, top: float, rows: float, height: float, *, bottom: float = 0.0) -> None:
    """Set the range of the vertical axis so that `rows` rows of a legend in small type fit above `top`.

    Parameters
    ----------
    axes : Axes
    top, bottom : float
        What the range has to show.
    rows : float
    height : float
        Of the axes with their titles, in inches.
    """
    taken = min(0.6, (LEGEND_MARGIN + LEGEND_ROW * rows) / (0.82 * 72.0 * height) + 0.02)
    axes.set_ylim(bottom, bottom + (top - bottom) / (1.0 - taken))
