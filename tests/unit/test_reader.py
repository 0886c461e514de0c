"""The Reader and the RReader: one model, three doors, the same number."""

from __future__ import annotations

import ctypes
import re
from array import array
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import Reader, RReader
from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, FormulaError, MethodError, MvakitError, OptionError, WeightFileError
from mvakit.model import Model, train
from mvakit.reader import responses
from mvakit.variables import define


@pytest.fixture(scope="module")
def data() -> DataSet:
    random = np.random.default_rng(1)

    def sample() -> Sample:
        index = np.repeat([0, 1], 300).astype(np.int16)
        X = (random.normal(size=(600, 3)) + np.where(index, -0.5, 0.5)[:, None]).astype(np.float32)
        return Sample(X, index, np.ones(600))

    variables = (define("sum := a+b"), define("b"), define("c*c"))
    return DataSet("d", variables, (define("eta"),), (), ("Signal", "Background"), sample(), sample())


@pytest.fixture(scope="module")
def weights(data: DataSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train(data, "Fisher", "VarTransform=N", title="F").save(tmp_path_factory.mktemp("w") / "Job_F.weights.xml")


@pytest.fixture(scope="module")
def model(weights: Path) -> Model:
    return Model.load(weights)


BUFFERS: list[Any] = [
    lambda: array("f", [0.0]),
    lambda: array("d", [0.0]),
    lambda: np.zeros(1, np.float32),
    lambda: [0.0],
    ctypes.c_float,
    lambda: (ctypes.c_float * 1)(),
]


@pytest.mark.parametrize("make", BUFFERS)
def test_buffers_of_every_kind(weights: Path, model: Model, make: Any) -> None:
    reader = Reader("!Color:Silent")
    buffers = [make() for _ in range(3)]
    for expression, buffer in zip(("sum := a+b", "b", "c*c"), buffers, strict=True):
        reader.AddVariable(expression, buffer)
    reader.BookMVA("F", weights)
    for values in ([0.5, -1.0, 2.0], [1.5, 0.25, -3.0]):
        for buffer, value in zip(buffers, values, strict=True):
            if isinstance(buffer, ctypes.c_float):
                buffer.value = value
            else:
                buffer[0] = value
        assert reader.EvaluateMVA("F") == model.predict([values])[0]


@pytest.mark.parametrize("make", BUFFERS)
@pytest.mark.parametrize("options", ["NTrees=20:BoostType=Grad:nCuts=-1", "NTrees=5:VarTransform=D"])
def test_one_event_gets_the_response_of_many(data: DataSet, tmp_path: Path, make: Any, options: str) -> None:
    model = train(data, "BDT", options, title="B")
    assert (model.single_event() is None) == ("VarTransform" in options)
    reader, buffers = Reader("!Color:Silent"), [make() for _ in range(3)]
    for place in (2, 0, 1):
        reader.AddVariable(model.variables[place].expression, buffers[place])
    reader.BookMVA("B", model.save(tmp_path / "B.weights.xml"))

    def put(values: list[float]) -> None:
        for buffer, value in zip(buffers, values, strict=True):
            if isinstance(buffer, ctypes.c_float):
                buffer.value = value
            else:
                buffer[0] = value

    for values, expected in zip(data.test.X[:50].tolist(), model.predict(data.test.X).tolist(), strict=False):
        put(values)
        assert reader.EvaluateMVA("B") == expected
    put([1.0, float("nan"), 2.0])
    with pytest.raises(DataError, match="the variable 'b' of event 0 is not a number"):
        reader.EvaluateMVA("B")


def test_a_buffer_that_has_grown_is_still_one_number(data: DataSet, tmp_path: Path) -> None:
    model = train(data, "BDT", "NTrees=20", title="B")
    reader, buffers = Reader("!Color:Silent"), [array("f", [x]) for x in (0.5, -1.0, 2.0)]
    for variable, buffer in zip(model.variables, buffers, strict=True):
        reader.AddVariable(variable.expression, buffer)
    reader.BookMVA("B", model.save(tmp_path / "B.weights.xml"))
    buffers[1].append(7.0)
    assert reader.EvaluateMVA("B") == model.predict([[0.5, -1.0, 2.0]])[0]


def test_variables_in_any_order_by_expression_or_label(weights: Path, model: Model) -> None:
    reader = Reader(Silent=True)
    for expression, value in (("c*c", 2.0), ("a + b", 0.5), ("b", -1.0)):
        reader.AddVariable(expression, [value])
    reader.BookMVA("F", weights)
    assert reader.EvaluateMVA("F") == model.predict([[0.5, -1.0, 2.0]])[0]
    assert reader.EvaluateMVA([2.0, 0.5, -1.0], "F") == reader.EvaluateMVA("F")


def test_values_without_any_buffer(weights: Path, model: Model) -> None:
    reader = Reader("Silent")
    reader.BookMVA("F", str(weights))
    assert reader.EvaluateMVA([0.5, -1.0, 2.0], "F") == model.predict([[0.5, -1.0, 2.0]])[0]
    events = np.random.default_rng(2).normal(size=(10, 3))
    assert np.array_equal(reader.EvaluateMVA(events, "F"), model.predict(events))
    with pytest.raises(DataError, match="no variables were added"):
        reader.EvaluateMVA("F")
    with pytest.raises(DataError, match=re.escape("(n, 3), not (1, 2)")):
        reader.EvaluateMVA([1.0, 2.0], "F")


def test_spectators_are_optional_where_nobody_looks_at_them(weights: Path) -> None:
    reader = Reader("Silent")
    for expression in ("a+b", "b", "c*c"):
        reader.AddVariable(expression, [0.0])
    reader.AddSpectator("anything", [1.0])
    reader.BookMVA("F", weights)
    assert isinstance(reader.EvaluateMVA("F"), float)


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda r, w: r.BookMVA("G", w.parent / "none.weights.xml"), WeightFileError, "none.weights.xml"),
        (lambda r, w: r.EvaluateMVA("G"), DataError, "nothing is booked as 'G'; the tags: F"),
        (lambda r, w: r.EvaluateMVA(), DataError, "takes (tag)"),
        (lambda r, w: r.BookMVA("F", w), DataError, "the tag 'F' is booked already"),
        (lambda r, w: r.AddVariable("b", [1.0]), DataError, "the variable 'b' is bound twice"),
        (lambda r, w: r.AddVariable("q", 1.0), DataError, "one-element buffer"),
        (lambda r, w: r.AddVariable("q", []), DataError, "one-element buffer"),
        (lambda r, w: r.AddVariable("q", "text"), DataError, "one-element buffer"),
        (lambda r, w: r.EvaluateMulticlass("F"), MethodError, "was trained for Classification"),
        (lambda r, w: r.EvaluateRegression(0, "F"), MethodError, "was trained for Classification"),
    ],
)
def test_what_the_reader_refuses(weights: Path, call: Any, kind: type[MvakitError], said: str) -> None:
    reader = Reader("Silent")
    for expression in ("a+b", "b", "c*c"):
        reader.AddVariable(expression, [0.0])
    reader.BookMVA("F", weights)
    with pytest.raises(kind, match=re.escape(said)):
        call(reader, weights)


