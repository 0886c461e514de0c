"""The DataLoader: TMVA's calls, what they mean for the events, and what is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import DataLoader, Types
from mvakit.compat.ROOT import TCut
from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, FormulaError, MvakitError, MvakitWarning, OptionError, SourceError
from mvakit.progress import Messenger
from mvakit.reading import read_events


def columns(n: int, shift: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        "x": (random.normal(size=n) + shift).astype(np.float32),
        "y": (random.normal(size=n) - shift).astype(np.float32),
        "eta": random.uniform(-2.5, 2.5, n).astype(np.float32),
        "weight": random.uniform(0.5, 1.5, n).astype(np.float32),
        "event": np.arange(n, dtype=np.int64) + 10**16 + 1,
    }


SIGNAL, BACKGROUND = columns(100, 1.0, 1), columns(120, -1.0, 2)


def loader(**trees: Any) -> DataLoader:
    made = DataLoader("dataset")
    made.AddVariable("sum := x+y", "F")
    made.AddVariable("x", "The x", "GeV", "F")
    made.AddSignalTree(trees.get("signal", SIGNAL), trees.get("weight", 1.0))
    made.AddBackgroundTree(trees.get("background", BACKGROUND))
    return made


def prepared(made: DataLoader, *arguments: Any, **keywords: Any) -> DataSet:
    made.PrepareTrainingAndTestTree(*arguments, **keywords)
    return made.prepare()


def read_signal(made: DataLoader) -> Sample:
    """Return the signal events before they are split."""
    [(reading, _)] = made._input(made._classes["Signal"], 0).trees
    return read_events(reading, 0, Messenger("Test", silent=True)).sample


def test_variables_in_both_of_tmva_s_forms() -> None:
    made = DataLoader("d")
    made.AddVariable("a", "F")
    made.AddVariable("b", "I", 0, 5)
    made.AddVariable("c", "Title", "GeV", "I", -1, 1)
    made.AddVariable("d2", "Title", "GeV")
    made.AddVariable("e", "Title only")
    made.AddVariable("f", title="T", unit="m", type="I", min=0, max=2)
    made.AddVariable("lab := g * 2")
    made.AddVariable("h", "Title", "GeV", 0.5, 1.5)
    found = [(v.expression, v.label, v.title, v.unit, v.type, v.minimum, v.maximum) for v in made._variables]
    assert found == [
        ("a", "a", "a", "", "F", 0, 0),
        ("b", "b", "b", "", "I", 0, 5),
        ("c", "c", "Title", "GeV", "I", -1, 1),
        ("d2", "d2", "Title", "GeV", "F", 0, 0),
        ("e", "e", "Title only", "", "F", 0, 0),
        ("f", "f", "T", "m", "I", 0, 2),
        ("g*2", "lab", "lab", "", "F", 0, 0),
        ("h", "h", "Title", "GeV", "F", 0.5, 1.5),
    ]


@pytest.mark.parametrize(
    ("arguments", "named", "said"),
    [
        (("x", "T", "GeV", "F", 0, 1, 2), {}, "takes (type, min, max) or (title, unit, type, min, max)"),
        (("x",), {"titel": "T"}, "did you mean 'title'"),
        (("x", "T", "GeV", "X"), {}, "is 'F' or 'I', not 'X'"),
        ((":= x",), {}, "leaves one of them empty"),
    ],
)
def test_variables_that_are_malformed(arguments: tuple[Any, ...], named: dict[str, Any], said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        DataLoader("d").AddVariable(*arguments, **named)


def test_labels_are_unique_among_variables_spectators_and_targets() -> None:
    made = DataLoader("d")
    made.AddVariable("v := x")
    with pytest.raises(DataError, match="has the label of the variable 'v'"):
        made.AddSpectator("v := y")
    made.AddTarget("t")
    with pytest.raises(DataError, match="has the label of the target 't'"):
        made.AddVariable("t")


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a:b"])
def test_a_name_is_that_of_a_folder(name: str) -> None:
    with pytest.raises(DataError, match="is that of a folder"):
        DataLoader(name)


def test_expressions_are_evaluated_in_single_precision() -> None:
    data = prepared(loader(), "", "SplitMode=Block:nTrain_Signal=50:nTrain_Background=50")
    expected = (SIGNAL["x"][:50].astype(np.float64) + SIGNAL["y"][:50]).astype(np.float32)
    assert np.array_equal(data.train.X[:50, 0], expected)
    assert data.train.X.dtype == np.float32
    assert data.labels == ["sum", "x"]
    assert data.variables[1].axis_title == "The x [GeV]"
    assert data.variables[0].minimum == data.train.X[:, 0].min()
    assert data.variables[0].maximum == data.train.X[:, 0].max()
    assert data.classes == ("Signal", "Background")


def test_spectators_keep_every_bit() -> None:
    made = loader()
    made.AddSpectator("event")
    data = prepared(made, "", "SplitMode=Block")
    assert data.train.spectators["event"].dtype == np.int64
    assert data.train.spectators["event"][:3].tolist() == [10**16 + 1, 10**16 + 2, 10**16 + 3]


def test_weights_multiply_and_are_single_precision() -> None:
    made = loader(weight=2.5)
    made.SetSignalWeightExpression("weight*(1+0.1*abs(eta))")
    data = prepared(made, "", "SplitMode=Block:NormMode=None")
    expression = SIGNAL["weight"].astype(np.float64) * (1 + 0.1 * np.abs(SIGNAL["eta"].astype(np.float64)))
    expected = (np.float32(2.5) * expression.astype(np.float32)).astype(np.float64)
    assert np.array_equal(data.train.weight[:50], expected[:50])
    assert data.counts[0].sum_input == pytest.approx(expected.sum(), rel=1e-12)
    assert np.all(data.train.weight[50:] == 1.0)


def test_one_weight_expression_for_all_classes() -> None:
    made = loader()
    made.SetWeightExpression("weight")
    data = prepared(made, "", "SplitMode=Block:NormMode=None")
    assert np.array_equal(
        data.train.weight, np.concatenate([SIGNAL["weight"][:50], BACKGROUND["weight"][:60]]).astype(np.float64)
    )


def test_cuts_in_all_of_their_forms() -> None:
    inside = {name: np.abs(c["eta"]) < 1 for name, c in (("S", SIGNAL), ("B", BACKGROUND))}
    positive = {name: c["x"] > 0 for name, c in (("S", SIGNAL), ("B", BACKGROUND))}

    def counts(made: DataLoader) -> list[int]:
        return [c.n_passed for c in made.prepare().counts]

    made = loader()
    made.PrepareTrainingAndTestTree("abs(eta)<1", "SplitMode=Block")
    assert counts(made) == [inside["S"].sum(), inside["B"].sum()]
    made.PrepareTrainingAndTestTree(TCut("abs(eta)<1"), TCut("x>0"), "SplitMode=Block")
    assert counts(made) == [inside["S"].sum(), positive["B"].sum()]
    made = loader()
    made.SetCut("abs(eta)<1", "Signal")
    made.AddCut("x>0", "Signal")
    made.AddCut("x>0", "Background")
    assert counts(made) == [(inside["S"] & positive["S"]).sum(), positive["B"].sum()]
    made = DataLoader("d")
    made.AddVariable("x")
    made.AddTree(SIGNAL, "Signal", 1.0, "abs(eta)<1")
    made.AddTree(SIGNAL, "Signal")
    made.AddTree(BACKGROUND, "Background")
    assert counts(made) == [inside["S"].sum() + 100, 120]
    made = DataLoader("d")
    made.AddVariable("x")
    made.SetInputTrees(SIGNAL, "eta > 0", "eta <= 0")
    assert sum(counts(made)) == 100


def test_a_cut_rejects_below_one_half_and_not_a_number() -> None:
    tree = {"x": np.arange(6, dtype=np.float64), "c": np.array([0.49, 0.5, 0.51, np.nan, -1.0, 2.0])}
    made = DataLoader("d")
    made.AddVariable("x")
    made.AddSignalTree(tree)
    made.AddBackgroundTree(BACKGROUND)
    made.SetCut("c", "Signal")
    assert read_signal(made).X[:, 0].tolist() == [1, 2, 5]


def test_training_and_test_trees() -> None:
    made = DataLoader("d")
    made.AddVariable("x")
    made.AddSignalTree(SIGNAL, 1.0, "Training")
    made.AddSignalTree(BACKGROUND, 1.0, Types.kTesting)
    made.AddBackgroundTree(BACKGROUND, 1.0, "train")
    made.AddBackgroundTree(SIGNAL, 1.0, "test")
    data = prepared(made, "", "SplitMode=Block")
    assert (len(data.train), len(data.test)) == (220, 220)
    assert np.array_equal(data.train.X[:100, 0], SIGNAL["x"])


def test_tmva_s_older_form_with_numbers() -> None:
    data = prepared(loader(), "", 20, 30, 10, 15, "SplitMode=Block")
    assert [(c.n_train, c.n_test) for c in data.counts] == [(20, 10), (30, 15)]
    data = prepared(loader(), "", 20, 30, "SplitMode=Block")
    assert [(c.n_train, c.n_test) for c in data.counts] == [(20, 30), (20, 30)]


def test_options_as_keywords() -> None:
    data = prepared(loader(), "", nTrain_Signal=20, SplitMode="Block", V=False)
    assert data.counts[0].n_train == 20


def test_events_one_by_one() -> None:
    made = DataLoader("d")
    made.AddVariable("x")
    made.AddVariable("y")
    made.AddSpectator("n")
    for i in range(10):
        made.AddSignalTrainingEvent([i, -i, i], 2.0)
        made.AddSignalTestEvent([i, -i, i])
        made.AddBackgroundTrainingEvent([-i, i, i])
        made.AddBackgroundTestEvent([-i, i, i])
    data = prepared(made, "", "SplitMode=Block:NormMode=None")
    assert data.train.X[:3].tolist() == [[0, 0], [1, -1], [2, -2]]
    assert data.train.weight[:10].tolist() == [2.0] * 10
    assert data.train.spectators["n"][:3].tolist() == [0, 1, 2]
    made.AddSignalTestEvent([1.0, 2.0])
    with pytest.raises(DataError, match="has 2 values; 3 are needed"):
        made.prepare()


def test_vectors_are_flattened_with_scalars_repeated() -> None:
    ak = pytest.importorskip("awkward")
    tree = {
        "pt": ak.Array([[1.0, 2.0], [], [3.0]]),
        "eta": ak.Array([[0.1, 0.2], [], [0.3]]),
        "n": np.array([7.0, 8.0, 9.0]),
    }
    made = DataLoader("d")
    for name in ("pt", "eta", "n"):
        made.AddVariable(name)
    made.AddSignalTree(tree)
    made.AddBackgroundTree({"pt": np.arange(9.0), "eta": np.arange(9.0) ** 2, "n": np.arange(9.0)})
    sample = read_signal(made)
    assert np.allclose(sample.X, [[1, 0.1, 7], [2, 0.2, 7], [3, 0.3, 9]])
    tree["eta"] = ak.Array([[0.1], [], [0.3]])
    with pytest.raises(DataError, match="have 2 and 1 elements in entry 0"):
        made.prepare()


def test_the_events_are_read_once_and_anew_after_a_change() -> None:
    made = loader()
    first = made.prepare()
    assert made.prepare() is first
    made.SetCut("x>0")
    assert made.prepare() is not first


def test_the_correlation_matrix() -> None:
    made = loader()
    data = made.prepare()
    chosen = data.train.class_index == 0
    expected = np.corrcoef(data.train.X[chosen].T.astype(np.float64))
    assert np.allclose(made.GetCorrelationMatrix("Signal"), expected, atol=1e-12)
    with pytest.raises(DataError, match="did you mean 'Signal'"):
        made.GetCorrelationMatrix("Signl")
    assert made.GetDataSetInfo() is data


def test_what_is_printed(caplog: pytest.LogCaptureFixture) -> None:
    made = loader()
    made.SetWeightExpression("weight-0.6")
    prepared(made, "abs(eta)<2", "SplitMode=Block:nTrain_Signal=30")
    printed = caplog.text
    for text in (
        "-- number of events       : 100 ",
        'requirement: "abs(eta)<2"',
        "number of events passed",
        "have negative weights",
        "Rescale Signal",
        "training events            : 30 ",
        "Correlation matrix (Background)",
        "+1.000",
    ):
        assert text in printed, text


def test_nothing_is_printed_of_correlations_that_nobody_wants(caplog: pytest.LogCaptureFixture) -> None:
    prepared(loader(), "", "!Correlations")
    assert "Correlation matrix" not in caplog.text


def bad(**changes: Any) -> DataLoader:
    made = loader(**{k: v for k, v in changes.items() if k in {"signal", "background", "weight"}})
    for name in ("variable", "spectator"):
        if name in changes:
            getattr(made, f"Add{name.capitalize()}")(changes[name])
    return made


NAN = {**SIGNAL, "x": np.where(np.arange(100) == 7, np.nan, SIGNAL["x"]).astype(np.float32)}
ALL_NAN = {**SIGNAL, "x": np.full(100, np.nan, np.float32)}


@pytest.mark.parametrize(
    ("make", "kind", "said"),
    [
        (lambda: bad(variable="nonsense"), FormulaError, "nonsense"),
        (lambda: bad(variable="wieght"), FormulaError, "weight"),
        (lambda: bad(variable="x+"), FormulaError, "x+"),
        (lambda: bad(variable="one := 0*x+1"), DataError, "the variable 'one' (0*x+1) is constant: it is 1"),
        (lambda: bad(signal=NAN), DataError, "the variable 'sum' has nan at entry 7"),
        (lambda: bad(signal=ALL_NAN), DataError, "only values that are no finite numbers"),
        (lambda: bad(signal={**SIGNAL, "x": np.full(100, 1e300)}), DataError, "only values that are no finite numbers"),
        (lambda: bad(signal="missing.root:TreeS"), SourceError, "missing.root"),
        (lambda: bad(signal={k: v[:0] for k, v in SIGNAL.items()}), MvakitError, "empty"),
    ],
)
def test_bad_input_is_one_clear_error(make: Any, kind: type[MvakitError], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        make().prepare()


def test_an_empty_class_after_its_cut_is_named_with_the_cut() -> None:
    made = loader()
    made.PrepareTrainingAndTestTree("x<100", "x>100", "")
    with pytest.raises(
        DataError, match=re.escape("class 'Background' is empty: none of its 120 events passed the cut 'x>100'")
    ):
        made.prepare()


def test_a_weight_that_is_no_number_is_named() -> None:
    made = loader(signal={**SIGNAL, "weight": np.full(100, np.inf, np.float32)})
    made.SetSignalWeightExpression("weight")
    with pytest.raises(DataError, match="weight of class Signal"):
        made.prepare()


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda d: d.PrepareTrainingAndTestTree("", "SplitMod=Random"), OptionError, "did you mean 'SplitMode'"),
        (lambda d: d.PrepareTrainingAndTestTree("", "", "", ""), OptionError, "at most a signal cut"),
        (lambda d: d.PrepareTrainingAndTestTree("", 1, 2, 3), OptionError, "nTrainS, nTrainB"),
        (lambda d: d.PrepareTrainingAndTestTree("", "V", 1, 2), OptionError, "nTrainS, nTrainB"),
        (lambda d: d.AddSignalTree(SIGNAL, float("nan")), DataError, "finite number"),
        (lambda d: d.AddSignalTree(SIGNAL, "2"), DataError, "finite number"),
        (lambda d: d.AddSignalTree(SIGNAL, 1.0, "tset"), DataError, "not 'tset'"),
        (lambda d: d.AddTree(SIGNAL, ""), DataError, "a class needs a name"),
    ],
)
def test_bad_calls(call: Any, kind: type[MvakitError], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        call(loader())


def test_calls_in_the_wrong_order() -> None:
    made = DataLoader("d")
    with pytest.raises(DataError, match="has no variables"):
        made.prepare()
    made.AddVariable("x")
    with pytest.raises(DataError, match="has no trees"):
        made.prepare()
    with pytest.raises(DataError, match="no class is known yet"):
        made.SetCut("x>0")
    made.SetWeightExpression("weight", "Signal")
    with pytest.raises(DataError, match="class 'Signal' has no trees"):
        made.prepare()
    made.AddTree(SIGNAL, "other")
    with pytest.raises(DataError, match="a cut is given for class 'Background'"):
        made.PrepareTrainingAndTestTree("x>0", "x<0", "")


def test_options_of_the_loader_are_checked() -> None:
    with pytest.raises(OptionError, match="DataLoader has no option"):
        DataLoader("d", "Nonsense=3")
    assert DataLoader("d").GetName() == "d"
    assert repr(loader()) == "DataLoader('dataset': 2 variables, Signal (1 trees), Background (1 trees))"


def test_root_files(toy: Path) -> None:
    made = DataLoader("d")
    made.AddVariable("var1+var2")
    made.AddSpectator("event")
    made.AddSignalTree(f"{toy}/toy_classification.root:TreeS", 2.0)
    made.AddBackgroundTree(f"{toy}/toy_classification.root:TreeB", 0.5)
    data = made.prepare()
    assert data.variables[0].internal == "var1_P_var2"
    assert data.train.spectators["event"].min() >= 10_000_000_000


def test_an_array_at_a_fixed_index_is_a_scalar_beside_a_vector() -> None:
    ak = pytest.importorskip("awkward")
    made = DataLoader("d")
    made.AddVariable("pt")
    made.AddVariable("first := arr[1]")
    made.AddSignalTree({"pt": ak.Array([[1.0, 2.0], [3.0]]), "arr": np.array([[0.0, 5.0], [0.0, 6.0]])})
    made.AddBackgroundTree({"pt": np.arange(9.0), "arr": np.arange(18.0).reshape(9, 2)})
    sample = read_signal(made)
    assert sample.X.tolist() == [[1, 5], [2, 5], [3, 6]]


def test_entries_without_a_value_in_mathematics_are_counted_over_all_chunks(tmp_path: Path) -> None:
    made = loader()
    made.AddVariable("l := log(x)")
    expected = int((SIGNAL["x"] <= 0).sum())
    with pytest.warns(MvakitWarning, match=rf"'l' \(log\(x\)\) in .*: {expected} entries with") as caught:
        read_signal(made)
    assert len(caught) == 1


def test_formulae_without_any_branch_know_the_number_of_entries() -> None:
    made = DataLoader("d")
    made.AddVariable("n := Entry$/Entries$")
    made.AddSignalTree(SIGNAL)
    made.AddBackgroundTree(BACKGROUND)
    sample = read_signal(made)
    assert np.allclose(sample.X[:, 0], np.arange(100) / 100)


def test_a_vector_of_fixed_length_is_cut_and_filled_with_a_mask() -> None:
    ak = pytest.importorskip("awkward")
    made = DataLoader("d")
    made.AddVariable("jet_pt[:3]", "Jet pt", "GeV", fill=-1.0, mask=True)
    made.AddVariable("lead := sqrt(jet_pt[:1]*jet_pt[:1])", "F")
    made.AddVariable("n")
    made.AddSignalTree({"jet_pt": ak.Array([[5.0, 4.0, 3.0, 2.0], [7.0], []]), "n": np.arange(3.0)})
    made.AddBackgroundTree(BACKGROUND)
    assert [v.label for v in made._variables] == [
        "jet_pt_0", "jet_pt_1", "jet_pt_2", "jet_pt_there_0", "jet_pt_there_1", "jet_pt_there_2", "lead_0", "n",
    ]  # fmt: skip
    assert made._variables[1].expression == "Alt$(jet_pt[1],-1)"
    assert made._variables[1].axis_title == "Jet pt 1 [GeV]"
    sample = read_signal(made)
    assert sample.X.tolist() == [[5, 4, 3, 1, 1, 1, 5, 0], [7, -1, -1, 1, 0, 0, 7, 1], [-1, -1, -1, 0, 0, 0, 0, 2]]


def test_a_mask_of_elements_that_every_event_has_is_refused_with_the_way_out() -> None:
    ak = pytest.importorskip("awkward")
    jets = {"jet_pt": ak.Array([[5.0, 4.0], [7.0], [2.0, 1.0], [3.0]])}
    made = DataLoader("d")
    made.AddVariable("jet_pt[:2]", mask=True)
    made.AddSignalTree(jets)
    made.AddBackgroundTree(jets)
    made.PrepareTrainingAndTestTree("", "SplitMode=Block")
    with pytest.raises(
        DataError, match=r"'jet_pt_there_0' .* is constant: it is 1 .*; leave it out, naming .* mask=\[1, 2\]"
    ):
        made.prepare()
    made = DataLoader("d")
    made.AddVariable("jet_pt[:2]", mask=[1])
    made.AddSignalTree(jets)
    made.AddBackgroundTree(jets)
    made.PrepareTrainingAndTestTree("", "SplitMode=Block")
    assert made.prepare().labels == ["jet_pt_0", "jet_pt_1", "jet_pt_there_1"]


@pytest.mark.parametrize("definition", ["a[:2]+b[:3]", "a[:0]", "a[:20000]"])
def test_vectors_without_one_sensible_length(definition: str) -> None:
    with pytest.raises(DataError, match="need one length between 1 and 10000"):
        DataLoader("d").AddVariable(definition)


def test_arrays_of_variables() -> None:
    made = DataLoader("d")
    made.AddVariablesArray("arr", 3)
    made.AddSignalTree({"arr": np.arange(12.0).reshape(4, 3)})
    made.AddBackgroundTree({"arr": -np.arange(12.0).reshape(4, 3)})
    assert [(v.label, v.internal) for v in made._variables] == [
        ("arr[0]", "arr_0_"),
        ("arr[1]", "arr_1_"),
        ("arr[2]", "arr_2_"),
    ]
    assert made.prepare().train.X.shape == (4, 3)
    with pytest.raises(DataError, match="at least one element"):
        made.AddVariablesArray("arr", 0)
