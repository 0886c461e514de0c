"""PyKeras: a user's own Keras model, trained in the workflow and applied without Keras.

Keras is imported when a PyKeras is booked or trained, never when one is applied: a chain of dense layers is applied by
NumPy from the weight file, any other network by ONNX Runtime from the graph beside it.
"""

from __future__ import annotations

from mvakit_methods.keras.method import PyKeras
from mvakit_methods.keras.options import PyKerasOptions

__all__ = ["PyKeras", "PyKerasOptions"]
