"""Booking, training, files and the registry, with a method that this test brings along."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
import textwrap
import threading
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mvakit import registry
from mvakit.dataset import DataSet, Sample
from mvakit.errors import (
    DataError,
    MethodError,
    MvakitError,
    MvakitWarning,
    OptionError,
    TransformationError,
    WeightFileError,
)
from mvakit.method import Capabilities, Method
from mvakit.model import Model, book, positions, train
from mvakit.types import AnalysisType
from mvakit.variables import define

PLUGIN = '''
from dataclasses import dataclass
import numpy as np
from mvakit.method import Method, MethodOptions
from mvakit.options import option
from mvakit.weightfile import numbers, text_numbers

@dataclass(frozen=True, kw_only=True)
class NearestMeanOptions(MethodOptions):
    power: float = option("Power", 2.0, "power of the distances", minimum=0.5)

class NearestMean(Method[NearestMeanOptions, np.ndarray]):
    """How much nearer an event lies to the mean of signal than to that of background."""
    name, options_type = "NearestMean", NearestMeanOptions

    def fit(self, train, context):
        return np.stack([np.average(train.X[train.class_index == i], 0, train.weight[train.class_index == i]) for i in (0, 1)])

    def predict(self, state, X, spectators=None, efficiency=None):
        return np.subtract(*(np.linalg.norm(X - mean, axis=1) ** self.options.power for mean in state[::-1]))

    def write_state(self, state, weights):
        weights.text = numbers(state.ravel())
        return {}

    def read_state(self, weights, context):
        return text_numbers(weights).reshape(2, -1)
'''


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A package with the method NearestMean, installed by pip into a folder of its own."""
    folder = tmp_path_factory.mktemp("plugin")
    wheel = folder / "nearest_mean-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("nearest_mean.py", textwrap.dedent(PLUGIN))
        info = "nearest_mean-1.0.dist-info/"
        archive.writestr(info + "METADATA", "Metadata-Version: 2.1\nName: nearest-mean\nVersion: 1.0\n")
        archive.writestr(
            info + "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(info + "entry_points.txt", "[mvakit.methods]\nNearestMean = nearest_mean:NearestMean\n")
        archive.writestr(info + "RECORD", "")
    site = folder / "site"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            "--no-compile",
            "--target",
            str(site),
            str(wheel),
        ],
        check=True,
    )
    sys.path.insert(0, str(site))
    registry.refresh()
    yield site
    sys.path.remove(str(site))
    registry.refresh()


def dataset(n: int = 200, *, negative: bool = False) -> DataSet:
    random = np.random.default_rng(3)

    def sample() -> Sample:
        index = np.repeat([0, 1], n).astype(np.int16)
        X = (random.normal(size=(2 * n, 2)) + np.where(index, -1.0, 1.0)[:, None]).astype(np.float32)
        weight = random.uniform(0.5, 1.5, 2 * n)
        if negative:
            weight[:5] *= -1
        return Sample(X, index, weight, spectators={"s": np.arange(2 * n)})

    return DataSet(
        "d",
        (define("x", "X", "GeV"), define("y2 := y*y")),
        (define("s"),),
        (),
        ("Signal", "Background"),
        sample(),
        sample(),
    )


