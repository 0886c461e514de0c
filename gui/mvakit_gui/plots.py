"""Every plot that a result file can feed, as files under TMVA's names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from mvakit.errors import MvakitError, OptionError, ResultFileError
from mvakit.progress import Messenger, Tick, no_tick
from mvakit.resultfile import ResultFile
from mvakit_gui.catalogue import Catalogue, View
from mvakit_gui.figures import Style, checked_formats, save_figure
from mvakit_gui.figures.saving import freeze_layout
from mvakit_gui.figures.text import FileNames
from mvakit_gui.views import Source

__all__ = ["save_plots"]


def save_plots(
    path: str | os.PathLike[str],
    out_dir: str | os.PathLike[str],
    formats: Sequence[str] | str = ("pdf", "png"),
    dataset: str | None = None,
    style: Style = None,
    label: str | None = None,
    *,
    log: Messenger | None = None,
    tick: Tick = no_tick,
) -> list[Path]:
    """Draw everything that a result file, TMVA's own or mvakit's, can feed.

    Parameters
    ----------
    path : path-like
        A ``TMVA.root``.
    out_dir : path-like
        Where the files go: ``rejBvsS.pdf``, ``overtrain_BDTG.pdf``, ``variables_id_c1.pdf``, ... Characters of titles
        that do not belong in a file name become ``_``. With several datasets each gets a folder of its own.
    formats : sequence of str or str
        Of ``pdf``, ``png``, ``svg``, ``eps``; also as text, ``"pdf,png"``.
    dataset : str, optional
        The name of one dataset; by default all that the file holds.
    style : str or mapping, optional
        The name of one of mplhep's styles, for its fonts and ticks, or rcParams of one's own.
    label : str, optional
        A line of one's own above each plot; may contain mathtext. There is none by default.
    log : Messenger, optional
        Is told what is not drawn, and why.
    tick : Tick
        Moves a progress bar.

    Returns
    -------
    list of Path
        The files written, each of them whole.

    Raises
    ------
    OptionError
        If a format or style is unknown.
    ResultFileError
        If the file is missing, damaged or no result file, has no such dataset, or can feed no plot at all.
    OutputError
        If the folder cannot be written to.
    """
    log = log or Messenger("Plots")
    kinds = checked_formats(formats)
    folder = Path(out_dir)
    written: list[Path] = []
    with ResultFile(path) as file:
        names = file.datasets if dataset is None else (dataset,)
        folders = FileNames()
        jobs: list[tuple[Path, View]] = []
        for name in names:
            place = folder if len(names) == 1 else folder / folders(name)
            files = FileNames()
            catalogue = Catalogue([Source.of(file, name)])
            for group in catalogue.groups:
                if group.reason is not None:
                    log.detail(f"{group.title}: {group.reason}")
            jobs += [(place / files(view.name), view) for view in catalogue if view.in_print]
        for done, (target, view) in enumerate(jobs):
            tick(done, len(jobs), view.name)
            try:
                figure = view.figure(label=label, style=style)
            except OptionError:
                raise
            except MvakitError as error:
                log.warning(f"{view.name} is not drawn: {error}")
                continue
            freeze_layout(figure, style=style)
            # The dot of a title such as "BDT.v2" starts no suffix, so the format is appended, not put in its place.
            written += [
                save_figure(figure, target.with_name(f"{target.name}.{kind}"), kind, style=style) for kind in kinds
            ]
        tick(len(jobs), len(jobs))
    if not written:
        raise ResultFileError(f"{str(path)!r} holds nothing that could be drawn")
    log.info(f"{len(written)} files are in {folder}")
    return written
