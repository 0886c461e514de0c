"""FDA: a formula of the user's own, whose parameters are fitted."""

from __future__ import annotations

from mvakit_methods.fda.method import FDA
from mvakit_methods.fda.options import FDAOptions

__all__ = ["FDA", "FDAOptions"]
