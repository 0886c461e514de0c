"""Likelihood: the ratio of products of one-dimensional densities, one for each variable and class."""

from __future__ import annotations

from mvakit_methods.likelihood.method import Likelihood
from mvakit_methods.likelihood.options import LikelihoodOptions

__all__ = ["Likelihood", "LikelihoodOptions"]
