"""Probability densities made of histograms, and with them the probability and the rarity of a response.

A `Pdf` is what TMVA makes of a histogram: smoothed, interpolated by a spline or spread by a Gaussian kernel, sampled in
fine bins and normalised. A `Recipe` says how. `ResponsePdfs` holds those of signal and background for the response of
a method, as the option ``CreateMVAPdfs`` asks for; methods that need a density of each variable take a `Pdf` of it.
"""

from mvakit.pdfs.pdf import Pdf
from mvakit.pdfs.recipe import MAX_BINS, MAX_SMOOTH, Border, Interpolation, Kernel, Recipe, bins_for
from mvakit.pdfs.response import ResponsePdfs

__all__ = ["MAX_BINS", "MAX_SMOOTH", "Border", "Interpolation", "Kernel", "Pdf", "Recipe", "ResponsePdfs", "bins_for"]
