"""Which of the classes of a weight file are signal and background."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["signal_and_background"]


def signal_and_background(classes: Sequence[str]) -> tuple[int, int]:
    """Return their places among the classes: by name, as TMVA finds them, else the first and the second."""
    signal = classes.index("Signal") if "Signal" in classes else 0
    background = classes.index("Background") if "Background" in classes else 1
    return signal, background
