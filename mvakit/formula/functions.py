"""The functions a formula may call, as ROOT's formulas know them.

Three families: the functions of `TFormula` itself (``sqrt``, ``log``, ...), which give a number where mathematics gives
none; those of C (``floor``, ``cbrt``, ...) and of ``TMath``, which do not. All take and return double precision.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mvakit.formula import special

__all__ = ["FUNCTIONS", "Array", "Function", "to_int64", "to_uint64"]

Array: TypeAlias = NDArray[Any]
"""A column, or a NumPy scalar where the value is the same for all."""


@dataclass(frozen=True, slots=True)
class Function:
    """A function that formulas may call.

    Attributes
    ----------
    compute
        Its value, of any arguments.
    arity
        The numbers of arguments that it takes.
    undefined
        Where mathematics gives no value of the argument, though `compute` does: ROOT's.
    kind
        What is then said to the user.
    ordinary
        Its value if that is so nowhere; by default `compute`.
    """

    compute: Callable[..., Any]
    arity: tuple[int, ...] = (1,)
    undefined: Callable[[Array], Array] | None = None
    kind: str = ""
    ordinary: Callable[..., Any] | None = None


def to_int64(x: Array) -> Array:
    """Truncate to 64-bit integers as x86 does: what does not fit, NaN included, becomes the most negative one."""
    fits = np.abs(x) < 2.0**63
    if np.all(fits):
        return x.astype(np.int64)
    return np.where(fits, np.where(fits, x, 0.0).astype(np.int64), np.iinfo(np.int64).min)


def to_uint64(x: Array) -> Array:
    """Truncate to unsigned 64-bit integers as x86 does: negative numbers wrap around."""
    high = x >= 2.0**63
    if not np.any(high):
        return to_int64(x).astype(np.uint64)
    upper = to_int64(np.where(high, x - 2.0**63, 0.0)).astype(np.uint64) ^ np.uint64(1 << 63)
    return np.where(high, upper, to_int64(np.where(high, 0.0, x)).astype(np.uint64))


def _double(function: Callable[..., Any]) -> Callable[..., Array]:
    return lambda *x: np.asarray(function(*x), dtype=np.float64)


def _exp(x: Array) -> Array:
    return np.where(x < -700, 0.0, np.exp(np.minimum(x, 700.0)))


def _guarded(function: Callable[[Array], Array], undefined: Callable[[Array], Array], kind: str) -> Function:
    """Make a function that is 0 where `undefined` holds."""

    def compute(x: Array) -> Array:
        bad = undefined(x)
        return np.where(bad, 0.0, function(np.where(bad, 1.0, x)))

    return Function(compute, undefined=undefined, kind=kind, ordinary=function)


def _not_positive(x: Array) -> Array:
    return ~(x > 0)


def _beyond_one(x: Array) -> Array:
    return np.abs(x) > 1


def _below_one(x: Array) -> Array:
    return x < 1


def _negative(x: Array) -> Array:
    return x < 0


def _integer(x: Array) -> Array:
    return to_int64(x).astype(np.float64)


def _round(x: Array) -> Any:
    """Round half away from zero, as C does."""
    whole = np.trunc(x)
    return whole + np.where(np.abs(x - whole) >= 0.5, np.copysign(1.0, x), 0.0)


def _range(low: Array, high: Array, x: Array) -> Array:
    return np.where(x < low, low, np.where(x > high, high, x))


def _breit_wigner(x: Array, mean: Any = 0.0, gamma: Any = 1.0) -> Any:
    return gamma / (2 * np.pi * ((x - mean) ** 2 + gamma**2 / 4))


def _relativistic_breit_wigner(x: Array, median: Any = 0.0, gamma: Any = 1.0) -> Any:
    m2, g2 = median * median, gamma * gamma
    root = np.sqrt(m2 * (m2 + g2))
    k = 2 * np.sqrt(2.0) * median * gamma * root / (np.pi * np.sqrt(m2 + root))
    return k / ((x * x - m2) ** 2 + m2 * g2)


def _gaus(x: Array, mean: Any = 0.0, sigma: Any = 1.0, norm: Any = 0.0) -> Any:
    pull = (x - mean) / sigma
    value = np.where(np.abs(pull) > 39.0, 0.0, np.exp(-0.5 * pull * pull))
    value = np.where(norm != 0, value / (np.sqrt(2 * np.pi) * sigma), value)
    return np.where(np.asarray(sigma) == 0, 1.0e30, value)


def _cauchy(x: Array, location: Array, scale: Array) -> Any:
    return scale / (np.pi * ((x - location) ** 2 + scale**2))


def _laplace(x: Array, alpha: Any = 0.0, beta: Any = 1.0) -> Any:
    return np.exp(-np.abs((x - alpha) / beta)) / (2.0 * beta)


def _laplace_integral(x: Array, alpha: Any = 0.0, beta: Any = 1.0) -> Any:
    tail = 0.5 * np.exp(-np.abs((x - alpha) / beta))
    return np.where(x <= alpha, tail, 1 - tail)


def _phi_mpi_pi(x: Array) -> Any:
    """Bring an angle into [-pi, pi)."""
    turned = x - 2 * np.pi * np.floor((x + np.pi) / (2 * np.pi))
    return np.where((x >= -np.pi) & (x < np.pi), x, turned)


def _phi_0_2pi(x: Array) -> Any:
    """Bring an angle into [0, 2 pi)."""
    return np.where((x >= 0) & (x < 2 * np.pi), x, x - 2 * np.pi * np.floor(x / (2 * np.pi)))


def _delta_phi(first: Array, second: Array) -> Any:
    """Bring the difference `second` - `first` of two angles into [-pi, pi]."""
    turned = np.fmod(second - first, 2 * np.pi)
    return np.where(turned < -np.pi, turned + 2 * np.pi, np.where(turned > np.pi, turned - 2 * np.pi, turned))


def _odd(x: Array) -> Any:
    return (to_int64(x) & 1).astype(np.float64)


def _pairs(functions: Mapping[str, Callable[..., Any]], prefixes: tuple[str, ...], arity: int) -> dict[str, Function]:
    return {prefix + name: Function(_double(f), (arity,)) for name, f in functions.items() for prefix in prefixes}


_NOT_POSITIVE = "logarithm of a number that is not positive, taken as 0"
_OUTSIDE = "inverse function outside its domain, taken as 0"

_TFORMULA = {
    "abs": Function(np.abs),
    "sq": Function(np.square),
    "int": Function(_integer),
    "sign": Function(lambda x: np.where(x < 0, -1.0, 1.0)),
    "sqrt": Function(
        lambda x: np.sqrt(np.abs(x)),
        undefined=_negative,
        kind="square root of a negative number, taken of its absolute value",
        ordinary=np.sqrt,
    ),
    "exp": Function(_exp, undefined=lambda x: x > 700, kind="exponential of a number above 700, taken of 700"),
    "log": _guarded(np.log, _not_positive, _NOT_POSITIVE),
    "log10": _guarded(np.log10, _not_positive, _NOT_POSITIVE),
    "acos": _guarded(np.arccos, _beyond_one, _OUTSIDE),
    "asin": _guarded(np.arcsin, _beyond_one, _OUTSIDE),
    "acosh": _guarded(np.arccosh, _below_one, _OUTSIDE),
    "atanh": _guarded(np.arctanh, _beyond_one, _OUTSIDE),
    "sin": Function(np.sin),
    "cos": Function(np.cos),
    "tan": Function(np.tan),
    "atan": Function(np.arctan),
    "sinh": Function(np.sinh),
    "cosh": Function(np.cosh),
    "tanh": Function(np.tanh),
    "asinh": Function(np.arcsinh),
    "atan2": Function(np.arctan2, (2,)),
    "fmod": Function(np.fmod, (2,)),
    "pow": Function(np.power, (2,)),
    "min": Function(lambda a, b: np.where(b < a, b, a), (2,)),
    "max": Function(lambda a, b: np.where(a < b, b, a), (2,)),
    "strstr": Function(lambda text, part: np.char.find(text, part) >= 0, (2,)),
}

_C = {
    **_pairs(
        {
            "fabs": np.abs,
            "floor": np.floor,
            "ceil": np.ceil,
            "round": _round,
            "trunc": np.trunc,
            "rint": np.rint,
            "nearbyint": np.rint,
            "lround": lambda x: _integer(_round(x)),
            "llround": lambda x: _integer(_round(x)),
            "lrint": lambda x: _integer(np.rint(x)),
            "cbrt": np.cbrt,
            "exp2": np.exp2,
            "exp10": lambda x: np.power(10.0, x),
            "expm1": np.expm1,
            "log2": np.log2,
            "log1p": np.log1p,
            "erf": special.erf,
            "erfc": special.erfc,
            "tgamma": special.gamma,
            "lgamma": special.log_gamma,
            "j0": special.scipy_special("j0"),
            "j1": special.scipy_special("j1"),
            "y0": special.scipy_special("y0"),
            "y1": special.scipy_special("y1"),
        },
        ("",),
        1,
    ),
    **_pairs(
        {"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "signbit": np.signbit, "abs": np.abs},
        ("std::",),
        1,
    ),
    **_pairs({"isnan": np.isnan, "isinf": np.isinf, "isfinite": np.isfinite, "signbit": np.signbit}, ("",), 1),
    **_pairs(
        {
            "hypot": np.hypot,
            "fmax": np.fmax,
            "fmin": np.fmin,
            "fdim": lambda a, b: np.where(a > b, a - b, np.where(np.isnan(a) | np.isnan(b), np.nan, 0.0)),
            "copysign": np.copysign,
            "nextafter": np.nextafter,
            "remainder": lambda a, b: a - b * np.rint(a / b),
        },
        ("", "std::"),
        2,
    ),
    **_pairs({"pow": np.power, "atan2": np.arctan2, "fmod": np.fmod}, ("std::",), 2),
    "std::hypot": Function(lambda *x: np.sqrt(sum(np.square(a) for a in x)), (2, 3)),
    "ldexp": Function(lambda x, n: x * np.exp2(np.trunc(n)), (2,)),
    "fma": Function(lambda a, b, c: a * b + c, (3,)),
    "TVector2::Phi_mpi_pi": Function(_phi_mpi_pi),
    "TVector2::Phi_0_2pi": Function(_phi_0_2pi),
    "ROOT::Math::VectorUtil::Phi_mpi_pi": Function(_phi_mpi_pi),
    "ROOT::VecOps::DeltaPhi": Function(_delta_phi, (2,)),
}

_CONSTANTS = {
    "Pi": np.pi,
    "TwoPi": 2 * np.pi,
    "PiOver2": np.pi / 2,
    "PiOver4": np.pi / 4,
    "InvPi": 1 / np.pi,
    "RadToDeg": 180 / np.pi,
    "DegToRad": np.pi / 180,
    "Sqrt2": np.sqrt(2.0),
    "E": np.e,
    "Ln10": np.log(10.0),
    "LogE": np.log10(np.e),
    "EulerGamma": np.euler_gamma,
    "C": 299792458.0,
    "Ccgs": 2.99792458e10,
    "G": 6.67430e-11,
    "Gcgs": 6.67430e-8,
    "GhbarC": 6.70883e-39,
    "H": 6.62607015e-34,
    "Hcgs": 6.62607015e-27,
    "Hbar": 1.054571817e-34,
    "Hbarcgs": 1.054571817e-27,
    "HC": 6.62607015e-34 * 299792458.0,
    "HCcgs": 6.62607015e-27 * 2.99792458e10,
    "K": 1.380649e-23,
    "Kcgs": 1.380649e-16,
    "Sigma": 5.670373e-8,
    "Na": 6.02214076e23,
    "R": 6.02214076e23 * 1.380649e-23,
    "MWair": 28.9644,
    "Rgair": 1000 * 6.02214076e23 * 1.380649e-23 / 28.9644,
    "Qe": 1.602176634e-19,
    "QuietNaN": np.nan,
    "SignalingNaN": np.nan,
    "Infinity": np.inf,
}

_TMATH_ONE: dict[str, Callable[..., Any]] = {
    "Abs": np.abs,
    "Sqrt": np.sqrt,
    "Exp": np.exp,
    "Log": np.log,
    "Log10": np.log10,
    "Log2": np.log2,
    "Sin": np.sin,
    "Cos": np.cos,
    "Tan": np.tan,
    "ASin": np.arcsin,
    "ACos": np.arccos,
    "ATan": np.arctan,
    "SinH": np.sinh,
    "CosH": np.cosh,
    "TanH": np.tanh,
    "ASinH": np.arcsinh,
    "ACosH": np.arccosh,
    "ATanH": np.arctanh,
    "Sq": np.square,
    "Ceil": np.ceil,
    "Floor": np.floor,
    "CeilNint": lambda x: np.rint(np.ceil(x)),
    "FloorNint": lambda x: np.rint(np.floor(x)),
    "Nint": np.rint,
    "Odd": _odd,
    "Even": lambda x: 1.0 - _odd(x),
    "SignBit": np.signbit,
    "IsNaN": np.isnan,
    "Finite": np.isfinite,
    "Gaus": _gaus,
    "LaplaceDist": _laplace,
    "LaplaceDistI": _laplace_integral,
    "BreitWigner": _breit_wigner,
    "BreitWignerRelativistic": _relativistic_breit_wigner,
    **special.ONE,
}
_TMATH_TWO: dict[str, Callable[..., Any]] = {
    "ATan2": np.arctan2,
    "Hypot": np.hypot,
    "Power": np.power,
    "Min": lambda a, b: np.where(a <= b, a, b),
    "Max": lambda a, b: np.where(a >= b, a, b),
    "Sign": np.copysign,
    "Ldexp": lambda x, n: x * np.exp2(np.trunc(n)),
    **special.TWO,
}
_TMATH_THREE: dict[str, Callable[..., Any]] = {"Range": _range, "CauchyDist": _cauchy, **special.THREE}
_MORE_ARITIES = {  # where arguments may be left out
    "Gaus": (1, 2, 3, 4),
    "LaplaceDist": (1, 2, 3),
    "LaplaceDistI": (1, 2, 3),
    "BreitWigner": (1, 2, 3),
    "BreitWignerRelativistic": (1, 2, 3),
    "Landau": (1, 2, 3, 4),
    "LogNormal": (2, 3, 4),
    "GammaDist": (2, 3, 4),
    "Gamma": (1, 2),
}


def _constant(value: float) -> Function:
    number = np.float64(value)
    return Function(lambda: number, (0,))


def _tmath() -> dict[str, Function]:
    found = {name: _constant(value) for name, value in _CONSTANTS.items()}
    for arity, family in ((1, _TMATH_ONE), (2, _TMATH_TWO), (3, _TMATH_THREE)):
        for name, function in family.items():
            found[name] = Function(_double(function), _MORE_ARITIES.get(name, (arity,)))
    return {f"TMath::{name}": function for name, function in found.items()}


FUNCTIONS: Mapping[str, Function] = MappingProxyType({**_C, **_TFORMULA, **_tmath()})
"""Every function, by the name that a formula calls it by."""
