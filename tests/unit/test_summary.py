"""What a DataLoader says of its events: every number against one of NumPy's, and what cannot be trained on."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import uproot

from mvakit import DataLoader
from mvakit.dataset import SampleCounts
from mvakit.errors import DataError, SourceError
from mvakit.evaluation import VariableStatistics, correlation_matrix, rank_by_separation, variable_statistics
from mvakit.nonfinite import NonFinite, UnusableEventsError
from mvakit.summary import ColumnSummary, DataLoaderSummary

N = 1200


def columns(n: int, shift: float, seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    x = random.normal(shift, 1, n)
    return {
        "x": x,
        "y": 0.99 * x + random.normal(0, 0.1, n),
        "njet": random.integers(0, 6, n) + (shift > 0),
        "eta": random.uniform(-3, 3, n),
        "w": random.uniform(-0.1, 2, n),
        "event": np.arange(n) + 10**12,
        "good": random.uniform(size=n) > 0.5,
    }


SIGNAL, BACKGROUND = columns(N, 0.7, 1), columns(N + 200, -0.7, 2)


def loader(signal: Any = SIGNAL, background: Any = BACKGROUND, **options: Any) -> DataLoader:
    made = DataLoader("dataset", **options)
    made.AddVariable("x", "The x", "GeV", "F")
    made.AddVariable("y")
    made.AddVariable("njet", "I")
    made.AddSpectator("event")
    made.AddSpectator("good")
    made.AddSignalTree(signal)
    made.AddBackgroundTree(background)
    return made


class Page(HTMLParser):
    """The tables of a page: titles, and cells by row; fails where tags do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.titles: list[str] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        assert tag in {"div", "p", "strong", "table", "caption", "thead", "tbody", "tr", "th", "td"}
        assert dict(attrs) in ({}, {"style": "text-align: left"}, {"style": "text-align: right"})
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in {"th", "td"}:
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open[-1] in {"th", "td"}:
            self.rows[-1][-1] += data
        else:
            (self.titles if self.open[-1] in {"caption", "strong"} else self.words).append(data)


# --------------------------------------------------------------------------------------------- statistics


