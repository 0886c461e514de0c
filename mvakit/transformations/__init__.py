"""Variable transformations: identity, normalisation, decorrelation, principal components, uniform and Gauss.

`parse_chain` reads the text of ``VarTransform``, `fit_chain` makes a `Chain` from training events, and a `Chain` applies
itself to events and to the ``<Transformations>`` of a weight file, both ways.
"""

from mvakit.transformations.base import Transformation
from mvakit.transformations.chain import Chain, fit_chain
from mvakit.transformations.grammar import Step, parse_chain, parse_list
from mvakit.transformations.selection import Entry, Selection

__all__ = ["Chain", "Entry", "Selection", "Step", "Transformation", "fit_chain", "parse_chain", "parse_list"]
