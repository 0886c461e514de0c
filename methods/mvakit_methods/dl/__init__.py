"""DL and DNN: TMVA's deep networks, trained with Keras and applied without it."""

from __future__ import annotations

from mvakit_methods.dl.method import DL, DNN
from mvakit_methods.dl.options import DLOptions, DNNOptions

__all__ = ["DL", "DNN", "DLOptions", "DNNOptions"]
