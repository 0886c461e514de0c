"""PyRandomForest, PyGTB and PyAdaBoost: options, trees beside scikit-learn's own answers, and files without a pickle."""

from __future__ import annotations

import logging
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from mvakit_methods.sklearn_files import PyAdaBoost, PyGTB, PyRandomForest
from mvakit_methods.sklearn_files.forest import read_forest
from mvakit_methods.sklearn_files.options import (
    PyAdaBoostOptions,
    PyGTBOptions,
    PyRandomForestOptions,
    Reading,
)
from sklearn.ensemble import AdaBoostClassifier, GradientBoostingClassifier, RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from mvakit.dataset import DataSet, Sample
from mvakit.errors import DataError, MethodError, MvakitWarning, OptionError, WeightFileError
from mvakit.method import FitContext, WeightContext
from mvakit.model import Model, train
from mvakit.types import AnalysisType
from mvakit.variables import define

CLASSIFICATION, MULTICLASS = AnalysisType.CLASSIFICATION, AnalysisType.MULTICLASS
VARIABLES = tuple(define(label) for label in "abc")
CLASSES = {CLASSIFICATION: ("Signal", "Background"), MULTICLASS: ("x", "y", "z")}


def sample(analysis: AnalysisType = CLASSIFICATION, n: int = 300) -> Sample:
    rng = np.random.default_rng(1)
    X = rng.normal(size=(n, 3)).astype(np.float32)
    # Rounded inputs put events onto the cuts.
    X[:, 1] = np.round(X[:, 1])
    classes = np.digitize(
        X[:, 0] + 0.5 * X[:, 1] ** 2 + 0.5 * rng.normal(size=n), [0.3, 1.2][: len(CLASSES[analysis]) - 1]
    )
    return Sample(X, classes, rng.uniform(0.5, 1.5, n))


def context(analysis: AnalysisType = CLASSIFICATION, **changes: object) -> FitContext:
    return FitContext(analysis, "F", VARIABLES, CLASSES[analysis], **changes)  # type: ignore[arg-type]


def where(analysis: AnalysisType = CLASSIFICATION, **options: str) -> WeightContext:
    return WeightContext(analysis, "F", VARIABLES, CLASSES[analysis], (), options, lambda name: b"", {})


FORESTS = [
    (PyRandomForest, "", RandomForestClassifier(10, max_features="sqrt", random_state=1)),
    (
        PyRandomForest,
        ("NEstimators=7:Criterion='entropy':MaxDepth=4:MinSamplesSplit=6:MinSamplesLeaf=0.02:MinWeightFractionLeaf=0.01:"
        "MaxFeatures=2:!Bootstrap:RandomState=3:NJobs=2:ClassWeight=balanced"),
        RandomForestClassifier(
            7, criterion="entropy", max_depth=4, min_samples_split=6, min_samples_leaf=0.02,
            min_weight_fraction_leaf=0.01, max_features=2, bootstrap=False, random_state=3, class_weight="balanced",
        ),
    ),
    (
        PyRandomForest,
        "MaxLeafNodes=8:MaxFeatures=0.5",
        RandomForestClassifier(
            10, max_leaf_nodes=8, max_features=0.5, random_state=1, class_weight={0: 2, 1: 0.5, 2: 1}
        ),
    ),
    (PyGTB, "NEstimators=12", GradientBoostingClassifier(n_estimators=12, random_state=1)),
    (
        PyGTB,
        ("NEstimators=9:LearningRate=0.3:Subsample=0.7:MinSamplesSplit=5:MinSamplesLeaf=3:MinWeightFractionLeaf=0.02:"
        "MaxDepth=2:Init=zero:MaxFeatures=log2:RandomState=5"),
        GradientBoostingClassifier(
            n_estimators=9, learning_rate=0.3, subsample=0.7, min_samples_split=5, min_samples_leaf=3,
            min_weight_fraction_leaf=0.02, max_depth=2, init="zero", max_features="log2", random_state=5,
        ),
    ),
    (
        PyGTB,
        "NEstimators=9:MaxLeafNodes=5:MaxDepth=None",
        GradientBoostingClassifier(n_estimators=9, max_leaf_nodes=5, max_depth=None, random_state=1),
    ),
    (PyAdaBoost, "NEstimators=12", AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=12, random_state=1)),
    (
        PyAdaBoost,
        "NEstimators=6:LearningRate=0.4:BaseEstimator=DecisionTreeClassifier(max_depth=3, criterion='entropy'):RandomState=4",
        AdaBoostClassifier(
            DecisionTreeClassifier(max_depth=3, criterion="entropy"), n_estimators=6, learning_rate=0.4, random_state=4
        ),
    ),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*white space:mvakit.errors.MvakitWarning")
