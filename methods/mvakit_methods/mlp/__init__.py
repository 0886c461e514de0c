"""MLP: TMVA's multilayer perceptron, trained as TMVA trains it."""

from __future__ import annotations

from mvakit_methods.mlp.method import MLP
from mvakit_methods.mlp.network import Perceptron
from mvakit_methods.mlp.options import MLPOptions

__all__ = ["MLP", "MLPOptions", "Perceptron"]