@pytest.fixture(scope="module", params=["memory", "files"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> DataLoader:
    memory = {"memory": "1GB", "files": "1kB"}[request.param]
    one = loader(MaxMemory=memory, CacheDir=tmp_path_factory.mktemp("cache"))
    one.AddTarget("t := x*eta")
    one.SetWeightExpression("w")
    one.PrepareTrainingAndTestTree("abs(eta)<2.5 && njet>0", "SplitMode=Random:!Correlations")
    assert (one.prepare().train.space is not None) == (request.param == "files")
    return one


def test_statistics_are_those_of_the_training_sample(made: DataLoader) -> None:
    summary, train = made.Summary(), made.prepare().train
    assert [(c.kind, c.label) for c in summary.columns] == [
        ("variable", "x"), ("variable", "y"), ("variable", "njet"),
        ("target", "t"), ("spectator", "event"), ("spectator", "good"),
    ]  # fmt: skip
    table = np.column_stack([train.X, train.targets, train.spectators["event"], train.spectators["good"]])
    for index in (0, 1):
        chosen = train.class_index == index
        expected = variable_statistics(["x"] * 6, table[chosen], train.weight[chosen])
        for column, other in zip(summary.columns, expected, strict=True):
            found = column.statistics[index]
            assert (found.minimum, found.maximum) == (other.minimum, other.maximum)
            assert found.mean == pytest.approx(other.mean, rel=1e-9)
            assert found.rms == pytest.approx(other.rms, rel=1e-6)
        correlation = summary.correlations[index]
        assert correlation is not None
        assert np.allclose(correlation, correlation_matrix(train.X[chosen], train.weight[chosen]), atol=1e-10)
    assert summary.columns[0].unit == "GeV"
    assert summary.columns[3].expression == "x*eta"


def test_samples_and_negative_weights(made: DataLoader) -> None:
    summary, data = made.Summary(), made.prepare()
    assert summary.counts == data.counts
    for index in (0, 1):
        for sample, found in zip((data.train, data.test), summary.negative[index], strict=True):
            assert found == ((sample.class_index == index) & (sample.weight < 0)).sum() > 0
    assert [step.cut for step in summary.counts[0].cut_flow] == ["abs(eta)<2.5", "njet>0"]


def test_the_ranking_is_that_of_the_factory(made: DataLoader) -> None:
    train = made.prepare().train
    expected = rank_by_separation(
        ["x", "y", "njet"], train.X, train.is_signal, train.weight, integer=[False, False, True]
    )
    found = made.Summary().ranking
    assert [(r.rank, r.name) for r in found] == [(r.rank, r.name) for r in expected]
    assert [r.value for r in found] == pytest.approx([r.value for r in expected], rel=1e-9)
    assert found[-1].name == "njet"


def test_pairs_that_are_strongly_correlated_are_named(made: DataLoader) -> None:
    summary = made.Summary()
    [(one, other, value)] = summary.strongly_correlated("Signal")
    assert (one, other) == ("x", "y")
    assert value == summary.correlations[0][0, 1] > 0.9  # type: ignore[index]
    assert f"Strongly correlated in Signal: 'x' and 'y' ({value:+.3f})" in str(summary)
    with pytest.raises(DataError, match="did you mean 'Signal'"):
        summary.strongly_correlated("signa")


def test_a_pair_is_strong_beyond_nine_tenths() -> None:
    matrix = np.array([[1.0, 0.901, 0.899], [0.901, 1.0, -0.95], [0.899, -0.95, 1.0]])
    listed = tuple(ColumnSummary("variable", label, label, "", ()) for label in "abc")
    summary = DataLoaderSummary("d", (SampleCounts("S", "", 1, 1.0, 1, 1.0),), columns=listed, correlations=(matrix,))
    assert summary.strongly_correlated("S") == (("b", "c", -0.95), ("a", "b", 0.901))


@pytest.mark.parametrize("count", [25, 26])
def test_a_matrix_of_very_many_variables_is_not_shown(count: int) -> None:
    row = VariableStatistics("v", 0.0, 1.0, -1.0, 1.0)
    listed = tuple(ColumnSummary("variable", f"v{i}", f"v{i}", "", (row,)) for i in range(count))
    counts = (SampleCounts("S", "", 1, 1.0, 1, 1.0),)
    summary = DataLoaderSummary("d", counts, columns=listed, correlations=(np.eye(count),))
    assert (f"Of {count} variables: see `correlations`." in str(summary)) == (count > 25)


def test_an_anticorrelation_is_as_strong() -> None:
    made = loader({**SIGNAL, "y": -SIGNAL["y"]})
    [(_, _, value)] = made.Summary().strongly_correlated("Signal")
    assert value < -0.9


def test_the_summary_is_made_once_and_anew_after_a_change() -> None:
    made = loader()
    first = made.Summary()
    assert made.Summary() is first
    made.SetCut("x>0")
    assert made.Summary() is not first
    assert made.Summary().counts[0].n_passed == (SIGNAL["x"] > 0).sum()


def test_text_and_page_say_the_same(made: DataLoader) -> None:
    summary = made.Summary()
    page, text = Page(summary._repr_html_()), str(summary)
    assert made._repr_html_() == summary._repr_html_()
    assert page.titles == [line for line in text.splitlines() if line in page.titles]
    lines = [" ".join(line.split()) for line in text.splitlines()]
    for row in page.rows:
        assert " ".join(" ".join(row).split()) in lines
    assert ["x [GeV]", "Signal"] in [row[:2] for row in page.rows]
    c = summary.counts[1]
    wanted = [
        c.name,
        "test",
        str(c.n_test),
        f"{c.sum_test:.6g}",
        f"{c.effective_test:.6g}",
        str(summary.negative[1][1]),
    ]
    assert wanted in page.rows
    assert "No NaN or infinity in any event after the cuts" in page.titles
    assert repr(summary) == (
        f"DataLoaderSummary('dataset': Signal {summary.counts[0].n_train} + {summary.counts[0].n_test} events, "
        f"Background {c.n_train} + {c.n_test} events; 3 variables)"
    )


def test_a_regression_and_several_classes_have_no_ranking() -> None:
    made = DataLoader("d")
    made.AddVariable("x")
    made.AddTarget("y")
    made.AddRegressionTree(SIGNAL)
    summary = made.Summary()
    assert (summary.classes, summary.ranking) == (("Regression",), ())
    assert "Targets in the training sample" in str(summary)
    made = loader()
    made.AddTree(SIGNAL, "Third")
    assert made.Summary().ranking == ()
    assert len(made.Summary().correlations) == 3


def test_a_constant_variable_is_told_where_training_refuses_it(caplog: pytest.LogCaptureFixture) -> None:
    made = loader()
    made.AddVariable("one := 0*x+1")
    summary = made.Summary()
    assert "The variable 'one' is constant: it is 1 in every training event." in str(summary)
    assert summary.ranking[-1].name == "one"
    reads = caplog.text.count("Add Tree")
    with pytest.raises(DataError, match="the variable 'one'"):
        made.prepare()
    assert caplog.text.count("Add Tree") == reads


def test_weights_that_sum_to_nothing_leave_no_mean() -> None:
    made = loader({**SIGNAL, "w": np.zeros(N)})
    made.SetWeightExpression("w")
    made.PrepareTrainingAndTestTree("", "NormMode=None:!Correlations")
    summary = made.Summary()
    assert np.isnan(summary.columns[0].statistics[0].mean)
    assert summary.columns[0].statistics[0].minimum < summary.columns[0].statistics[0].maximum
    assert summary.correlations[0] is None
    assert summary.correlations[1] is not None
    assert (summary.ranking, summary.strongly_correlated("Signal")) == ((), ())
    assert "The training weights do not sum to more than zero." in str(summary)
    made.PrepareTrainingAndTestTree("", "NormMode=None")
    with pytest.raises(DataError, match="the training weights of class 'Signal' sum to 0; a positive sum is needed"):
        made.prepare()
    assert made.Summary().correlations[0] is None


def test_an_integer_of_a_wide_range_is_binned_as_a_number() -> None:
    made = loader()
    made.AddVariable("event2 := event*1000*(x>0)", "I")
    train = made.prepare().train
    expected = rank_by_separation(["event2"], train.X[:, 3:], train.is_signal, train.weight)
    assert next(r.value for r in made.Summary().ranking if r.name == "event2") == pytest.approx(expected[0].value)


# --------------------------------------------------------------------------------------- no finite numbers


def spoilt(*bad: tuple[str, int, float]) -> dict[str, np.ndarray]:
    tree = {name: values.copy() for name, values in SIGNAL.items()}
    for name, entry, value in bad:
        tree[name][entry] = value
    return tree


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Three files of signal: the first is good, the others hold NaN and infinities."""
    trees = (
        SIGNAL,
        spoilt(("x", 5, np.nan), ("x", 17, np.inf), ("x", 900, np.nan), ("eta", 900, 9.0)),
        spoilt(*(("x", i, np.nan) for i in range(100, 140)), ("y", 3, -np.inf), ("w", 7, np.nan)),
    )
    paths = [tmp_path / f"signal{i}.root" for i in range(len(trees))]
    for path, tree in zip(paths, trees, strict=True):
        with uproot.recreate(path) as file:
            file["T"] = tree
    return paths


def rows(found: tuple[NonFinite, ...]) -> list[tuple[Any, ...]]:
    return [
        (r.class_name, r.kind, r.label, Path(r.file).name, r.n_entries, r.n_nan, r.n_infinite, r.first_entry, r.first_value)
        for r in found
    ]  # fmt: skip


def test_what_is_not_finite_is_counted_by_file_after_the_cut(files: list[Path]) -> None:
    made = loader([f"{path}:T" for path in files])
    made.SetWeightExpression("w", "Signal")
    made.SetCut("eta<5", "Signal")
    summary = made.Summary()
    assert rows(summary.non_finite) == [
        ("Signal", "weight", "weight", "signal2.root:T", N, 1, 0, 7, "nan"),
        ("Signal", "variable", "x", "signal1.root:T", N, 1, 1, 5, "nan"),
        ("Signal", "variable", "x", "signal2.root:T", N, 40, 0, 100, "nan"),
        ("Signal", "variable", "y", "signal2.root:T", N, 0, 1, 3, "-inf"),
    ]
    assert [r.n_passed for r in summary.non_finite] == [N, N - 1, N, N]
    assert [r.n_events for r in summary.non_finite] == [1, 2, 40, 1]
    with pytest.raises(UnusableEventsError) as caught:
        made.prepare()
    lines = str(caught.value).splitlines()
    assert lines == summary.problem.splitlines()
    one, two = f"{files[1]}:T", f"{files[2]}:T"
    assert lines[0] == (
        f"the weight of class Signal has nan at entry 7 of {two}: 1 of {N} events after the cut, NaN in 1 entry of {two}"
    )
    assert lines[1] == (
        f"the variable 'x' has nan at entry 5 of {one} (class Signal): 42 of {2 * N - 1} events after the cut, "
        f"NaN in 1 entry and infinity in 1 entry of {one}, NaN in 40 entries of {two}"
    )
    assert lines[3].startswith("cut these events away, as in 'abs(w) < 1e38'")
    assert caught.value.non_finite == summary.non_finite
    finite = sum(float(v.sum()) for v in (SIGNAL["w"], SIGNAL["w"], np.delete(SIGNAL["w"], 7)))
    assert summary.counts[0].sum_input == pytest.approx(finite)
    assert np.isfinite(summary.counts[0].sum_passed)
    assert (summary.counts[0].n_input, summary.counts[0].n_passed) == (3 * N, 3 * N - 1)
    page = Page(summary._repr_html_())
    assert ["Signal", "x", "variable", two, str(N), "40", "0", "100"] in page.rows
    assert "No method can be trained on these events:" in page.words
    assert repr(summary).startswith("DataLoaderSummary('dataset': the weight of class Signal has nan at entry 7")


def test_the_remedy_of_the_error_is_one(files: list[Path]) -> None:
    made = loader([f"{files[0]}:T", f"{files[1]}:T"])
    with pytest.raises(DataError, match=r"as in 'abs\(x\) < 1e38' for what is infinite or not a number"):
        made.prepare()
    made.SetCut("abs(x) < 1e38", "Signal")
    assert made.prepare().counts[0].n_passed == 2 * N - 3
    made = loader(spoilt(("x", 5, np.nan)))
    with pytest.raises(DataError, match="as in 'x == x' for what is not a number"):
        made.prepare()
    made.SetCut("x == x", "Signal")
    assert made.Summary().problem == ""
    assert made.prepare().counts[0].n_passed == N - 1


def test_an_entry_of_several_events_counts_once() -> None:
    ak = pytest.importorskip("awkward")
    tree = {"v": ak.Array([[1.0, np.nan, np.nan], [np.inf, np.nan], [], [4.0]]), "n": np.arange(4.0)}
    made = DataLoader("d")
    made.AddVariable("v")
    made.AddVariable("n")
    made.AddSignalTree([{name: values[:1] for name, values in tree.items()}, tree])
    made.AddBackgroundTree({"v": np.arange(9.0), "n": np.arange(9.0)})
    summary = made.Summary()
    found = [(r.file, r.n_entries, r.n_nan, r.n_infinite, r.n_events, r.n_passed) for r in summary.non_finite]
    assert found == [("columns", 1, 1, 0, 2, 3), ("columns", 4, 2, 1, 4, 6)]


def test_chunks_and_blocks_do_not_change_the_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = spoilt(*(("x", i, np.nan) for i in range(0, N, 7)), *(("y", i, np.inf) for i in range(3, N, 50)))
    whole = loader([tree, SIGNAL, tree]).Summary().non_finite
    monkeypatch.setattr("mvakit.reading._CHUNK", 37)
    monkeypatch.setattr("mvakit.reading.BLOCK", 10)
    assert loader([tree, SIGNAL, tree]).Summary().non_finite == whole
    assert [(r.label, r.n_nan, r.n_infinite) for r in whole] == [("x", 172, 0)] * 2 + [("y", 0, 24)] * 2


def test_spectators_may_hold_anything_but_it_is_told(tmp_path: Path) -> None:
    tree = spoilt(("eta", 4, np.nan), ("eta", 9, np.inf))
    summaries = []
    for memory in ("1GB", "1kB", "1kB"):
        made = loader(tree, MaxMemory=memory, CacheDir=tmp_path)
        made.AddSpectator("eta")
        train = made.prepare().train
        summaries.append(made.Summary())
    assert rows(summaries[0].non_finite) == [("Signal", "spectator", "eta", "columns", N, 1, 1, 4, "nan")]
    assert len({summary.non_finite for summary in summaries}) == 1
    assert len({str(summary) for summary in summaries}) == 1
    chosen = (train.class_index == 0) & np.isfinite(train.spectators["eta"])
    statistics = summaries[2].columns[-1].statistics[0]
    assert statistics.mean == pytest.approx(np.average(train.spectators["eta"][chosen], weights=train.weight[chosen]))


def test_what_is_too_large_for_single_precision_is_infinite() -> None:
    summary = loader(spoilt(("x", 8, 1e300))).Summary()
    assert rows(summary.non_finite) == [("Signal", "variable", "x", "columns", N, 0, 1, 8, "inf")]


def test_events_added_one_by_one_are_counted_too() -> None:
    made = loader()
    made.AddSignalTrainingEvent([1.0, 2.0, 3.0, 4.0, 1.0])
    made.AddSignalTrainingEvent([1.0, np.nan, 3.0, np.nan, 1.0], np.inf)
    found = rows(made.Summary().non_finite)
    where = "the events added to class Signal for training"
    assert found == [
        ("Signal", "weight", "weight", where, 2, 0, 1, 1, "inf"),
        ("Signal", "variable", "y", where, 2, 1, 0, 1, "nan"),
        ("Signal", "spectator", "event", where, 2, 1, 0, 1, "nan"),
    ]
    with pytest.raises(DataError, match="the variable 'y' has nan at entry 1 of the events added to class Signal"):
        made.prepare()


def test_an_error_names_a_bounded_number_of_things() -> None:
    bad = {**SIGNAL, "x": np.where(np.arange(N) % 5 == 0, np.nan, SIGNAL["x"])}
    made = loader([bad] * 25)
    for i in range(15):
        made.AddVariable(f"v{i} := x+{i}")
    with pytest.raises(DataError, match="and so have 6 more") as caught:
        made.prepare()
    lines = str(caught.value).splitlines()
    assert len(lines) == 12
    assert lines[0].endswith("in entries of 15 more files")
    assert len(made.Summary().non_finite) == 16 * 25


def test_classes_are_all_read_before_anything_is_refused() -> None:
    bad = {**BACKGROUND, "x": np.full(N + 200, np.nan)}
    summary = loader(spoilt(("x", 0, np.nan)), bad).Summary()
    assert [(r.class_name, r.n_nan) for r in summary.non_finite] == [("Signal", 1), ("Background", N + 200)]
    assert (
        "the variable 'x' has only values that are no finite numbers in columns (class Background)" in summary.problem
    )
    assert [c.n_passed for c in summary.counts] == [N, N + 200]


# ----------------------------------------------------------------------------------------------- notebooks


def test_a_notebook_shows_what_was_declared_without_reading() -> None:
    made = DataLoader("data<b>set")
    assert Page(made._repr_html_()).titles == ["DataLoader data<b>set", "No variables", "No classes"]
    made.AddVariable("<script>alert(1)</script> := x", "Title", "GeV")
    made.AddTarget("t")
    made.AddTree("missing.root:T", "Signal", 2.0, "x>0 && y<1")
    made.AddTree([Path("one.root"), "two.root"], "Signal", 1.0, "", "Training")
    made.AddTree(SIGNAL, "Background")
    made.SetWeightExpression("w", "Signal")
    made.AddCut("eta<2", "Signal")
    made.AddBackgroundTrainingEvent([1.0, 2.0])
    made.SetCut("x<0", "Other")
    text = made._repr_html_()
    assert "<script>" not in text
    page = Page(text)
    assert "Not read yet: Summary() reads the events." in page.words
    assert page.rows == [
        ["Label", "Kind", "Expression", "Title", "Unit", "Type"],
        ["<script>alert(1)</script>", "variable", "x", "Title", "GeV", "F"],
        ["t", "target", "t", "t", "", "F"],
        ["Class", "Tree", "For", "Weight", "Cut"],
        ["Signal", "missing.root:T", "training and test", "2*(w)", "(x>0 && y<1) && (eta<2)"],
        ["Signal", "one.root and 1 more", "training", "(w)", "eta<2"],
        ["Background", "dict", "training and test", "1", ""],
        ["Background", "1 events added one by one", "training", "", ""],
        ["Other", "no trees", "", "", "x<0"],
    ]
    with pytest.raises(SourceError):
        made.Summary()


def test_a_class_of_many_trees_shows_some_of_them() -> None:
    made = loader()
    for _ in range(20):
        made.AddSignalTree(SIGNAL)
    rows_of_signal = [row for row in Page(made._repr_html_()).rows if row[0] == "Signal"]
    assert len(rows_of_signal) == 11
    assert rows_of_signal[-1][1] == "and 11 more trees"


def test_a_tree_is_shown_by_its_place() -> None:
    from mvakit.sources import open_tree

    made = DataLoader("d")
    made.AddVariable("x")
    made.AddSignalTree(open_tree(SIGNAL, tree_name="mine"))
    assert "mine" in Page(made._repr_html_()).rows[-1]


def test_a_notebook_shows_the_summary_once_it_is_read() -> None:
    made = loader(spoilt(("x", 5, np.nan)))
    assert "Not read yet" in made._repr_html_()
    with pytest.raises(DataError):
        made.prepare()
    assert "Not read yet" in made._repr_html_()
    assert made.Summary()._repr_html_() == made._repr_html_()
    made = loader()
    made.prepare()
    assert "Ranking of the variables" in made._repr_html_()


def test_a_loader_without_anything_to_read() -> None:
    with pytest.raises(DataError, match="has no variables"):
        DataLoader("d").Summary()


def test_an_empty_summary() -> None:
    assert str(DataLoaderSummary("d", ())).startswith("DataLoader d\n\nEvents")
