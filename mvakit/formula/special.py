"""The special functions and distributions of ``TMath``: SciPy's, with the limits and defaults that ROOT gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ONE", "THREE", "TWO", "erf", "erfc", "gamma", "landau", "log_gamma", "scipy_special"]

Array = NDArray[Any]


def scipy_special(name: str) -> Callable[..., Array]:
    """Return SciPy's special function `name`, imported when it is first called."""

    def compute(*x: Any) -> Array:
        import scipy.special

        return np.asarray(getattr(scipy.special, name)(*x))

    return compute


erf = scipy_special("erf")
erfc = scipy_special("erfc")
gamma = scipy_special("gamma")
log_gamma = scipy_special("gammaln")
_incomplete_gamma = scipy_special("gammainc")
_incomplete_gamma_tail = scipy_special("gammaincc")
_incomplete_beta = scipy_special("betainc")


def _gamma(a: Array, x: Array | None = None) -> Array:
    """Return Gamma(a), or the lower incomplete P(a, x): 1 where a, else 0 where x is not positive."""
    if x is None:
        value = gamma(np.where((a <= 0) & (a == np.floor(a)), 0.0, a))
        return np.where((a <= 0) & (a == np.floor(a)), np.inf, value)
    return np.where(a <= 0, 1.0, np.where(x <= 0, 0.0, _incomplete_gamma(a, x)))


def _factorial(n: Array) -> Array:
    whole = np.trunc(n)
    return np.where(whole <= 0, 1.0, gamma(np.maximum(whole, 0) + 1))


def _binomial(n: Array, k: Array) -> Array:
    n, k = np.trunc(n), np.trunc(k)
    bad = (n < 0) | (k < 0) | (n < k)
    return np.where(bad, np.nan, np.rint(scipy_special("binom")(np.where(bad, 0, n), np.where(bad, 0, k))))


def _poisson(x: Array, mean: Array) -> Array:
    value = np.exp(scipy_special("xlogy")(x, mean) - log_gamma(x + 1) - mean)
    return np.where(mean < 0, np.nan, np.where(x < 0, 0.0, value))


def _poisson_integer(x: Array, mean: Array) -> Array:
    return _poisson(np.trunc(x), mean)


def _probability(chi2: Array, ndf: Array) -> Array:
    """Return the upper tail of chi-squared; like ROOT, of a whole number of degrees of freedom."""
    ndf = np.trunc(ndf)
    tail = np.where(chi2 <= 0, np.where(chi2 < 0, 0.0, 1.0), _incomplete_gamma_tail(ndf / 2, np.maximum(chi2, 0) / 2))
    return np.where(ndf <= 0, 0.0, tail)


def _student(t: Array, ndf: Array) -> Array:
    value = np.exp(log_gamma((ndf + 1) / 2) - log_gamma(ndf / 2) - (ndf + 1) / 2 * np.log1p(t * t / ndf))
    return np.where(ndf < 1, 0.0, value / np.sqrt(ndf * np.pi))


def _normal_quantile(p: Array) -> Array:
    inside = (p > 0) & (p < 1)
    return np.where(inside, scipy_special("ndtri")(np.where(inside, p, 0.5)), 0.0)


def _beta_distribution(x: Array, p: Array, q: Array) -> Array:
    bad = (x < 0) | (x > 1) | (p <= 0) | (q <= 0)
    value = np.power(x, p - 1) * np.power(1 - x, q - 1) / scipy_special("beta")(p, q)
    return np.where(bad, 0.0, value)


def _beta(p: Array, q: Array) -> Any:
    return np.exp(log_gamma(p) + log_gamma(q) - log_gamma(p + q))


def _beta_incomplete(x: Array, p: Array, q: Array) -> Array:
    bad = (p <= 0) | (q <= 0)
    value = _incomplete_beta(np.where(bad, 1.0, p), np.where(bad, 1.0, q), np.clip(x, 0, 1))
    return np.where(bad, 0.0, value)


def _beta_integral(x: Array, p: Array, q: Array) -> Array:
    return np.where((x < 0) | (x > 1), 0.0, _beta_incomplete(x, p, q))


def _where_positive(name: str) -> Callable[[Array], Array]:
    """Return SciPy's function `name`, 0 where the argument is not positive."""
    return lambda x: np.where(x > 0, scipy_special(name)(np.where(x > 0, x, 1.0)), 0.0)


def _erf_inverse(x: Array) -> Array:
    inside = np.abs(x) < 1
    return np.where(inside, scipy_special("erfinv")(np.where(inside, x, 0.0)), 0.0)


def _dilogarithm(x: Array) -> Array:
    return np.real(scipy_special("spence")(1 - np.asarray(x, dtype=np.complex128)))


def _gamma_distribution(x: Array, shape: Array, location: Any = 0.0, scale: Any = 1.0) -> Array:
    bad = (x < location) | (shape <= 0) | (np.asarray(scale) <= 0)
    z = (x - location) / scale
    value = np.exp(scipy_special("xlogy")(shape - 1, z) - z - log_gamma(shape)) / scale
    return np.where(bad, 0.0, value)


def _log_normal(x: Array, sigma: Array, location: Any = 0.0, median: Any = 1.0) -> Array:
    bad = (x <= location) | (sigma <= 0) | (np.asarray(median) <= 0)
    shifted = x - location
    pull = np.log(shifted / median) / sigma
    value = np.exp(-0.5 * pull * pull) / (np.sqrt(2 * np.pi) * sigma * shifted)
    return np.where(bad, 0.0, value)


