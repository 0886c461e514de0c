"""What weight files hold: networks, trees, foams. The result file names them, and they are read where they lie."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from mvakit.errors import DataError, MvakitError
from mvakit.evaluation import project_cells
from mvakit.method import Cells, DenseNetwork, Partition
from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Group, Keys, Pages, View
from mvakit_gui.figures import MapPanel, Network, map_figure, network_figure
from mvakit_gui.views.source import Source, listed

__all__ = ["architectures", "foams"]

_PAGE: Final = 6
_BINS: Final = 50


# ---------------------------------------------------------------------------------------------- networks


def _histograms_of_weights(source: Source, title: str) -> list[str]:
    """Return the names of TMVA's histograms of a network's weights, layer by layer: ``weights_hist01``, ..."""
    names: list[str] = []
    while (name := f"weights_hist{len(names)}{len(names) + 1}") in source.names(title):
        names.append(name)
    return names


def architectures(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 10a, networks: from TMVA's histograms of their weights, else from the weight files."""
    views, missing = [], []
    for source in sources:
        for method in source.dataset.methods:
            title, shown = method.title, source.shown(method.title)
            trained = any(n.startswith((f"TrainingHistory_{title}_", "estimatorHist")) for n in source.names(title))
            if not _histograms_of_weights(source, title):
                if not trained:
                    continue
                if source.weight_file(title) is None:
                    missing.append(f"{shown}: {source.where(title)}, which is not there")
                    continue
            network = functools.partial(_network, source, title)
            views.append(
                View(
                    keys("network", shown), f"network_{shown}", f"{shown}: architecture",
                    f"Neurons of {shown} in layers, and the weights between them.",
                    functools.partial(_network_chart, network), functools.partial(_network_figure, network), (shown,),
                )
            )  # fmt: skip
    reason = "no method trained a network: there is no weights_hist01, estimatorHistTrain or TrainingHistory_<title>_*"
    if missing:
        reason = f"the weight files of the networks are not there ({listed(missing, 2)})"
    return Group(key, "Network architecture", tuple(views), None if views else reason)


def _outputs(source: Source, title: str) -> list[str]:
    dataset = source.dataset
    if dataset.analysis is AnalysisType.MULTICLASS:
        return list(dataset.classes)
    return [t.title for t in dataset.targets] if dataset.analysis is AnalysisType.REGRESSION else [title]


def _network(source: Source, title: str) -> Network:
    inputs, outputs = [v.title for v in source.dataset.variables], _outputs(source, title)
    structure = None
    if source.weight_file(title) is not None:
        try:
            structure = source.model(title).structure()
        except MvakitError:
            if not _histograms_of_weights(source, title):
                raise
    if isinstance(structure, DenseNetwork):
        weights = [np.vstack([layer.weights, layer.bias]).astype(np.float64) for layer in structure.layers]
        activations = [layer.activation.replace("_", " ") for layer in structure.layers]
        return Network(source.shown(title), inputs, outputs, weights, activations)
    weights = []
    names = _histograms_of_weights(source, title)
    if not names:
        raise DataError(f"the weight file of {title} holds no chain of dense layers")
    for name in names:
        histogram = source.dataset.method_histogram_2d(title, name)
        if histogram is None:
            raise DataError(f"{name} of {title} is no histogram of two dimensions")
        weights.append(histogram.values)
    # TMVA counts the bias of the next layer, to which nothing leads, among its neurons.
    return Network(source.shown(title), inputs, outputs, [*(w[:, :-1] for w in weights[:-1]), weights[-1]])


def _network_chart(network: Any) -> Any:
    from mvakit_gui.charts.network import network_chart

    return network_chart(network())


def _network_figure(network: Any, **keywords: Any) -> Any:
    return network_figure(network(), **keywords)


# ---------------------------------------------------------------------------------------------- foams


def _has_foams(source: Source, title: str) -> bool:
    path = source.weight_file(title)
    return path is not None and path.with_name(f"{path.stem}_foams.root").is_file()


def foams(key: str, sources: Sequence[Source], keys: Keys) -> Group:
    """Return 13, foams projected onto pairs of variables."""
    views: list[View] = []
    lost = []
    for source in sources:
        for method in source.dataset.methods:
            if _has_foams(source, method.title):
                views += _foam_views(source, method.title, keys)
            elif source.weight_file(method.title) is None:
                lost.append(source.shown(method.title))
    reason = "no weight file has a file of foams (*_foams.root) beside it"
    if lost and len(lost) == sum(len(source.dataset.methods) for source in sources):
        reason = f"the weight files are not where the result file names them, seen from its folder ({listed(lost)})"
    return Group(key, "PDE-foams", tuple(views), None if views else reason)


def _foam_views(source: Source, title: str, keys: Keys) -> Iterator[View]:
    shown = source.shown(title)
    key = keys("foam", shown)

    def count() -> int:
        return -(-len(_planes(_parts(source, title))) // _PAGE)

    def page(i: int) -> View:
        panels = functools.partial(_foam_panels, source, title, i)
        return View(
            key, f"foam_{shown}_c{i + 1}", f"{shown}: foam", f"Cells of the foam of {shown}, projected onto pairs of variables.",
            functools.partial(_foam_chart, panels), functools.partial(_foam_figure, panels), (shown,), pages=pages,
        )  # fmt: skip

    pages = Pages(count, page, "page")
    yield page(0)


def _parts(source: Source, title: str) -> tuple[Cells, ...]:
    structure = source.model(title).structure()
    if not isinstance(structure, Partition):
        raise DataError(f"the weight file of {title} holds no foam")
    if structure.parts[0].lower.shape[1] < 2:
        raise DataError(f"the foam of {title} has one dimension, and no plane to be projected onto")
    return structure.parts


def _planes(parts: Sequence[Cells]) -> list[tuple[int, int, int]]:
    """Return part and dimensions of all planes."""
    return [
        (p, i, j)
        for p, part in enumerate(parts)
        for i in range(part.lower.shape[1])
        for j in range(i + 1, part.lower.shape[1])
    ]


def _foam_panels(source: Source, title: str, page: int) -> tuple[list[MapPanel], str]:
    parts = _parts(source, title)
    model = source.model(title)
    axes = [v.title for v in (*model.variables, *model.targets)]
    panels = []
    for p, i, j in _planes(parts)[page * _PAGE : (page + 1) * _PAGE]:
        part = parts[p]
        edges = [np.linspace(part.lowest[k], part.highest[k], _BINS + 1) for k in (i, j)]
        classes = source.dataset.classes
        named = classes[p] if len(parts) == len(classes) > 2 else part.name
        values = project_cells(part.lower, part.upper, part.value, (i, j), _BINS)
        panels.append(MapPanel(named, axes[i], axes[j], edges[0], edges[1], values))
    what = parts[0].name if len(parts) == 1 else "density" if "density" in parts[0].name else "discriminator"
    averaged = parts[0].lower.shape[1] > 2
    return panels, f"mean {what} over the other dimensions" if averaged else what


def _foam_chart(panels: Any) -> Any:
    from mvakit_gui.charts.maps import map_chart

    return map_chart(*panels())


def _foam_figure(panels: Any, **keywords: Any) -> Any:
    return map_figure(*panels(), **keywords)