def test_a_plugin_of_twenty_lines_is_booked_and_trained(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mvakit import DataLoader, Factory, RReader

    assert "NearestMean" in registry.method_names()
    monkeypatch.chdir(tmp_path)
    data = dataset()
    loader = DataLoader("dataset")
    loader.AddVariable("x")
    loader.AddVariable("y2 := y*y")
    trees = {
        name: {
            "x": data.train.X[data.train.class_index == i, 0],
            "y": np.abs(data.train.X[data.train.class_index == i, 1]),
        }
        for i, name in enumerate(("Signal", "Background"))
    }
    for name, tree in trees.items():
        loader.AddTree(tree, name)
    factory = Factory("Job", "TMVA.root", "Silent:!DrawProgressBar")
    factory.BookMethod(loader, "NearestMean", "Mean", "Power=1:VarTransform=N")
    factory.TrainAllMethods()
    factory.TestAllMethods()
    factory.EvaluateAllMethods()
    assert factory.GetROCIntegral(loader, "Mean") > 0.85
    responses = RReader("dataset/weights/Job_Mean.weights.xml").Compute(trees["Signal"])
    assert responses.mean() > 0


def test_training_saving_and_loading_gives_an_equal_model(plugin: Path, tmp_path: Path) -> None:
    data = dataset()
    model = train(data, "nearestmean", "Power=1.5", title="Mean", VarTransform="D")
    again = Model.load(model.save(tmp_path / "Job_Mean.weights.xml"))
    assert np.array_equal(model.predict(data.test.X), again.predict(data.test.X))
    assert again.method.options == model.method.options
    assert again.method.options.modified == model.method.options.modified == {"Power", "VarTransform"}
    assert (again.title, again.variables, again.spectators, again.classes) == (
        model.title,
        model.variables,
        model.spectators,
        model.classes,
    )
    assert again.analysis is AnalysisType.CLASSIFICATION
    assert again.info == model.info
    assert "2 variables: x, y2" in repr(again)
    assert model.ranking() is None
    assert model.structure() is None


def test_a_weight_file_records_what_made_it(plugin: Path, tmp_path: Path) -> None:
    data = dataset()
    model = train(data, "NearestMean", RandomSeed=5)
    again = Model.load(model.save(tmp_path / "m.weights.xml"))
    assert again.method.options.random_seed == 5
    for name in (
        "TMVA Release",
        "mvakit Release",
        "numpy Release",
        "Date",
        "Training events",
        "TrainingTime",
        "AnalysisType",
    ):
        assert again.info[name], name
    assert float(again.info["Sum of weights Signal"]) == data.train.weight[data.train.is_signal].sum()
    text = (tmp_path / "m.weights.xml").read_text()
    assert '<Option name="RandomSeed"' not in text  # TMVA knows no such option
    assert '<Info name="Option RandomSeed" value="5"' in text


def test_the_same_training_gives_the_same_file_but_for_date_host_and_time(plugin: Path, tmp_path: Path) -> None:
    texts = []
    for name in ("a", "b"):
        path = train(dataset(), "NearestMean", "VarTransform=G,D").save(tmp_path / f"{name}.weights.xml")
        texts.append(re.sub(r'(name="(?:Date|Host|TrainingTime|Creator)" value=)"[^"]*"', r"\1", path.read_text()))
    assert texts[0] == texts[1]


def test_predicting_from_many_threads_gives_the_same(plugin: Path) -> None:
    data = dataset()
    model = train(data, "NearestMean", "VarTransform=G,D")
    expected = model.predict(data.test.X)
    found: list[Any] = [None] * 8

    def work(i: int) -> None:
        found[i] = model.predict(data.test.X)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(expected, one) for one in found)


@pytest.mark.parametrize(
    ("X", "said"),
    [
        (np.zeros((3, 1)), "takes events of 2 variables (x, y2), so an array of shape (n, 2), not (3, 1)"),
        (np.zeros(2), "not (2,)"),
        ([[0.0, 1.0], [np.nan, 0.0]], "the variable 'x' of event 1 is not a number"),
    ],
)
def test_inputs_that_do_not_fit(plugin: Path, X: Any, said: str) -> None:
    with pytest.raises(DataError, match=re.escape(said)):
        train(dataset(), "NearestMean").predict(X)


@pytest.mark.parametrize(
    ("arguments", "kind", "said"),
    [
        (("NearestMeen",), MethodError, "there is no method 'NearestMeen'; did you mean 'NearestMean'"),
        (("NearestMean", "Power=0"), OptionError, "'Power' of NearestMean (NearestMean) takes a number, at least 0.5"),
        (("NearestMean", "VarTransform=Q"), TransformationError, "Q"),
        (("NearestMean", "VarTransform=N(z)"), TransformationError, "z"),
    ],
)
def test_what_booking_refuses(plugin: Path, arguments: tuple[str, ...], kind: type[MvakitError], said: str) -> None:
    with pytest.raises(kind, match=re.escape(said)):
        book(dataset(), *arguments)


def test_a_method_is_refused_for_an_analysis_that_it_is_not_made_for(plugin: Path) -> None:
    with pytest.raises(MethodError, match="made for Classification, not for Regression"):
        book(dataset(), "NearestMean", analysis=AnalysisType.REGRESSION)


