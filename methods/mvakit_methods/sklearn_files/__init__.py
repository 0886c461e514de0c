"""PyRandomForest, PyGTB and PyAdaBoost: forests of scikit-learn, kept in the weight file; and PyTorch, refused."""

from __future__ import annotations

from mvakit_methods.sklearn_files.elsewhere import PyTorch
from mvakit_methods.sklearn_files.method import PyAdaBoost, PyGTB, PyRandomForest

__all__ = ["PyAdaBoost", "PyGTB", "PyRandomForest", "PyTorch"]
