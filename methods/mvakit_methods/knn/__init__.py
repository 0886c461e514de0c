"""KNN: the training events nearest to an event say what it is."""

from __future__ import annotations

from mvakit_methods.knn.method import KNN
from mvakit_methods.knn.options import KNNOptions

__all__ = ["KNN", "KNNOptions"]