def test_negative_weights_by_one_policy(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = dataset(negative=True)
    kept = train(data, "NearestMean")
    left_out = train(data, "NearestMean", "IgnoreNegWeightsInTraining")
    positive = dataclasses.replace(data, train=data.train.select(data.train.weight >= 0))
    assert np.array_equal(left_out.predict(data.test.X), train(positive, "NearestMean").predict(data.test.X))
    assert not np.array_equal(left_out.predict(data.test.X), kept.predict(data.test.X))
    monkeypatch.setattr(registry.method_class("NearestMean"), "capabilities", Capabilities(negative_weights=False))
    with pytest.raises(DataError, match="5 training events have negative weights, which NearestMean cannot train on"):
        train(data, "NearestMean")
    train(data, "NearestMean", "IgnoreNegWeightsInTraining")


def test_a_method_that_only_applies_cannot_be_trained(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry.method_class("NearestMean"), "capabilities", Capabilities(trainable=False))
    with pytest.raises(MethodError, match="applies weight files but cannot be trained"):
        book(dataset(), "NearestMean")


def test_a_model_that_needs_spectators_says_so(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = train(dataset(), "NearestMean")
    monkeypatch.setattr(type(model.method), "capabilities", Capabilities(spectators=True))
    with pytest.raises(DataError, match="needs the spectators s"):
        model.predict(np.zeros((1, 2)))
    assert len(model.predict(np.zeros((1, 2)), np.zeros((1, 1)))) == 1


def test_options_that_nobody_knows_stay_in_the_file(plugin: Path, tmp_path: Path) -> None:
    path = train(dataset(), "NearestMean").save(tmp_path / "m.weights.xml")
    text = path.read_text().replace("</Options>", '<Option name="FromTheFuture" modified="Yes">42</Option></Options>')
    path.write_text(text)
    model = Model.load(path)
    assert model.other_options == (("FromTheFuture", True, "42"),)
    assert "FromTheFuture" in model.save(tmp_path / "again.weights.xml").read_text()


def test_numbers_beyond_our_bounds_stay_in_the_file(plugin: Path, tmp_path: Path) -> None:
    """TMVA 4.0 wrote a MaxDepth of 100000; nothing is trained with it here."""
    path = train(dataset(), "NearestMean").save(tmp_path / "m.weights.xml")
    path.write_text(path.read_text().replace(">2.0<", ">0.1<"))
    model = Model.load(path)
    assert model.other_options == (("Power", False, "0.1"),)
    again = model.save(tmp_path / "again.weights.xml")
    assert again.read_text().count('"Power"') == 1
    assert Model.load(again) == model


def test_models_are_equal_by_what_they_hold(plugin: Path, tmp_path: Path) -> None:
    model = train(dataset(), "NearestMean", title="M")
    same, other = train(dataset(), "NearestMean", title="M"), train(dataset(150), "NearestMean", title="M")
    assert model == same
    assert hash(model) == hash(same)
    assert model != other
    assert model != "M"
    for change in (
        {"title": "N"},
        {"state": model.state.astype(np.float32)},
        {"state": list(model.state)},
        {"other_options": (("a", True, "b"),)},
        {"method": type(model.method)(model.method.options_type.parse("Power=3"))},
    ):
        assert model != dataclasses.replace(model, **change), change
    nan = dataclasses.replace(model, state=(np.array([np.nan, 1]), float("nan"), {"a": [1]}))
    assert nan == dataclasses.replace(model, state=(np.array([np.nan, 1]), float("nan"), {"a": [1]}))
    assert nan != dataclasses.replace(model, state=(np.array([np.nan, 1]), float("nan"), {"b": [1]}))


def test_an_option_of_a_file_that_cannot_be_read_is_an_error(plugin: Path, tmp_path: Path) -> None:
    path = train(dataset(), "NearestMean").save(tmp_path / "m.weights.xml")
    path.write_text(path.read_text().replace(">2.0<", ">much<"))
    with pytest.raises(WeightFileError, match="'Power'.*'much'"):
        Model.load(path)


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/b", "", "..", "c:d"])
def test_files_beside_a_weight_file_stay_in_its_folder(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "weights"
    path = train(dataset(), "NearestMean").save(folder / "m.weights.xml")
    (tmp_path / "secret").write_text("secret")
    monkeypatch.setattr(
        registry.method_class("NearestMean"), "read_state", lambda self, weights, context: context.read_beside(name)
    )
    with pytest.raises(WeightFileError, match="only a file in the same folder is read"):
        Model.load(path)


def test_links_out_of_the_folder_are_not_followed(
    plugin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    path = train(dataset(), "NearestMean").save(folder / "m.weights.xml")
    (tmp_path / "secret").write_text("secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    (folder / "near").write_bytes(b"near")
    for name, outcome in (("link", "leads out of its folder"), ("none", "cannot be read"), ("near", None)):
        monkeypatch.setattr(
            registry.method_class("NearestMean"),
            "read_state",
            lambda self, weights, context, n=name: context.read_beside(n),
        )
        if outcome is None:
            assert Model.load(path).state == b"near"
        else:
            with pytest.raises(WeightFileError, match=outcome):
                Model.load(path)


def test_the_analysis_type_of_old_files_is_told_from_classes_and_targets(plugin: Path, tmp_path: Path) -> None:
    path = train(dataset(), "NearestMean").save(tmp_path / "m.weights.xml")
    text = re.sub(r"<Info name=.AnalysisType.[^>]*>", "", path.read_text())
    path.write_text(text)
    assert Model.load(path).analysis is AnalysisType.CLASSIFICATION
    path.write_text(text.replace("</Classes>", '<Class Name="c" Index="2"/></Classes>'))
    assert Model.load(path).analysis is AnalysisType.MULTICLASS
    path.write_text(
        text.replace("<Transformations", '<Targets NTrgt="1"><Target Expression="t"/></Targets><Transformations')
    )
    assert Model.load(path).analysis is AnalysisType.REGRESSION


def test_variables_are_found_by_expression_or_label(plugin: Path) -> None:
    model = train(dataset(), "NearestMean")
    assert positions(["y*y", "x"], model) == [1, 0]
    assert positions(["z", "x", "y2"], model) == [1, 2]
    with pytest.raises(DataError, match=re.escape("was trained with the variable 'y*y'; did you mean")):
        positions(["x", "y*z"], model)


def test_entry_points_that_clash_or_are_no_methods(plugin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    found = [
        EntryPoint("Mine", "json:loads", registry.GROUP),
        EntryPoint("mine", "json:dumps", registry.GROUP),
        EntryPoint("Gone", "no_such_module:Thing", registry.GROUP),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: found)
    registry.refresh()
    try:
        with pytest.warns(MvakitWarning, match="is offered by json:loads and by json:dumps"):
            assert registry.method_names() == ["Gone", "Mine"]
        with pytest.raises(MethodError, match="is no subclass of mvakit.method.Method"):
            registry.method_class("Mine")
        with pytest.raises(MethodError, match="cannot be loaded: No module named 'no_such_module'"):
            registry.method_class("Gone")
    finally:
        monkeypatch.undo()
        registry.refresh()


def test_every_installed_method_keeps_the_contract() -> None:
    for name in registry.method_names():
        method = registry.method_class(name)
        assert issubclass(method, Method)
        assert method.name == name
        assert method.__doc__
        options = method.options_type.parse("")
        assert method.options_type.parse(options.format()) == options
        names = [spec.name.lower() for spec in method.options_type.declared()]
        assert len(names) == len(set(names))
        assert all(spec.help for spec in method.options_type.declared())
        assert json.dumps([spec.text(spec.default) for spec in method.options_type.declared()])


@pytest.mark.parametrize("name", ["FisherN", "FisherGD", "FisherNDP", "BDTD", "Likelihood"])
def test_old_files_without_classes_are_of_signal_and_background(toy: Path, tmp_path: Path, name: str) -> None:
    text = (toy / "class" / "weights" / f"Toy_{name}.weights.xml").read_text()
    old = tmp_path / "old.weights.xml"
    old.write_text(re.sub(r"\s*<Classes.*?</Classes>", "", text, flags=re.DOTALL))
    assert "<Classes" not in old.read_text()
    model, today = Model.load(old), Model.load(toy / "class" / "weights" / f"Toy_{name}.weights.xml")
    assert model.classes == ("Signal", "Background")
    X = np.random.default_rng(1).normal(size=(50, 4))
    np.testing.assert_array_equal(model.predict(X), today.predict(X))
