"""BDT: boosted decision trees, grown by kernels that numba compiles when a forest is first trained or applied."""

from __future__ import annotations

from mvakit_methods.bdt.method import BDT
from mvakit_methods.bdt.options import BDTOptions

__all__ = ["BDT", "BDTOptions"]