def test_an_expression_that_is_not_the_training_s(weights: Path) -> None:
    reader = Reader("Silent")
    for expression in ("a-b", "b", "c*c"):
        reader.AddVariable(expression, [0.0])
    with pytest.raises(DataError, match=re.escape("was trained with the variable 'a+b'; did you mean 'a-b'")):
        reader.BookMVA("F", weights)


def test_options_of_the_reader() -> None:
    with pytest.raises(OptionError, match="did you mean 'Silent'"):
        Reader("Silnt")


def test_rreader_on_arrays(weights: Path, model: Model) -> None:
    reader = RReader(weights)
    assert reader.GetVariableNames() == ["a+b", "b", "c*c"]
    events = np.random.default_rng(2).normal(size=(10, 3))
    assert np.array_equal(reader.Compute(events), model.predict(events))
    assert np.array_equal(reader.Compute(events.tolist()), model.predict(events))
    assert np.array_equal(reader.Compute(events[0]), model.predict(events[:1]))
    assert "Fisher::F" in repr(reader)


def test_rreader_on_trees(weights: Path, model: Model, tmp_path: Path) -> None:
    uproot = pytest.importorskip("uproot")
    random = np.random.default_rng(4)
    tree = {name: random.normal(size=50).astype(np.float32) for name in "abc"}
    expected = model.predict(
        np.column_stack(
            [
                (tree["a"].astype(float) + tree["b"]).astype(np.float32),
                tree["b"],
                (tree["c"].astype(float) ** 2).astype(np.float32),
            ]
        )
    )
    reader = RReader(weights)
    assert np.array_equal(reader.Compute(tree), expected)
    with uproot.recreate(tmp_path / "t.root") as file:
        file.mktree("T", dict.fromkeys("abc", "f4")).extend(tree)
    assert np.array_equal(reader.Compute(f"{tmp_path}/t.root:T"), expected)
    with uproot.open(tmp_path / "t.root") as file:
        assert np.array_equal(reader.Compute(file["T"]), expected)
    with pytest.raises(FormulaError, match="c"):
        reader.Compute({"a": tree["a"], "b": tree["b"]})


def test_several_models_share_the_reading_of_a_tree(weights: Path, data: DataSet) -> None:
    models = [Model.load(weights), train(data, "LD")]
    tree = {name: np.linspace(0, 1, 20) for name in "abc"}
    first, answers = next(iter(responses(models, tree)))
    assert first == 0
    assert [a.shape for a in answers] == [(20,), (20,)]
    assert np.array_equal(answers[0], RReader(weights).Compute(tree))


def test_old_and_new_readers_give_tmva_s_own_numbers(toy: Path) -> None:
    """TMVA's Fisher responses to the first events of TreeS, from its weight file."""
    expected = np.genfromtxt(toy / "class" / "responses.csv", delimiter=",", names=True, dtype=None, encoding="utf-8")
    computed = RReader(toy / "class" / "weights" / "Toy_Fisher.weights.xml").Compute(
        f"{toy}/toy_classification.root:TreeS"
    )
    assert np.allclose(computed[:200], expected["Fisher"][:200], rtol=1e-6, atol=1e-6)
