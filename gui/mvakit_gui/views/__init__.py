"""The views of a result file, by TMVA's buttons; see `mvakit_gui.catalogue`.

Each module here looks at the names in the files and returns groups whose views read and draw when they are asked.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mvakit.types import AnalysisType
from mvakit_gui.catalogue import Group, Keys
from mvakit_gui.views import cuts, inputs, models, multiclass, outputs, pdfs, regression, roc, training, trees
from mvakit_gui.views.source import Source

__all__ = ["Source", "groups"]


def groups(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    """Yield TMVA's buttons for the analysis of some sources, in TMVA's order and with its numbers."""
    yield from inputs.variables(sources, keys)
    yield from inputs.pairs(sources, keys)
    yield inputs.correlations(sources, keys)
    analysis = sources[0].dataset.analysis
    if analysis is AnalysisType.CLASSIFICATION:
        yield from _classification(sources, keys)
    elif analysis is AnalysisType.MULTICLASS:
        yield from _multiclass(sources, keys)
    else:
        yield from _regression(sources, keys)


def _classification(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    yield outputs.distributions(sources, keys)
    yield outputs.comparisons(sources, keys)
    yield outputs.probabilities(sources, keys)
    yield outputs.rarities(sources, keys)
    yield cuts.efficiencies(sources, keys)
    yield from roc.curves(sources, keys)
    yield cuts.parallel(sources, keys)
    yield pdfs.response_pdfs(sources, keys)
    yield training.histories("8", sources, keys)
    yield pdfs.references("9", sources, keys)
    yield models.architectures("10a", sources, keys)
    yield training.convergence("10b", sources, keys)
    yield trees.forests("11", sources, keys)
    yield training.control("12", sources, keys)
    yield models.foams("13", sources, keys)
    yield training.boosting("14", sources, keys)


def _multiclass(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    yield multiclass.distributions(sources, keys)
    yield multiclass.comparisons(sources, keys)
    yield roc.one_vs_rest("5a", sources, keys)
    yield roc.one_vs_one("5b", sources, keys)
    yield models.architectures("6a", sources, keys)
    yield training.convergence("6b", sources, keys)
    yield training.histories("6c", sources, keys)
    yield trees.forests("7", sources, keys)
    yield training.control("8", sources, keys)
    yield models.foams("9", sources, keys)


def _regression(sources: Sequence[Source], keys: Keys) -> Iterator[Group]:
    yield from regression.deviations(sources, keys)
    yield regression.averages("5", sources, keys)
    yield models.architectures("6a", sources, keys)
    yield training.convergence("6b", sources, keys)
    yield training.histories("6c", sources, keys)
    yield models.foams("7", sources, keys)
    yield trees.forests("8", sources, keys, "Regression trees")
    yield training.control("9", sources, keys, "Regression tree control plots")