@pytest.mark.parametrize("analysis", [CLASSIFICATION, MULTICLASS])
@pytest.mark.parametrize(("kind", "text", "model"), FORESTS)
def test_a_forest_answers_as_scikit_learn(kind, text, model, analysis):
    """Trained with these options, and read back from the text that is written, it is scikit-learn's own model."""
    events = sample(analysis)
    weights = getattr(model, "class_weight", None)
    if isinstance(weights, dict):
        weights = {index: weights[index] for index in range(len(CLASSES[analysis]))}
        model = RandomForestClassifier(**{**model.get_params(), "class_weight": weights})
    more = {"ClassWeight": weights} if isinstance(weights, dict) else {}
    method = kind(kind.options_type.parse(text, **more))
    method.check(context(analysis))
    state = method.fit(events, context(analysis))
    model.fit(events.X, events.class_index, sample_weight=events.weight)
    X = np.random.default_rng(2).normal(size=(500, 3)).astype(np.float32)
    X[:, 1] = np.round(X[:, 1])
    expected = model.predict_proba(X)
    expected = expected[:, 0] if analysis is CLASSIFICATION else expected
    np.testing.assert_allclose(method.predict(state, X), expected, rtol=0, atol=1e-12)
    element = ET.Element("Weights")
    assert method.write_state(state, element) == {}
    again = method.read_state(ET.fromstring(ET.tostring(element)), where(analysis))
    np.testing.assert_array_equal(method.predict(again, X), method.predict(state, X))
    np.testing.assert_array_equal(
        [method.predict(again, x[np.newaxis])[0] for x in X[:9]], method.predict(state, X[:9])
    )
    ranking = method.ranking(again, VARIABLES)
    np.testing.assert_allclose([value for _, value in ranking.values], model.feature_importances_)
    assert ranking.criterion == "Variable Importance"
    for ours, theirs in zip(method.monitoring(again), method.monitoring(state), strict=True):
        np.testing.assert_array_equal(ours.y, theirs.y)


def test_an_exponential_loss():
    events = sample()
    method = PyGTB(PyGTBOptions.parse("NEstimators=8:Loss=exponential"))
    model = GradientBoostingClassifier(n_estimators=8, loss="exponential", random_state=1)
    model.fit(events.X, events.class_index, sample_weight=events.weight)
    expected = model.predict_proba(events.X)[:, 0]
    np.testing.assert_allclose(method.predict(method.fit(events, context()), events.X), expected, atol=1e-12)
    with pytest.raises(MethodError, match="Loss=exponential is for two classes, and there are 3"):
        method.fit(sample(MULTICLASS), context(MULTICLASS))


def test_a_cut_in_double_precision_is_kept(monkeypatch):
    """Between two neighbours of single precision a cut rounds up to the larger one, and is taken back."""
    from mvakit_methods.sklearn_files.training import _flat

    class Tree:
        node_count = 3
        children_left, children_right = np.array([1, -1, -1]), np.array([2, -1, -1])
        feature = np.array([0, -2, -2])

    low = np.float32(1)
    high = np.nextafter(low, np.float32(2))
    for threshold in (0.75 * float(high) + 0.25 * float(low), float(low), float(high) - 1e-12, float(high)):
        Tree.threshold = np.array([threshold, -2, -2])
        state = _flat([Tree], [np.array([[0.0], [1.0], [2.0]])], [0], np.zeros(1), 1.0, "identity", np.ones(1))
        X = np.array([[low], [high]])
        assert state(X)[:, 0].tolist() == np.where(X[:, 0].astype(float) <= threshold, 1.0, 2.0).tolist()


