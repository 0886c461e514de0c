"""PDERS: densities of signal and background from the training events in a volume about an event."""

from __future__ import annotations

from mvakit_methods.pders.method import PDERS
from mvakit_methods.pders.options import PDERSOptions

__all__ = ["PDERS", "PDERSOptions"]
