"""DL and DNN: TMVA's deep networks, applied from its weight files."""

from __future__ import annotations

from mvakit_methods.dl.method import DL, DNN
from mvakit_methods.dl.options import DLOptions, DNNOptions

__all__ = ["DL", "DNN", "DLOptions", "DNNOptions"]
