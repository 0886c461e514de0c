"""A second opinion on weight files: evaluated event by event in plain Python, from the meaning of the file alone.

Nothing is shared with mvakit, nor is NumPy: loops, lists and the standard library. What a file says is taken at its word, in
the simplest way and without defences, so that one can see at a glance that it is right. Single precision is where TMVA has it.
"""

from tests.reference.naive.weights import NaiveModel

__all__ = ["NaiveModel"]