def test_the_trees_for_viewers():
    events = sample()
    method = PyRandomForest(PyRandomForestOptions.parse("NEstimators=3:MaxDepth=2"))
    state = method.fit(events, context())
    forest = method.structure(state)
    response = np.zeros(len(events))
    for tree in range(3):
        first = forest.first[tree]
        for event, x in enumerate(events.X):
            node = first
            while forest.variable[node] >= 0:
                right = x[forest.variable[node]] >= forest.cut[node]
                node = first + (forest.right[node] if right else forest.left[node])
            response[event] += forest.tree_weight[tree] * forest.value[node]
    np.testing.assert_allclose(response, method.predict(state, events.X), rtol=1e-12)
    boosted = PyGTB(PyGTBOptions.parse("NEstimators=2"))
    purity = boosted.structure(boosted.fit(events, context())).purity
    assert (purity >= 0).all()
    assert (purity <= 1).all()
    assert boosted.structure(boosted.fit(sample(MULTICLASS), context(MULTICLASS))) is None


# -------------------------------------------------------------------------------------------- the options


@pytest.mark.parametrize(
    ("options", "text", "message"),
    [
        (
            PyRandomForestOptions,
            "Criterion=ginni",
            "takes one of gini, entropy, log_loss, not 'ginni'; did you mean 'gini'",
        ),
        (PyRandomForestOptions, "MaxDepth=0", "'MaxDepth' of F takes None or a whole number, at least 1, not '0'"),
        (
            PyRandomForestOptions,
            "MinSamplesSplit=1",
            "'MinSamplesSplit' of F takes a whole number, at least 2, or a share",
        ),
        (PyRandomForestOptions, "MinSamplesLeaf=1.5", "at least 1, or a share between 0 and 1, not '1.5'"),
        (PyRandomForestOptions, "MinSamplesLeaf=x", "not 'x'"),
        (PyRandomForestOptions, "MaxFeatures=all", "takes one of sqrt, log2, not 'all'"),
        (PyRandomForestOptions, "MaxFeatures=0", "at least 1, or a share"),
        (PyRandomForestOptions, "MaxLeafNodes=1", "None or a whole number, at least 2"),
        (PyRandomForestOptions, "RandomState=-1", "None or a whole number, at least 0"),
        (PyRandomForestOptions, "ClassWeight=even", "takes one of balanced, balanced_subsample, not 'even'"),
        (PyRandomForestOptions, "OoBScore:!Bootstrap", "'OoBScore' of F needs Bootstrap"),
        (PyGTBOptions, "Loss=mse", "takes one of log_loss, exponential, not 'mse'"),
        (PyGTBOptions, "Init=prior", "takes one of zero, not 'prior'"),
        (PyAdaBoostOptions, "Algorithm=SAM", "takes one of SAMME, SAMME.R"),
        (PyAdaBoostOptions, "BaseEstimator=SVC()", "'BaseEstimator' of F takes None, or a tree as in"),
        (PyAdaBoostOptions, "BaseEstimator=DecisionTreeClassifier(3)", "takes None, or a tree as in"),
        (PyAdaBoostOptions, "BaseEstimator=DecisionTreeClassifier(max_depth=f())", "takes None, or a tree as in"),
        (PyAdaBoostOptions, "BaseEstimator=DecisionTreeClassifier(max_dept=3)", "did you mean 'max_depth'"),
        (PyAdaBoostOptions, "BaseEstimator=__import__('os')", "takes None, or a tree as in"),
        (PyAdaBoostOptions, "BaseEstimator=(", "takes None, or a tree as in"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*white space:mvakit.errors.MvakitWarning")
def test_values_that_are_refused(options, text, message):
    with pytest.raises(OptionError, match=message):
        options.parse(text).arguments(Reading("F", lambda name, note: None))


def test_weights_of_classes():
    reading = Reading("F", lambda name, note: None)
    assert reading.class_weight("ClassWeight", "None") is None
    assert reading.class_weight("ClassWeight", "'balanced'") == "balanced"
    # An option string cannot carry a ':', a keyword can.
    options = PyRandomForestOptions.parse(ClassWeight={0: 1, 1: 2.5})
    assert options.arguments(reading)["class_weight"] == {0: 1.0, 1: 2.5}
    for text in ("{0: -1}", "{0: f(1)}", "{0", "{'a': 1}", "{1}"):
        with pytest.raises(OptionError, match="numbers by class as in"):
            reading.class_weight("ClassWeight", text)


def test_names_of_old_are_told_of(caplog):
    with caplog.at_level(logging.WARNING):
        for kind in (PyRandomForest, PyGTB, PyAdaBoost):
            kind(kind.options_type()).check(context())
    # TMVA's own defaults are taken without a word.
    assert not caplog.text
    with caplog.at_level(logging.WARNING):
        PyRandomForest(PyRandomForestOptions.parse("MaxFeatures='auto':WarmStart:FilenameClassifier=f.pkl")).check(
            context()
        )
        PyGTB(PyGTBOptions.parse("Loss=deviance")).check(context())
        PyAdaBoost(PyAdaBoostOptions.parse("Algorithm=SAMME.R")).check(context())
    for text in (
        "MaxFeatures=auto is called sqrt in today's scikit-learn",
        "WarmStart changes nothing: a method is trained once",
        "FilenameClassifier changes nothing: the model lies in the weight file itself",
        "Loss=deviance is called log_loss",
        "Algorithm=SAMME.R is no longer in scikit-learn, which boosts by SAMME",
    ):
        assert text in caplog.text


def test_numbers_that_forests_take():
    reading = Reading("F", lambda name, note: None)
    assert [reading.features("MaxFeatures", text) for text in ("None", "3", "0.3", ".3", "1.0", "sqrt")] == [
        None, 3, 0.3, 0.3, 1.0, "sqrt",
    ]  # fmt: skip
    assert PyRandomForestOptions.parse("RandomState=7").arguments(reading)["random_state"] == 7
    assert PyRandomForestOptions.parse("RandomSeed=9").arguments(reading)["random_state"] == 9


# ------------------------------------------------------------------------------------------ training and files


def test_trainings_that_fail():
    events = sample()
    none = events.with_weight(np.where(events.is_signal, 0.0, 1.0))
    with pytest.raises(MethodError, match="PyGTB: the training events of class 'Signal' have a sum of weights of 0"):
        PyGTB(PyGTBOptions()).fit(none, context())
    bad = PyAdaBoost(PyAdaBoostOptions.parse("BaseEstimator=DecisionTreeClassifier(max_depth=-2)"))
    with pytest.raises(MethodError, match="PyAdaBoost: scikit-learn could not train F: .*max_depth"):
        bad.fit(events, context())
    data = DataSet("d", VARIABLES, (), (), CLASSES[CLASSIFICATION], events.with_weight(-events.weight), events)
    with pytest.raises(DataError, match="negative weights, which PyRandomForest cannot train on"):
        train(data, "PyRandomForest")


def test_other_answers_are_not_kept(monkeypatch):
    monkeypatch.setattr(RandomForestClassifier, "predict_proba", lambda self, X: np.full((len(X), 2), 0.5))
    with pytest.raises(MethodError, match="answer otherwise when they are applied by themselves"):
        PyRandomForest(PyRandomForestOptions()).fit(sample(), context())


@pytest.mark.parametrize(("kind", "said"), [(PyRandomForest, "Done"), (PyGTB, "Train Loss")])
def test_what_scikit_learn_prints(kind, said, capfd):
    for verbose in (0, 1):
        kind(kind.options_type.parse(f"NEstimators=3:Verbose={verbose}")).fit(sample(), context())
        assert (said in "".join(capfd.readouterr())) == bool(verbose)


def test_out_of_bag_events_and_progress(caplog):
    from mvakit.progress import Messenger

    ticks: list[tuple[float, float]] = []
    told = context(tick=lambda done, total, note="": ticks.append((done, total)), log=Messenger("F"))
    with caplog.at_level(logging.INFO):
        PyRandomForest(PyRandomForestOptions.parse("OoBScore:NEstimators=30")).fit(sample(), told)
    assert "Accuracy for events that a tree was not given: 0." in caplog.text
    state = PyGTB(PyGTBOptions.parse("NEstimators=4")).fit(sample(), told)
    assert ticks == [(1, 4), (2, 4), (3, 4), (4, 4)]
    (curve,) = PyGTB(PyGTBOptions()).monitoring(state)
    assert curve.name == "TrainScore"
    assert curve.y[3] < curve.y[0]


def test_an_interrupt_keeps_the_trees_so_far():
    def tick(done, total, note=""):
        if done == 3:
            raise KeyboardInterrupt

    method = PyGTB(PyGTBOptions.parse("NEstimators=9"))
    with pytest.warns(MvakitWarning, match="F was interrupted; its first 3 trees are kept"):
        state = method.fit(sample(), context(tick=tick))
    assert len(state.column) == 3
    shorter = PyGTB(PyGTBOptions.parse("NEstimators=3"))
    expected = shorter.predict(shorter.fit(sample(), context()), sample().X)
    np.testing.assert_allclose(method.predict(state, sample().X), expected, rtol=1e-12)


def test_a_model_is_saved_and_loaded(tmp_path):
    events = sample()
    data = DataSet("d", VARIABLES, (), (), CLASSES[CLASSIFICATION], events, events)
    model = train(data, "PyAdaBoost", "NEstimators=5:VarTransform=N", title="A")
    again = Model.load(model.save(tmp_path / "A.weights.xml"))
    np.testing.assert_array_equal(again.predict(events.X), model.predict(events.X))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["A.weights.xml"]


def written() -> ET.Element:
    method = PyRandomForest(PyRandomForestOptions.parse("NEstimators=2:MaxDepth=2"))
    element = ET.Element("Weights")
    method.write_state(method.fit(sample(n=1000), context()), element)
    return element


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.set("NTrees", "3"), "NTrees='3'> holds 2 <Tree>"),
        (lambda w: w.set("NOutputs", "2"), "NOutputs='2'> should be 1"),
        (lambda w: w.set("NValues", "2"), "NValues='2'> should lie between 1 and 1"),
        (lambda w: w.set("Link", "exp"), "should be one of identity, logistic, softmax"),
        (lambda w: w.set("Scale", "nan"), "should be a finite number"),
        (lambda w: w.remove(w.find("Base")), "lacks <Base>"),
        (lambda w: setattr(w.find("Base"), "text", "inf"), "<Base> holds a number that is not finite"),
        (lambda w: w.find("Importance").set("NVar", "4"), "should lie between 3 and 3"),
        (lambda w: w.find("Tree").set("NNodes", "6"), "<Variable> should hold 6 numbers"),
        (lambda w: w.find("Tree").set("NNodes", "99999999999"), "should lie between 1 and"),
        (lambda w: w.find("Tree").set("Output", "1"), "should lie between 0 and 0"),
        (lambda w: setattr(w.find("Tree/Variable"), "text", w.find("Tree/Variable").text.replace("-1", "-2", 1)), "whole"),
        (lambda w: setattr(w.find("Tree/Variable"), "text", "3" + w.find("Tree/Variable").text[1:]), "from -1 to 2"),
        (lambda w: setattr(w.find("Tree/Left"), "text", "1 1 5"), "leads from node 1 to 1, which is not behind it"),
        (lambda w: setattr(w.find("Tree/Right"), "text", "4 3 7"), "should hold whole numbers from 1 to 6"),
        (lambda w: setattr(w.find("Tree/Right"), "text", "4 3.5 6"), "should hold whole numbers"),
        (lambda w: setattr(w.find("Tree/Cut"), "text", "1e39 0 0"), "too large for a float32"),
        (lambda w: setattr(w.find("Tree/Value"), "text", "1 2"), "should hold 4 numbers and holds 2"),
    ],
)  # fmt: skip
def test_damaged_files_are_refused(change, message):
    element = written()
    assert element.find("Tree").get("NNodes") == "7"
    change(element)
    with pytest.raises(WeightFileError, match=message):
        read_forest(element, 3, 1)
