r"""Support vector machine: TMVA's files of support vectors, read, applied and written.

With the support vectors :math:`x_i`, their multipliers :math:`\alpha_i` and types :math:`t_i = \pm 1`, the response is

.. math:: 1 / (1 + e^f), \quad f = \sum_i \alpha_i t_i K(x_i, x) - b,

which is near 1 for signal, and that of a regression is :math:`\sum_i (\alpha_i - \alpha'_i) K(x_i, x) + b`. The kernels
`K` are those of ROOT's ``tmva/tmva/src/SVKernelFunction.cxx``, in its single precision. Files before ROOT 6.08 name no
kernel: theirs is the radial one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from xml.etree import ElementTree as ET

import numpy as np
import numpy.typing as npt

from mvakit.errors import WeightFileError, did_you_mean
from mvakit.method import Capabilities, Method, MethodOptions, WeightContext
from mvakit.options import option
from mvakit.types import AnalysisType
from mvakit.weightfile import (
    attribute,
    child,
    float_attribute,
    int_attribute,
    number,
    numbers,
    text_numbers,
)

__all__ = ["SVM", "SVMOptions", "SVMState"]

FloatArray = npt.NDArray[np.float64]
SingleArray = npt.NDArray[np.float32]

# Pairs of an event and a support vector that are looked at together; they stay in the processor's cache.
_PAIRS: Final = 1 << 16
_MAX_ORDER: Final = 1000
_SIMPLE: Final = ("RBF", "MultiGauss", "Polynomial")
_COMPOSED: Final = {"Prod": "*", "Sum": "+"}


@dataclass(frozen=True, kw_only=True)
class SVMOptions(MethodOptions):
    """The options of `SVM`."""

    kernel: str = option(
        "Kernel",
        "RBF",
        "how like two events are: RBF, MultiGauss (a width for each variable), Polynomial, or the Prod or Sum of those in "
        "KernelList",
    )
    gamma: float = option("Gamma", 1.0, "inverse width squared of RBF")
    order: int = option("Order", 3, "power of Polynomial")
    theta: float = option("Theta", 1.0, "what Polynomial adds to the product of two events")
    gamma_list: str = option("GammaList", "", "inverse widths squared of MultiGauss, one for each variable: '0.1,0.5'")
    tune: str = option("Tune", "All", "what a search for the best parameters varies: 'Gamma[0.01;1;100],C[1;10;5]'")
    kernel_list: str = option("KernelList", "None", "kernels of Prod, as in 'RBF*Polynomial', or Sum, 'RBF+MultiGauss'")
    loss: str = option("Loss", "hinge", "loss of that search: hinge, exp or binomial")
    cost: float = option("C", 1.0, "price of a training event on the wrong side (TMVA: 0.002 for a regression)")
    tolerance: float = option("Tol", 0.01, "how far from the optimum a training may end")
    max_iterations: int = option(
        "MaxIter", 1000, "passes over the training events at most", minimum=0, maximum=2**32 - 1
    )


@dataclass(frozen=True, slots=True, eq=False)
class SVMState:
    """A trained support vector machine.

    Attributes
    ----------
    offset : float32
        `b`.
    gamma : float32
    gamma_list : str or None
        None where the file is of a release without kernels to choose from; `theta` and `order`, too.
    theta : float32 or None
    order : int or None
    number : ndarray of float64, shape (n,)
        What the training called the support vectors.
    kind : ndarray of int64, shape (n,)
        -1 for signal, 1 for background.
    alpha, alpha_p : ndarray of float32, shape (n,)
    vectors : ndarray of float32, shape (n, n_variables)
    minima, maxima : ndarray of float64, shape (n_variables,)
        The ranges of the training events.
    kernels : tuple of str
        The simple kernels whose values are added.
    gammas : ndarray of float32, shape (n_variables,)
        The widths of ``MultiGauss``; empty where nothing asks for them.
    """

    offset: np.float32
    gamma: np.float32
    gamma_list: str | None
    theta: np.float32 | None
    order: int | None
    number: FloatArray
    kind: npt.NDArray[np.int64]
    alpha: SingleArray
    alpha_p: SingleArray
    vectors: SingleArray
    minima: FloatArray
    maxima: FloatArray
    kernels: tuple[str, ...]
    gammas: SingleArray
    regression: bool

    def similarity(self, X: SingleArray) -> SingleArray:
        """Return the kernels of events and support vectors, shape (n_events, n)."""
        values = [self._simple(kernel, X) for kernel in self.kernels]
        total = values[0]
        for value in values[1:]:
            total = total + value
        return total

    def _simple(self, kernel: str, X: SingleArray) -> SingleArray:
        if kernel == "Polynomial":
            assert self.theta is not None
            assert self.order is not None
            product = np.full((len(X), len(self.vectors)), self.theta, np.float32)
            for v in range(X.shape[1]):
                product += np.multiply.outer(X[:, v], self.vectors[:, v])
            return np.power(product.astype(np.float64), float(self.order)).astype(np.float32)
        if kernel == "MultiGauss":
            result = np.ones((len(X), len(self.vectors)), np.float32)
            for v in range(X.shape[1]):
                gap = np.subtract.outer(X[:, v], self.vectors[:, v])
                result = (result * np.exp((-gap * gap * self.gammas[v]).astype(np.float64))).astype(np.float32)
            return result
        norm = np.zeros((len(X), len(self.vectors)), np.float32)
        for v in range(X.shape[1]):
            gap = np.subtract.outer(X[:, v], self.vectors[:, v])
            gap *= gap
            norm += gap
        return np.exp((norm * -self.gamma).astype(np.float64)).astype(np.float32)


class SVM(Method[SVMOptions, SVMState]):
    """Support vectors: a response from 0 (background) to 1 (signal), or a target.

    TMVA multiplies the kernels of ``Kernel=Prod`` while it trains and adds them when it reads the file; here they are
    added.
    """

    name = "SVM"
    options_type = SVMOptions
    capabilities = Capabilities(
        analyses=frozenset({AnalysisType.CLASSIFICATION, AnalysisType.REGRESSION}),
        trainable=False,
        negative_weights=False,
    )

    def predict(
        self,
        state: SVMState,
        X: SingleArray,
        spectators: FloatArray | None = None,  # noqa: ARG002
        efficiency: float | None = None,  # noqa: ARG002
    ) -> FloatArray:
        """Return the response, shape (n,).

        Raises
        ------
        DataError
            If it is none, as multipliers are too large.
        """
        X = np.asarray(X, np.float32)
        total = np.empty(len(X))
        factor = state.alpha - state.alpha_p if state.regression else state.alpha * state.kind.astype(np.float32)
        step = max(1, _PAIRS // max(1, len(state.vectors)))
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            for start in range(0, len(X), step):
                part = state.similarity(X[start : start + step])
                total[start : start + step] = (part * factor).sum(axis=1, dtype=np.float64)
            if state.regression:
                return (total + float(state.offset)).astype(np.float32).astype(np.float64)
            return 1.0 / (1.0 + np.exp(total - float(state.offset)))

    def write_state(self, state: SVMState, weights: ET.Element) -> Mapping[str, bytes]:
        """Write ``<SupportVector>`` rows of number, type, both multipliers and variables, then the ranges."""
        weights.set("fBparm", number(float(state.offset)))
        weights.set("fGamma", number(float(state.gamma)))
        # ROOT asks for these since 6.08; earlier releases do not look at them.
        weights.set("fGammaList", state.gamma_list or "")
        weights.set("fTheta", number(self.options.theta if state.theta is None else float(state.theta)))
        weights.set("fOrder", str(self.options.order if state.order is None else state.order))
        weights.set("NSupVec", str(len(state.vectors)))
        rows = np.column_stack([state.number, state.kind, state.alpha, state.alpha_p, state.vectors]).tolist()
        for row in rows:
            ET.SubElement(weights, "SupportVector", Rows="1", Columns=str(len(row))).text = numbers(row)
        for tag, values in (("Maxima", state.maxima), ("Minima", state.minima)):
            ET.SubElement(weights, tag, {f"Var{v}": number(value) for v, value in enumerate(values)})
        return {}

    def read_state(self, weights: ET.Element, context: WeightContext) -> SVMState:
        """Read what `write_state` or TMVA wrote.

        Raises
        ------
        WeightFileError
            If a number is missing or none, or the kernel is unknown.
        """
        if len(context.targets) > 1:
            raise WeightFileError(f"{context.title} has {len(context.targets)} targets, and SVM estimates one")
        n_variables = len(context.variables)
        rows = _read_vectors(weights, n_variables)
        maxima, minima = (
            np.array([float_attribute(child(weights, tag), f"Var{v}", finite=False) for v in range(n_variables)])
            for tag in ("Maxima", "Minima")
        )
        kernels = _kernels(self.options, context)
        gamma_list = weights.get("fGammaList")
        theta = None if weights.get("fTheta") is None else _single(float_attribute(weights, "fTheta"), "fTheta")
        order = None if weights.get("fOrder") is None else int_attribute(weights, "fOrder", -_MAX_ORDER, _MAX_ORDER)
        if "Polynomial" in kernels:
            attribute(weights, "fTheta")
            attribute(weights, "fOrder")
        return SVMState(
            offset=_single(float_attribute(weights, "fBparm"), "fBparm"),
            gamma=_single(float_attribute(weights, "fGamma"), "fGamma"),
            gamma_list=gamma_list,
            theta=theta,
            order=order,
            number=rows[:, 0],
            kind=rows[:, 1].astype(np.int64),
            alpha=rows[:, 2].astype(np.float32),
            alpha_p=rows[:, 3].astype(np.float32),
            vectors=rows[:, 4:].astype(np.float32),
            minima=minima,
            maxima=maxima,
            kernels=kernels,
            gammas=_gammas(weights, n_variables) if "MultiGauss" in kernels else np.empty(0, np.float32),
            regression=context.analysis is AnalysisType.REGRESSION,
        )


def _single(value: float, name: str) -> np.float32:
    if abs(value) > float(np.finfo(np.float32).max):
        raise WeightFileError(f"<Weights {name}={value!r}> is too large for a single-precision number")
    return np.float32(value)


def _kernels(options: SVMOptions, context: WeightContext) -> tuple[str, ...]:
    """Return the simple kernels whose sum a file asks for."""
    kernel = options.kernel
    if kernel == "Gauss":  # a former name, to which TMVA gave fGamma just the same
        return ("RBF",)
    names = options.kernel_list.split(_COMPOSED[kernel]) if kernel in _COMPOSED else [kernel]
    for name in names:
        if name not in _SIMPLE:
            known = _SIMPLE if kernel in _COMPOSED else (*_SIMPLE, *_COMPOSED)
            where = f"KernelList={options.kernel_list}" if kernel in _COMPOSED else f"Kernel={kernel}"
            raise WeightFileError(
                f"{context.title}: {where} names the kernel {name!r}; {did_you_mean(name, known, noun='the kernels')}"
            )
    return tuple(names)


def _gammas(weights: ET.Element, n_variables: int) -> SingleArray:
    text = attribute(weights, "fGammaList")
    try:
        values = np.array(text.replace(",", " ").split(), np.float64)
    except ValueError:
        values = np.empty(0)
    if values.shape != (n_variables,) or not np.isfinite(values).all():
        raise WeightFileError(f"<Weights fGammaList={text!r}> should hold {n_variables} numbers, one for each variable")
    return values.astype(np.float32)


def _read_vectors(weights: ET.Element, n_variables: int) -> FloatArray:
    """Return the rows of the support vectors, shape (n, 4 + n_variables)."""
    columns = 4 + n_variables
    items = weights.findall("SupportVector")
    int_attribute(weights, "NSupVec", len(items), len(items))
    rows = np.empty((len(items), columns))
    for row, item in zip(rows, items, strict=True):
        if int_attribute(item, "Rows", 1) * int_attribute(item, "Columns", 1) != columns:
            raise WeightFileError(
                f"<SupportVector Rows={item.get('Rows')!r} Columns={item.get('Columns')!r}> should hold {columns} numbers"
            )
        row[:] = text_numbers(item, columns)
    largest = float(np.finfo(np.float32).max)
    if not (np.abs(rows) <= largest).all():
        raise WeightFileError("a <SupportVector> holds a number that is not finite in single precision")
    if not np.isin(rows[:, 1], (-1, 1)).all():
        raise WeightFileError("the second number of a <SupportVector>, its type, should be -1 (signal) or 1")
    return rows
