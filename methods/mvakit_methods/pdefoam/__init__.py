"""PDEFoam: cells of the space of the variables, and what the training events in each cell say."""

from __future__ import annotations

from mvakit_methods.pdefoam.method import PDEFoam
from mvakit_methods.pdefoam.options import PDEFoamOptions

__all__ = ["PDEFoam", "PDEFoamOptions"]