def _ratio(numerator: list[float], denominator: list[float], x: Array) -> Array:
    above = np.polynomial.polynomial.polyval(x, numerator)
    below = np.polynomial.polynomial.polyval(x, denominator)
    return np.asarray(above / below)


# Rational approximations of the Landau density: K.S. Koelbig and B. Schorr, Comput. Phys. Commun. 31 (1984) 97
# (CERNLIB G110), which ROOT uses too. Each entry: upper end of the range, numerator, denominator.
_LANDAU_LEFT = (
    [0.4259894875, -0.1249762550, 0.03984243700, -0.006298287635, 0.001511162253],
    [1.0, -0.3388260629, 0.09594393323, -0.01608042283, 0.003778942063],
)
_LANDAU_CENTRE = (
    (
        1.0,
        [0.1788541609, 0.1173957403, 0.01488850518, -0.001394989411, 0.0001283617211],
        [1.0, 0.7428795082, 0.3153932961, 0.06694219548, 0.008790609714],
    ),
    (
        5.0,
        [0.1788544503, 0.09359161662, 0.006325387654, 0.00006611667319, -0.000002031049101],
        [1.0, 0.6097809921, 0.2560616665, 0.04746722384, 0.006957301675],
    ),
)
_LANDAU_TAIL = (
    (
        12.0,
        [0.9874054407, 118.6723273, 849.2794360, -743.7792444, 427.0262186],
        [1.0, 106.8615961, 337.6496214, 2016.712389, 1597.063511],
    ),
    (
        50.0,
        [1.003675074, 167.5702434, 4789.711289, 21217.86767, -22324.94910],
        [1.0, 156.9424537, 3745.310488, 9834.698876, 66924.28357],
    ),
    (
        300.0,
        [1.000827619, 664.9143136, 62972.92665, 475554.6998, -5743609.109],
        [1.0, 651.4101098, 56974.73333, 165917.4725, -2815759.939],
    ),
)


def landau(x: Array, mpv: Any = 0.0, sigma: Any = 1.0, norm: Any = 0.0) -> Array:
    """Return the Landau density, of maximum 0.18 unless `norm` says that it is to be normalised; 0 if sigma <= 0."""
    v = (x - mpv) / sigma
    far = np.exp(v + 1.0)
    value = 0.3989422803 * np.exp(-1 / far) / np.sqrt(far)
    value = value * (1 + (0.04166666667 + (-0.01996527778 + 0.02709538966 * far) * far) * far)
    value = np.where(far < 1e-10, 0.0, value)
    near = np.exp(-v - 1.0)
    value = np.where(v < -5.5, value, np.exp(-near) * np.sqrt(near) * _ratio(*_LANDAU_LEFT, v))
    begin = -1.0
    for end, numerator, denominator in _LANDAU_CENTRE:
        value = np.where(v < begin, value, _ratio(numerator, denominator, v))
        begin = end
    for end, numerator, denominator in _LANDAU_TAIL:
        value = np.where(v < begin, value, _ratio(numerator, denominator, 1 / v) / v**2)
        begin = end
    u = 1 / (v - v * np.log(np.abs(v)) / (v + 1))
    value = np.where(v < begin, value, u * u * (1 + (-1.845568670 - 4.284640743 * u) * u))
    value = np.where(np.asarray(norm) != 0, value / sigma, value)
    return np.where(np.isnan(v), np.nan, np.where(np.asarray(sigma) <= 0, 0.0, value))


ONE: dict[str, Callable[..., Any]] = {
    "BesselI0": scipy_special("i0"),
    "BesselI1": scipy_special("i1"),
    "BesselJ0": scipy_special("j0"),
    "BesselJ1": scipy_special("j1"),
    "BesselK0": _where_positive("k0"),
    "BesselK1": _where_positive("k1"),
    "BesselY0": scipy_special("y0"),
    "BesselY1": scipy_special("y1"),
    "DiLog": _dilogarithm,
    "Erf": erf,
    "Erfc": erfc,
    "ErfInverse": _erf_inverse,
    "ErfcInverse": lambda x: -_normal_quantile(0.5 * x) / np.sqrt(2.0),
    "Factorial": _factorial,
    "Freq": scipy_special("ndtr"),
    "Gamma": _gamma,
    "KolmogorovProb": lambda x: scipy_special("kolmogorov")(np.abs(x)),
    "Landau": landau,
    "LnGamma": log_gamma,
    "NormQuantile": _normal_quantile,
    "StruveH0": lambda x: scipy_special("struve")(0, x),
    "StruveH1": lambda x: scipy_special("struve")(1, x),
    "StruveL0": lambda x: scipy_special("modstruve")(0, x),
    "StruveL1": lambda x: scipy_special("modstruve")(1, x),
}
TWO: dict[str, Callable[..., Any]] = {
    "Beta": _beta,
    "Binomial": _binomial,
    "GammaDist": _gamma_distribution,
    "LogNormal": _log_normal,
    "Poisson": _poisson,
    "PoissonI": _poisson_integer,
    "Prob": _probability,
    "Student": _student,
}
THREE: dict[str, Callable[..., Any]] = {
    "BetaDist": _beta_distribution,
    "BetaDistI": _beta_integral,
    "BetaIncomplete": _beta_incomplete,
}
