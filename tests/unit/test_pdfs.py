"""PDFs of histograms and of responses: numbers of TMVA's own class PDF, what they are made of, and files both ways."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, MethodError, MvakitError, MvakitWarning, OptionError, WeightFileError
from mvakit.evaluation.smoothing import smooth
from mvakit.method import Capabilities, MethodOptions
from mvakit.model import Model, book, train
from mvakit.pdfs import Border, Kernel, Pdf, Recipe, ResponsePdfs, bins_for
from mvakit.pdfs import Interpolation as I
from mvakit.pdfs.histogram import _wanted_passes, smoothed
from mvakit.pdfs.interpolation import interpolate, rounding
from mvakit.registry import method_class
from mvakit.types import AnalysisType
from mvakit.variables import define

CONTENTS = np.array([0.5, 4, 0, 9.25, 17, 30.5, 28.75, 36, 12.5, 6, 0, 0.25, 2.5, 1, 0, 0.75])
NEGATIVE = np.array([0.5, 4, -1.5, 9.25, 17, 30.5, 28.75, 36, 12.5, 6, -2, 0.25])
PLACES = np.array([-1.2, -0.97, -0.6, -0.123, 0.2, 0.55, 0.98, 1.3])

# Densities and integrals at PLACES of histograms in [-1, 1], from TMVA's class PDF run with ROOT 6.40.
TMVA = [
    (
        Recipe(I.SPLINE0, 0, 0),
        CONTENTS,
        [0.0268456377, 0.0268456377, 0.496644288, 1.93288589, 0.322147638, 0.134228185, 0.0402684547, 0.0402684547],
        [0, 0.00335570471, 0.0426174498, 0.607892612, 0.95369127, 0.978187913, 0.999194624, 1.01208053],
    ),
    (
        Recipe(I.SPLINE0, 2, 2),
        CONTENTS,
        [0.0138971657, 0.0138971657, 0.553775847, 1.43207014, 0.305245757, 0.0322772861, 0.0430363826, 0.0430363826],
        [0, 0.00173714571, 0.0530282393, 0.653004913, 0.956362776, 0.981636687, 0.99913927, 1.01291091],
    ),
    (
        Recipe(I.SPLINE0, 1, 4),
        CONTENTS,
        [1e-12, 1e-12, 0.598766923, 1.36740279, 0.403274298, 0.0119320815, 0.0492405929, 0.0492405929],
        [0, 0, 0.0531464647, 0.635956263, 0.944238607, 0.983451238, 0.999015201, 1.01477219],
    ),
    (
        Recipe(I.SPLINE0, 3, 3),
        NEGATIVE,
        [0.0104676066, 0.0104676066, 0.179658949, 1.15085542, 1.07353747, 0.287486911, 1e-12, 1e-12],
        [0, 0.00174460115, 0.0227860865, 0.297480155, 0.686412541, 0.955316936, 1.00000001, 1.00000001],
    ),
    (
        Recipe(I.SPLINE1, 0, 0),
        CONTENTS,
        [0.0268352162, 0.0268352162, 0.347516045, 1.74380594, 0.289820328, 0.122100234, 0.0539387837, 0.156983465],
        [0, 0.000805056466, 0.04515268, 0.613112824, 0.952879028, 0.977642883, 0.998856794, 1.01810408],
    ),
    (
        Recipe(I.SPLINE1, 2, 2),
        CONTENTS,
        [0.0139001654, 0.0139001654, 0.45670636, 1.57573837, 0.280206665, 0.0303493189, 0.0430456735, 0.0430456735],
        [0, 0.000417004953, 0.0546460664, 0.64859339, 0.956196435, 0.981644792, 0.999139061, 1.01291368],
    ),
    (
        Recipe(I.SPLINE1, 1, 4),
        CONTENTS,
        [1e-12, 1e-12, 0.492274314, 1.48285669, 0.375247076, 0.0131928436, 0.0496700499, 0.0529124439],
        [0, 1.6973744e-15, 0.055141912, 0.632450374, 0.944044781, 0.983423865, 0.999004548, 1.01496145],
    ),
    (
        Recipe(I.SPLINE1, 3, 3),
        NEGATIVE,
        [0.010469784, 0.010469784, 0.167166352, 1.06871879, 1.13257843, 0.363735259, 1e-12, 1e-12],
        [0, 0.000314093513, 0.0226871947, 0.298967769, 0.684876836, 0.954037798, 0.999999975, 0.999999975],
    ),
    (
        Recipe(I.SPLINE2, 0, 0),
        CONTENTS,
        [0.0266630221, 0.0266630221, 0.312390804, 1.80503225, 0.279861793, 0.123416487, 0.0748511218, 0.415075239],
        [0, 0.000799890643, 0.0450037392, 0.614973906, 0.954341407, 0.977492158, 0.998305575, 1.0284641],
    ),
    (
        Recipe(I.SPLINE2, 2, 2),
        CONTENTS,
        [0.102832441, 0.01648713, 0.438665316, 1.62330848, 0.269100472, 0.0291991625, 0.0426684916, 0.0386713184],
        [0, 0.00060942311, 0.0511823481, 0.651499012, 0.960216733, 0.981520203, 0.999148847, 1.01273163],
    ),
    (
        Recipe(I.SPLINE2, 1, 4),
        CONTENTS,
        [0.108955131, 0.00374524796, 0.476775125, 1.52085978, 0.366693392, 0.0106118619, 0.045402905, 0.00101755373],
        [0, 0.000255381711, 0.051443537, 0.634899553, 0.948046445, 0.983536297, 0.999116604, 1.01286049],
    ),
    (
        Recipe(I.SPLINE2, 3, 3),
        NEGATIVE,
        [0.0636179242, 0.0135841938, 0.162255436, 1.07898867, 1.15884107, 0.355968043, 0.0148996222, 0.18016485],
        [0, 0.000482182526, 0.0205370202, 0.295639175, 0.687994303, 0.957786152, 0.999612522, 1.00724857],
    ),
    (
        Recipe(I.SPLINE3, 0, 0),
        CONTENTS,
        [0.0264523327, 0.0264523327, 0.325808287, 1.81392199, 0.295660406, 0.128820479, 0.0725314654, 0.385949336],
        [0, 0.000793569962, 0.0503255327, 0.614113746, 0.951734181, 0.977693824, 0.998366051, 1.02732957],
    ),
    (
        Recipe(I.SPLINE3, 2, 2),
        CONTENTS,
        [1e-12, 0.00889937021, 0.436328933, 1.63011551, 0.266938195, 0.0303475009, 0.0432723891, 0.0473744255],
        [0, 0.00021952721, 0.0508507282, 0.651745065, 0.960275713, 0.981451161, 0.999132478, 1.01304683],
    ),
    (
        Recipe(I.SPLINE3, 1, 4),
        CONTENTS,
        [1e-12, 1e-12, 0.474662811, 1.52523696, 0.365281761, 0.011301876, 0.0412600338, 1e-12],
        [0, 1.69730609e-15, 0.0512254822, 0.635193212, 0.948279332, 0.983577544, 0.999229537, 1.01067824],
    ),
    (
        Recipe(I.SPLINE3, 3, 3),
        NEGATIVE,
        [1e-12, 0.00440147123, 0.16181948, 1.08193016, 1.16210741, 0.352892265, 0.0074292908, 0.107150102],
        [0, 8.72586311e-05, 0.0202746849, 0.295003085, 0.68844063, 0.958175536, 0.999798209, 1.00388816],
    ),
    (
        Recipe(I.SPLINE5, 0, 0),
        CONTENTS,
        [0.0264511127, 0.0264511127, 0.33753553, 1.81933904, 0.305968583, 0.131703675, 0.0719018951, 0.381957199],
        [0, 0.000793533361, 0.0488193265, 0.611917125, 0.948641369, 0.977987239, 0.998381201, 1.02706766],
    ),
    (
        Recipe(I.SPLINE5, 2, 2),
        CONTENTS,
        [0.0644768262, 0.0134121138, 0.436052099, 1.63098639, 0.26689443, 0.0304340506, 0.0426775236, 0.0387274958],
        [0, 0.000459336891, 0.051032543, 0.651858699, 0.960293076, 0.981473273, 0.999148642, 1.01273506],
    ),
    (
        Recipe(I.SPLINE5, 1, 4),
        CONTENTS,
        [0.0586861819, 1e-12, 0.474112466, 1.52596629, 0.365240604, 0.0113769369, 0.0436500032, 1e-12],
        [0, 5.96181403e-05, 0.0511420937, 0.635151201, 0.948220133, 0.983511207, 0.999162866, 1.0119899],
    ),
    (
        Recipe(I.SPLINE5, 3, 3),
        NEGATIVE,
        [0.0340197175, 0.00969530083, 0.161915258, 1.08154207, 1.16228712, 0.352261707, 0.0111116171, 0.148290117],
        [0, 0.000320905197, 0.0205190052, 0.295067511, 0.688477159, 0.958059839, 0.999704477, 1.00561807],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(False, Border(1), 0.7)),
        CONTENTS,
        [1e-12, 0.044499347, 0.381325036, 1.63467979, 0.325287595, 0.0804781131, 0.000425395963, 1e-12],
        [0, 0.00111229433, 0.0570889241, 0.618840968, 0.947851852, 0.984331162, 0.999993595, 0.999999975],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(False, Border(2), 0.7)),
        CONTENTS,
        [1e-12, 0.0501058698, 0.381057575, 1.63177121, 0.324708804, 0.0803462081, 0.000425058141, 1e-12],
        [0, 0.00126602471, 0.0587427331, 0.619512167, 0.947937638, 0.9843527, 0.999993599, 0.999999974],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(False, Border(3), 0.7)),
        CONTENTS,
        [0.041535493, 0.0637754314, 0.380647153, 1.6317721, 0.324708968, 0.0803349614, 0.000548689015, 1e-12],
        [0, 0.00184423605, 0.0587591861, 0.61951201, 0.947937658, 0.98435208, 0.999990178, 0.999999975],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(True, Border(1), 0.7)),
        CONTENTS,
        [1e-12, 0.0444878414, 0.316916496, 1.72841096, 0.236463465, 0.0381493289, 0.0129568703, 1e-12],
        [0, 0.00126260585, 0.0435430902, 0.618681236, 0.956821347, 0.987661026, 0.999756167, 0.999999974],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(True, Border(2), 0.7)),
        CONTENTS,
        [1e-12, 0.0563329943, 0.322212264, 1.71530747, 0.235533595, 0.0404538587, 0.0141299418, 1e-12],
        [0, 0.00159875789, 0.0485185843, 0.619975434, 0.955537883, 0.98677782, 0.999733837, 0.999999975],
    ),
    (
        Recipe(I.KDE, kernel=Kernel(True, Border(3), 0.7)),
        CONTENTS,
        [0.0556222945, 0.0794161707, 0.316081062, 1.71528733, 0.234683335, 0.0382139925, 0.0228765793, 1e-12],
        [0, 0.00238517935, 0.0493048779, 0.620010407, 0.955473348, 0.986116147, 0.999548546, 0.999999974],
    ),
]


@pytest.mark.parametrize(("recipe", "contents", "densities", "integrals"), TMVA)
def test_densities_and_integrals_of_tmva(
    recipe: Recipe, contents: np.ndarray, densities: list[float], integrals: list[float]
) -> None:
    pdf = Pdf(-1.0, 1.0, contents, recipe)
    np.testing.assert_allclose(pdf(PLACES), densities, rtol=1e-6)
    np.testing.assert_allclose(pdf.integral(PLACES), np.minimum(integrals, 1.0), rtol=1e-6, atol=1e-8)


PEAK = np.array([3.0, 7, 20, 41, 60, 44, 31, 12, 9, 6, 4, 2, 1, 1, 2, 1])


@pytest.mark.parametrize(
    ("kernel", "densities", "integrals"),
    [
        # from TMVA's class PDF, as above
        (Kernel(False, Border.RENORM),
         [1e-12, 0.0364258848, 0.455009907, 0.237426393, 0.0697262362, 0.00504946313, 1e-12],
         [0, 0.0010319765, 0.182427893, 0.85058315, 0.953743889, 0.999621922, 1]),
        (Kernel(False, Border.MIRROR),
         [0.0346024763, 0.0514175761, 0.454682216, 0.237455197, 0.0697346963, 0.0060809569, 1e-12],
         [0, 0.00153041478, 0.182381631, 0.850566276, 0.953739528, 0.999452759, 1]),
        (Kernel(True, Border.RENORM, 1.3),
         [0.0008633174, 0.0666624382, 0.439525262, 0.249202833, 0.0660933442, 0.0123791564, 1e-12],
         [0, 0.00194082268, 0.204770672, 0.838163996, 0.945821814, 0.998812115, 1]),
        (Kernel(True, Border.MIRROR, 1.3),
         [0.0109641738, 0.070981089, 0.437766045, 0.250446901, 0.0648270696, 0.0119558857, 1e-12],
         [0, 0.00207683832, 0.204095404, 0.840455109, 0.947841942, 0.998849477, 1]),
    ],
)  # fmt: skip
def test_borders_of_kernels_of_tmva(kernel: Kernel, densities: list[float], integrals: list[float]) -> None:
    pdf = Pdf(-2.0, 3.0, PEAK, Recipe(I.KDE, kernel=kernel))
    x = np.array([-2.4, -1.97, -1.0, 0.3, 1.1, 2.9, 3.5])
    np.testing.assert_allclose(pdf(x), densities, rtol=1e-6)
    np.testing.assert_allclose(pdf.integral(x), integrals, rtol=1e-6)


RUGGED = np.array([100.0, 3, 400, 90, 2, 50, 900, 64, 25, 1, 0, 36, 81, 4, 49, 9])


@pytest.mark.parametrize(
    ("contents", "minimum", "maximum", "expected"),
    [
        # from TMVA's class PDF, as above
        (CONTENTS, 2, 2, [0.2421875, 1.21451819, 4.00618505, 9.65071583, 18.3627396, 27.0466938, 30.1175861, 24.9568501, 14.5439453, 5.3195529, 0.94542098, 0.225368917, 0.5625, 0.72265625, 0.75, 0.75]),
        (CONTENTS, 1, 4, [0, 1.08861876, 4.30934668, 10.5826101, 18.9895382, 26.1778316, 28.3845329, 24.1674843, 15.5313826, 7.1274724, 2.17524934, 0.433761001, 0.210887685, 0.495150834, 0.847903311, 0.870278537]),
        (RUGGED, 0, 6, [101.27153, 97.2287216, 91.9945755, 84.9041901, 75.7435989, 64.4923782, 51.2822609, 37.3594856, 26.1535511, 21.2571869, 24.4726105, 31.9116516, 35.1783028, 31.1883812, 21.6639004, 9]),
        (RUGGED, 2, 9, [101.27153, 97.1472626, 92.0127945, 85.112999, 75.9315109, 64.3513184, 50.9324341, 37.4932213, 27.1450615, 22.4705658, 24.9545135, 31.3534069, 34.0541916, 30.2625561, 21.3414326, 9.15195274]),
        (RUGGED, 0, 1, [100.59375, 97.46875, 92.5, 85.0481796, 75.4518204, 64.4791641, 52.609375, 38.7265625, 24.5488281, 17.3170567, 22.4993477, 34.4658203, 39.5634766, 32.0009766, 18.8492832, 9]),
        (NEGATIVE, 3, 3, [0.2421875, 1.25830543, 4.15674305, 10.0422144, 18.62076, 26.6271763, 29.3735218, 24.8382816, 15.4635239, 6.65154314, 1.546875, 0]),
    ],
)  # fmt: skip
def test_smoothing_of_tmva(contents: np.ndarray, minimum: int, maximum: int, expected: list[float]) -> None:
    np.testing.assert_allclose(smoothed(contents, minimum, maximum), expected, rtol=1e-8)


def test_smoothing_by_the_number_of_passes() -> None:
    np.testing.assert_array_equal(smoothed(CONTENTS, 3, 3), smooth(CONTENTS, 3).astype(np.float32))
    np.testing.assert_array_equal(smooth(CONTENTS, 3), smooth(smooth(smooth(CONTENTS))))
    assert smoothed(CONTENTS, 0, 0) is CONTENTS
    assert smoothed(CONTENTS, -1, 5) is CONTENTS
    # nothing is significant: every bin asks for the most passes, in one region that reaches the last bin
    few = np.full(8, 0.5)
    few[3] = 0.25
    np.testing.assert_allclose(smoothed(few, 1, 6), smooth(few, 2), rtol=1e-6)
    # all errors are equal: every bin asks for the fewest passes
    equal = np.array([9.0, 9, 0, 9, 9, 9, 9, 0])
    with_regions = smoothed(equal, 2, 4)
    np.testing.assert_allclose(with_regions, smooth(equal, 3), rtol=1e-6)
    with pytest.raises(DataError, match="smoothing takes 50000000 bins times passes"):
        smoothed(np.ones(50_000), 1000, 1000)
    with pytest.raises(DataError, match="bins times passes"):
        smoothed(np.tile([1.0, 100.0, 100.0, 0.0, 0.0, 50.0], 5000), 0, 1000)


def test_bins_ask_to_be_smoothed_by_their_relative_errors() -> None:
    wanted = _wanted_passes(RUGGED, 2, 9)
    for content, passes in zip(RUGGED, wanted, strict=True):
        if content <= 1:  # an error of 100 % or more
            assert passes == 9
    error = RUGGED[RUGGED > 1] ** -0.5
    share = (error - (error.mean() - error.std())) / (2 * error.std())
    assert wanted[RUGGED > 1].tolist() == [min(max(int(7 * s) + 2, 2), 9) for s in share]
    assert len(set(wanted.tolist())) > 3


# ------------------------------------------------------------------------------------------------ one density


@pytest.mark.parametrize("kind", list(I))
def test_a_density_is_positive_and_its_integral_is_one(kind: I) -> None:
    pdf = Pdf(-1.0, 1.0, CONTENTS, Recipe(kind, 1, 1))
    assert pdf.fine.size == (CONTENTS.size if kind is I.SPLINE0 else 10_000)
    assert pdf.fine.sum() * 2.0 / pdf.fine.size == pytest.approx(1.0, rel=1e-6)
    x = np.linspace(-3.0, 3.0, 2001)
    assert pdf(x).min() >= 1e-12
    shares = pdf.integral(x)
    assert np.all(np.diff(shares) >= 0)
    assert (shares[0], shares[-1]) == (0.0, pytest.approx(1.0, rel=1e-6))
    assert shares.max() <= 1.0
    assert kind.option in repr(pdf)
    assert not any(a.flags.writeable for a in (pdf.original, pdf.smoothed, pdf.fine))
    # the integral is that of the density, but for the first bin, which counts whole
    inside = np.linspace(-0.84, 0.95, 60)
    step = 1e-4 if kind is I.SPLINE0 else 2e-4
    slope = (pdf.integral(inside + step) - pdf.integral(inside - step)) / (2 * step)
    np.testing.assert_allclose(slope, pdf(inside), rtol=0.02, atol=2e-3)


def test_values_that_are_no_numbers_or_far_away() -> None:
    pdf = Pdf(-1.0, 1.0, CONTENTS, Recipe())
    for function in (pdf, pdf.integral):
        values = function(np.array([np.nan, 0.0, np.inf, -np.inf]))
        assert np.isnan(values[0])
        assert np.isfinite(values[1:]).all()
    assert pdf.integral([-np.inf, np.inf]).tolist() == [0.0, pytest.approx(1.0, rel=1e-6)]
    assert pdf(0.0).shape == ()


def test_a_spline_that_dips_below_zero_gives_way_to_the_histogram() -> None:
    contents = np.array([10.0, 10, 0.5, 0, 10, 10, 2, 3])
    pdf = Pdf(0.0, 8.0, contents, Recipe(I.SPLINE3))
    x = (np.arange(10_000) + 0.5) * 8e-4
    spline = interpolate(I.SPLINE3, np.arange(8) + 0.5, contents, x)
    below = spline <= 1e-12
    assert below[x < 3].any()
    assert below[x > 3].any()
    expected = np.maximum(np.where(below, contents[x.astype(int)], spline), 1e-12)
    np.testing.assert_allclose(pdf.fine, expected / (expected.sum() * 8e-4), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((1.0, 1.0, CONTENTS, Recipe()), "range that is not empty, not [1.0, 1.0]"),
        ((0.0, np.inf, CONTENTS, Recipe()), "finite range"),
        ((0.0, 1.0, CONTENTS[:2], Recipe()), "a PDF with Spline2 is made of 3 to 50000 bins, not of (2,)"),
        ((0.0, 1.0, CONTENTS.reshape(4, 4), Recipe()), "not of (4, 4)"),
        ((0.0, 1.0, np.ones(50_001), Recipe()), "3 to 50000 bins"),
        ((0.0, 1.0, np.array([1.0, np.nan, 1.0]), Recipe()), "finite contents"),
        ((0.0, 1.0, np.zeros(3), Recipe(I.SPLINE0)), "Spline0 needs contents that sum to more than zero"),
        ((0.0, 1.0, np.zeros(5), Recipe(I.KDE)), "contents that sum to more than zero"),
        ((0.0, 1.0, np.array([0.0, 0, 4, 0, 0]), Recipe(I.KDE)), "contents in more than one bin"),
        ((0.0, 1.0, np.array([1.0, -30, 99, 1, 5]), Recipe(I.KDE, kernel=Kernel(True))), "KDEiter=Nonadaptive"),
    ],
)
def test_what_no_density_is_made_of(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        Pdf(*arguments)


def test_splines_go_through_their_knots() -> None:
    at = np.arange(8.0) + 0.5
    heights = np.array([1.0, 3, 2, 8, 5, 4, 6, 1])
    for kind in (I.SPLINE1, I.SPLINE2, I.SPLINE3, I.SPLINE5):
        np.testing.assert_allclose(interpolate(kind, at, heights, at), heights, rtol=1e-5)
        # a straight line is a straight line, beyond its ends as well
        line = 2 * at + 1
        x = np.linspace(-1.0, 9.0, 33)
        np.testing.assert_allclose(interpolate(kind, at, line, x), 2 * x + 1, rtol=1e-4, atol=1e-4)
    for kind in (I.SPLINE2, I.SPLINE3):
        x = np.linspace(0.0, 8.0, 33)
        np.testing.assert_allclose(interpolate(kind, at, at**2, x), x**2, rtol=1e-4, atol=1e-3)


def test_knots_that_single_precision_cannot_tell_apart() -> None:
    at = 1e6 + 1e-3 * np.arange(4)
    assert interpolate(I.SPLINE2, at, np.ones(4), at).tolist() == [0.0] * 4
    assert rounding(I.SPLINE2, at[0], at[-1], 4, 10_000) > 1
    assert rounding(I.KDE, 99.0, 100.0, 4, 10_000) > 0.01
    assert rounding(I.SPLINE2, -1.0, 1.0, 50, 10_000) < 1e-4
    assert rounding(I.SPLINE3, at[0], at[-1], 4, 10_000) == 0


# ---------------------------------------------------------------------------------------------------- recipes


def test_recipes_as_options_ask_for_them() -> None:
    assert Recipe.of_options() == Recipe(I.SPLINE2, 0, 0, Kernel())
    assert Recipe.of_options("spline5", smooth=7) == Recipe(I.SPLINE5, 7, 7)
    assert Recipe.of_options("Spline1", smooth=7, min_smooth=2) == Recipe(I.SPLINE1, 7, 7)
    assert Recipe.of_options("Spline1", smooth=7, min_smooth=2, max_smooth=5) == Recipe(I.SPLINE1, 2, 5)
    assert Recipe.of_options("Spline1", min_smooth=2, max_smooth=0) == Recipe(I.SPLINE1, 2, 2)
    kde = Recipe.of_options("KDE", kernel="gauss", iteration="Adaptive", border="Mirror", fine_factor=0.3)
    assert kde == Recipe(I.KDE, 0, 0, Kernel(True, Border.MIRROR, float(np.float32(0.3))))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"interpolation": "Spline4"}, "PDFInterpol takes Spline0 or Spline1"),
        ({"kernel": "Box"}, "KDEtype takes Gauss, not 'Box'"),
        ({"iteration": "Adaptiv"}, "did you mean 'Adaptive'"),
        ({"border": "Reflect"}, "KDEborder takes None or Renorm or Mirror"),
        ({"min_smooth": 5, "max_smooth": 4}, "MinNSmooth=5 and MaxNSmooth=4 should rise"),
        ({"smooth": 1001}, "at most 1000"),
        ({"fine_factor": 0.0}, "KDEFineFactor=0.0 should be positive"),
        ({"fine_factor": float("inf")}, "should be positive"),
    ],
)
def test_options_that_make_no_recipe(options: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=re.escape(said)):
        Recipe.of_options(**options)


def test_the_number_of_bins() -> None:
    assert bins_for(5049, I.SPLINE2) == 100
    assert bins_for(5049, I.KDE) == 500
    assert bins_for(5049, I.SPLINE2, bins=40) == 40
    assert bins_for(5049, I.KDE, bins=40, events_per_bin=1) == 200
    assert bins_for(5049, I.SPLINE2, events_per_bin=1000) == 5
    with pytest.raises(DataError, match=re.escape("120 events with NAvEvtPerBin=50 make a histogram of 2 bins")):
        bins_for(120, I.SPLINE2)
    with pytest.raises(DataError, match="Nbins=20000 make a histogram of 100000 bins"):
        bins_for(120, I.KDE, bins=20_000)
    assert bins_for(120, I.SPLINE0) == 2


# ------------------------------------------------------------------------------------------------- responses


def events(n: int = 1000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    random = np.random.default_rng(5)
    is_signal = np.repeat([True, False], n)
    scores = random.normal(np.where(is_signal, 0.5, -0.5), 0.5)
    return scores, is_signal, random.uniform(0.5, 1.5, 2 * n)


def test_the_histogram_behind_a_pdf_of_a_response() -> None:
    scores, is_signal, weights = events()
    pdfs = ResponsePdfs.fit(scores, is_signal, weights, Recipe(), bins=20)
    low, high = float(scores.astype(np.float32).min()), float(scores.astype(np.float32).max())
    assert (pdfs.signal.low, pdfs.signal.high) == (pdfs.background.low, pdfs.background.high) == (low, high)
    for pdf, chosen in ((pdfs.signal, is_signal), (pdfs.background, ~is_signal)):
        # the largest response is on the upper end, and in no bin
        inside = chosen & (scores.astype(np.float32) < high)
        edges = np.linspace(low, high, 21)
        counts = np.histogram(scores.astype(np.float32).astype(float)[inside], edges, weights=weights[inside])[0]
        np.testing.assert_allclose(pdf.original, counts / counts.sum() / (edges[1] - edges[0]), rtol=1e-6)
    assert ResponsePdfs.fit(scores, is_signal, None, Recipe()).signal.original.size == 2000 // 50


def test_probability_and_rarity() -> None:
    scores, is_signal, weights = events()
    pdfs = ResponsePdfs.fit(scores, is_signal, weights, Recipe(max_smooth=3, min_smooth=3), bins=40)
    x = np.linspace(-1.5, 1.5, 31)
    s, b = pdfs.signal(x), pdfs.background(x)
    np.testing.assert_allclose(pdfs.probability(x), s / (s + b), rtol=1e-12)
    np.testing.assert_allclose(pdfs.probability(x, 0.2), 0.2 * s / (0.2 * s + 0.8 * b), rtol=1e-12)
    assert pdfs.probability(x, 0.0).tolist() == [0.0] * 31
    assert pdfs.probability(x, 1.0).tolist() == [1.0] * 31
    assert abs(pdfs.probability(0.0) - 0.5) < 0.05
    assert np.corrcoef(pdfs.probability(scores), is_signal)[0, 1] > 0.6
    np.testing.assert_array_equal(pdfs.rarity(x), pdfs.background.integral(x))
    # background is flat in rarity
    counts = np.histogram(pdfs.rarity(scores[~is_signal]), 10, (0.0, 1.0), weights=weights[~is_signal])[0]
    assert counts.std() < 0.15 * counts.mean()
    for fraction in (-0.1, 1.1, np.nan):
        with pytest.raises(DataError, match="between 0 and 1"):
            pdfs.probability(x, fraction)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s, i, w: (np.full_like(s, 0.25), i, w), "all responses are 0.25"),
        (lambda s, i, w: (np.where(s > 0, s, np.nan), i, w), "entry 0 of the responses is nan|entries are not finite"),
        (lambda s, i, w: (s, np.ones_like(i), w), "no background events"),
        (lambda s, i, w: (s, i, np.where(i, w, -w)), "background events among the responses sum to -"),
        (lambda s, i, w: (np.where(i, 3.0, s), i, w), "no weight of signal is left below the largest response, 3,"),
        (
            lambda s, i, w: (s[::20], i[::20], w[::20]),
            "100 events with NAvEvtPerBinMVAPdf=50 make a histogram of 2 bins",
        ),
    ],
)
def test_responses_without_a_density(change: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        ResponsePdfs.fit(*change(*events()), Recipe())


def test_responses_that_deserve_a_warning() -> None:
    scores, is_signal, weights = events()
    far = np.where(scores == scores.max(), 40.0, scores)
    with pytest.warns(
        MvakitWarning, match=r"\d+% of the 50 bins of the (signal|background) responses are empty"
    ) as said:
        ResponsePdfs.fit(far, is_signal, weights, Recipe(), bins=50, check=True)
    assert len(said) == 2
    assert Path(said[0].filename).name == "test_pdfs.py"
    ResponsePdfs.fit(far, is_signal, weights, Recipe(), bins=50)
    with pytest.warns(MvakitWarning, match=r"so far from zero that Spline2.*PDFInterpolMVAPdf=Spline3"):
        ResponsePdfs.fit(scores + 50, is_signal, weights, Recipe(), bins=50)
    ResponsePdfs.fit(scores + 50, is_signal, weights, Recipe(I.SPLINE3), bins=50)


# ---------------------------------------------------------------------------------------------- weight files


@pytest.mark.parametrize(
    "recipe",
    [Recipe(I.SPLINE2, 10, 10), Recipe(I.SPLINE0), Recipe(I.KDE, 0, 0, Kernel(True, Border.RENORM, 0.5)), Recipe(I.SPLINE5, 1, 3)],
)  # fmt: skip
def test_pdfs_are_read_as_they_were_written(recipe: Recipe) -> None:
    scores, is_signal, weights = events()
    pdfs = ResponsePdfs.fit(scores, is_signal, weights, recipe, bins=30)
    section = ET.Element("MVAPdfs")
    pdfs.write(section, "BDT", "BDTG")
    again = ResponsePdfs.read(ET.fromstring(ET.tostring(section)))
    assert again is not None
    x = np.linspace(-3.0, 3.0, 101)
    for one, other in ((pdfs.signal, again.signal), (pdfs.background, again.background)):
        assert one.recipe == other.recipe == recipe
        assert (one.low, one.high) == (other.low, other.high)
        np.testing.assert_array_equal(one.original, other.original)
        np.testing.assert_array_equal(one(x), other(x))
        np.testing.assert_array_equal(one.integral(x), other.integral(x))
    assert [p.get("Name") for p in section] == ["BDTG_PDFSig", "BDTG_PDFBkg"]
    assert [h.get("Name") for h in section.iter("Histogram")] == ["BDT_tr_S_original", "BDT_tr_B_original"]


def section_of(toy: Path) -> ET.Element:
    found = ET.parse(toy / "class" / "weights" / "Toy_Fisher.weights.xml").getroot().find("MVAPdfs")
    assert found is not None
    return found


def test_a_section_of_tmva_is_written_as_it_was_read(toy: Path) -> None:
    section = section_of(toy)
    pdfs = ResponsePdfs.read(section)
    assert pdfs is not None
    written = ET.Element("MVAPdfs")
    pdfs.write(written, "Fisher", "Fisher")
    for ours, theirs in zip(written.iter(), section.iter(), strict=True):
        assert (ours.tag, ours.attrib) == (theirs.tag, theirs.attrib)
        if ours.tag == "Histogram":
            numbers = [np.array((e.text or "").split(), dtype=np.float32) for e in (ours, theirs)]
            np.testing.assert_array_equal(*numbers)
    assert ResponsePdfs.read(ET.Element("MVAPdfs")) is None


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda s: s.remove(s[1]), "holds 1 <PDF>, not one for signal and one for background"),
        (lambda s: s[0].attrib.pop("MinNSmooth"), "<PDF> lacks the attribute 'MinNSmooth'"),
        (lambda s: s[0].set("InterpolMethod", "6"), "InterpolMethod='6'> should lie between 0 and 5"),
        (lambda s: s[0].set("MaxNSmooth", "100000"), "should lie between -1 and 1000"),
        (lambda s: s[0].set("KDE_border", "4"), "should lie between 1 and 3"),
        (lambda s: s[0].attrib.update(InterpolMethod="5", KDE_type="0"), "KDE_type='0'> is no kernel"),
        (lambda s: s[0].attrib.update(InterpolMethod="5", KDE_finefactor="-1"), "KDE_finefactor='-1.0'> should be positive"),
        (lambda s: s[0].remove(s[0][0]), "<PDF> lacks <Histogram>"),
        (lambda s: s[0][0].set("NBins", "49"), "should hold 49 numbers and holds 50"),
        (lambda s: s[0][0].set("NBins", "1000000"), "should lie between 1 and 50000"),
        (lambda s: s[0][0].set("HasEquidistantBins", "0"), "'Fisher_PDFSig'> has bins of different widths"),
        (lambda s: s[0][0].set("XMax", "-9"), "<PDF Name='Fisher_PDFSig'>: a PDF needs a finite range"),
        (lambda s: s[0][0].set("XMax", "inf"), "finite number"),
        (lambda s: setattr(s[1][0], "text", " ".join(["nan"] * 50)), "<PDF Name='Fisher_PDFBkg'>: a PDF is made of finite"),
    ],
)  # fmt: skip
def test_a_damaged_section(toy: Path, damage: Any, said: str) -> None:
    section = section_of(toy)
    damage(section)
    with pytest.raises(WeightFileError, match=re.escape(said)):
        ResponsePdfs.read(section)


def test_histograms_of_a_result_file() -> None:
    pdf = Pdf(-1.0, 1.0, CONTENTS, Recipe(I.SPLINE2, 1, 1))
    made = pdf.histograms("BDT_tr_S")
    assert [(h.name, h.title, h.nbins, h.storage) for h in made] == [
        ("BDT_tr_S_original", "BDT_tr_S_original", 16, "F"),
        ("BDT_tr_S_smoothed", "BDT_tr_S_smoothed", 16, "F"),
        ("BDT_tr_S_smoothed_hist_from_spline2", "BDT_tr_S_smoothed_hist from_spline2", 10_000, "F"),
    ]
    for histogram, contents in zip(made, (CONTENTS, pdf.smoothed, pdf.fine), strict=True):
        np.testing.assert_array_equal(histogram.contents, contents)
    assert Pdf(-1.0, 1.0, CONTENTS, Recipe(I.KDE)).histograms("h")[2].name == "h_smoothed_hist_from_KDE"
    assert Pdf(-1.0, 1.0, CONTENTS, Recipe(I.SPLINE0)).histograms("h")[2].name == "h_smoothed_hist_from_spline0"


# ---------------------------------------------------------------------------------------------------- models


def dataset(n: int = 300, *, negative: bool = False, classes: tuple[str, ...] = ("Signal", "Background")) -> DataSet:
    random = np.random.default_rng(8)
    index = np.repeat([0, 1], n).astype(np.int16)

    def sample() -> Sample:
        X = (random.normal(size=(2 * n, 2)) + np.where(index == 0, 0.7, -0.7)[:, None]).astype(np.float32)
        weight = random.uniform(0.5, 1.5, 2 * n)
        if negative:
            weight[::10] *= -5
        return Sample(X, index, weight)

    return DataSet("d", (define("x"), define("y")), (), (), classes, sample(), sample())


OPTIONS = "CreateMVAPdfs:PDFInterpolMVAPdf=Spline2:NbinsMVAPdf=30:NsmoothMVAPdf=2"


def test_a_model_with_pdfs_is_saved_and_loaded(tmp_path: Path) -> None:
    data = dataset()
    model = train(data, "Fisher", OPTIONS, title="F")
    response = model.predict(data.test.X)
    assert model.pdfs is not None
    assert model.pdfs.signal.recipe == Recipe(I.SPLINE2, 2, 2)
    expected = ResponsePdfs.fit(
        model.predict(data.train.X), data.train.is_signal, data.train.weight, Recipe(I.SPLINE2, 2, 2), bins=30
    )
    np.testing.assert_array_equal(model.probability(response, 0.3), expected.probability(response, 0.3))
    np.testing.assert_array_equal(model.rarity(response), expected.rarity(response))
    again = Model.load(model.save(tmp_path / "F.weights.xml"))
    np.testing.assert_array_equal(again.probability(response), model.probability(response))
    np.testing.assert_array_equal(again.rarity(response), model.rarity(response))
    assert again.method.options == model.method.options
    assert again.method.options.modified == model.method.options.modified
    assert again.info == model.info


def test_options_of_the_pdfs_are_not_among_those_that_a_reader_of_tmva_would_refuse(tmp_path: Path) -> None:
    path = train(dataset(), "Fisher", OPTIONS).save(tmp_path / "F.weights.xml")
    root = ET.parse(path).getroot()
    names = {o.get("name") for o in root.iter("Option")}
    assert "CreateMVAPdfs" in names
    assert not [name for name in names if name and name.endswith("MVAPdf")]
    info = {i.get("name"): i.get("value") for i in root.iter("Info")}
    assert info["Option NbinsMVAPdf"] == "30"
    assert "Option NAvEvtPerBinMVAPdf" not in info  # it was not set


def test_a_model_without_pdfs_tells_the_way_out(tmp_path: Path) -> None:
    model = train(dataset(), "Fisher", title="F")
    assert model.pdfs is None
    for call, what in ((model.probability, "probability"), (model.rarity, "rarity")):
        with pytest.raises(
            MethodError, match=f"F has no PDFs of its response, so no {what}; book it with CreateMVAPdfs"
        ):
            call(np.zeros(1))
    assert list(ET.parse(model.save(tmp_path / "F.weights.xml")).getroot().iter("PDF")) == []


def test_negative_weights_count_unless_they_are_left_out() -> None:
    data = dataset(negative=True)
    counted, ignored = (train(data, "Fisher", f"{OPTIONS}{more}").pdfs for more in ("", ":IgnoreNegWeightsInTraining"))
    assert counted is not None
    assert ignored is not None
    assert counted.signal.original.min() < 0
    assert ignored.signal.original.min() >= 0
    # the events themselves still span the range and are counted for the bins
    assert train(data, "Fisher", "CreateMVAPdfs:IgnoreNegWeightsInTraining").pdfs.signal.original.size == 600 // 50  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("data", "options", "kind", "said"),
    [
        (
            dataset(60),
            "CreateMVAPdfs",
            DataError,
            "120 events with NAvEvtPerBinMVAPdf=50 make a histogram of 2 bins.*set NbinsMVAPdf",
        ),
        (dataset(), "CreateMVAPdfs:NbinsMVAPdf=2", DataError, "NbinsMVAPdf=2 make a histogram of 2 bins"),
        (
            dataset(),
            "CreateMVAPdfs:KDEborderMVAPdf=Wrap",
            OptionError,
            "KDEborderMVAPdf takes None or Renorm or Mirror",
        ),
        (dataset(), "CreateMVAPdfs:MinNSmoothMVAPdf=4:MaxNSmoothMVAPdf=3", OptionError, "should rise"),
        (dataset(), "PDFInterpolMVAPdf=Spline4", OptionError, "'PDFInterpolMVAPdf' of Fisher"),
    ],
)
def test_pdfs_that_booking_refuses(data: DataSet, options: str, kind: type[MvakitError], said: str) -> None:
    with pytest.raises(kind, match=said):
        book(data, "Fisher", options)


def test_pdfs_are_for_two_classes_and_one_response(monkeypatch: pytest.MonkeyPatch) -> None:
    method = method_class("Fisher")
    monkeypatch.setattr(method, "capabilities", Capabilities(frozenset(AnalysisType)))
    with pytest.raises(MethodError, match="makes PDFs of signal and background, not for Multiclass"):
        book(dataset(), "Fisher", "CreateMVAPdfs", analysis=AnalysisType.MULTICLASS)
    monkeypatch.setattr(method, "capabilities", Capabilities(at_signal_efficiency=True))
    with pytest.raises(MethodError, match="one signal efficiency at a time"):
        book(dataset(), "Fisher", "CreateMVAPdfs")


def test_a_response_without_pdfs_does_not_undo_the_training(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(method_class("Fisher"), "predict", lambda self, state, X, *_: np.full(len(X), 0.5))
    with caplog.at_level(logging.WARNING):
        model = train(dataset(), "Fisher", OPTIONS)
    assert model.pdfs is None
    assert "no PDFs of the response can be made: all responses are 0.5" in caplog.text


def test_bare_values_of_kernels_belong_to_the_method() -> None:
    for word in ("Gauss", "Adaptive", "Mirror"):
        with pytest.raises(OptionError, match="has no option"):
            MethodOptions.parse(word)
    assert MethodOptions.parse("KDE").pdf_interpolation == "KDE"


def test_the_reader_gives_probability_and_rarity(toy: Path) -> None:
    from array import array

    from mvakit import Reader

    reader = Reader("Silent")
    values = [array("f", [v]) for v in (0.5, -0.25, 0.75, 1.25)]
    for name, value in zip(("sum := var1+var2", "diff := var1-var2", "var3", "var4"), values, strict=True):
        reader.AddVariable(name, value)
    model = reader.BookMVA("Fisher", toy / "class" / "weights" / "Toy_Fisher.weights.xml")
    response = np.array([reader.EvaluateMVA("Fisher")])
    assert reader.GetProba("Fisher") == model.probability(response)[0]
    assert reader.GetProba("Fisher", 0.1) == model.probability(response, 0.1)[0] < reader.GetProba("Fisher")
    assert reader.GetRarity("Fisher") == model.rarity(response)[0]
    reader.BookMVA("LD", toy / "class" / "weights" / "Toy_LD.weights.xml")
    with pytest.raises(MethodError, match="book it with CreateMVAPdfs"):
        reader.GetProba("LD")


def test_a_job_leaves_pdfs_probabilities_and_rarities_in_the_result_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import uproot

    from mvakit import DataLoader, Factory

    monkeypatch.chdir(tmp_path)
    data = dataset()
    loader = DataLoader("dataset")
    for i, name in enumerate(("x", "y")):
        loader.AddVariable(name)
        assert data.variables[i].label == name
    for i, name in enumerate(("Signal", "Background")):
        chosen = data.train.class_index == i
        loader.AddTree({"x": data.train.X[chosen, 0], "y": data.train.X[chosen, 1]}, name)
    factory = Factory("Job", "TMVA.root", "Silent:!DrawProgressBar")
    factory.BookMethod(loader, "Fisher", "F", f"{OPTIONS}:KDEiterMVAPdf=Adaptive")
    factory.BookMethod(loader, "LD", "L")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    model = Model.load("dataset/weights/Job_F.weights.xml")
    assert model.pdfs is not None
    with uproot.open("TMVA.root") as file:
        folder = file["dataset/Method_Fisher/F"]
        for name in ("Proba_S", "Proba_B", "Rarity_S", "Rarity_B"):
            assert folder[f"MVA_F_{name}"].values().sum() == pytest.approx(40.0)
        for letter, pdf in (("S", model.pdfs.signal), ("B", model.pdfs.background)):
            found = folder[f"Fisher_tr_{letter}"]
            np.testing.assert_allclose(found.values(), pdf.original, rtol=1e-6)
            assert found.variances().max() > 0
            fine = folder[f"Fisher_tr_{letter}_smoothed_hist_from_spline2"]
            np.testing.assert_allclose(fine.values(), pdf.fine, rtol=1e-6)
        for tree in ("TrainTree", "TestTree"):
            columns = file[f"dataset/{tree}"].arrays(library="np")
            np.testing.assert_allclose(columns["prob_F"], model.probability(columns["F"]), atol=1e-4)
            assert "prob_L" not in columns
        assert not [key for key in file["dataset/Method_LD/L"].keys() if "Proba" in key or "_tr_" in key]  # noqa: SIM118
