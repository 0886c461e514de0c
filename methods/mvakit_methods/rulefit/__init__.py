"""RuleFit: a sum over rules, each the cuts on the way to a node of a tree, and over linear terms."""

from __future__ import annotations

from mvakit_methods.rulefit.method import RuleFit
from mvakit_methods.rulefit.options import RuleFitOptions

__all__ = ["RuleFit", "RuleFitOptions"]
