"""Every option of the networks and forests, and every key of a strategy, is named by a test that fails if it does nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from mvakit_methods.dl import DLOptions, DNNOptions
from mvakit_methods.dl.strategy import _KEYS, _PARAMETERS, _RETIRED
from mvakit_methods.keras import PyKerasOptions
from mvakit_methods.mlp import MLPOptions
from mvakit_methods.sklearn_files.options import PyAdaBoostOptions, PyGTBOptions, PyRandomForestOptions

from mvakit.method import MethodOptions

HERE = Path(__file__).parent

# In which test something else comes out, or is said, without the option.
PYKERAS = {
    "test_keras.py::test_files_that_are_no_models_are_refused_at_booking": ("FilenameModel",),
    "test_keras.py::test_a_training_can_be_continued": ("FilenameTrainedModel", "ContinueTraining"),
    "test_keras.py::test_a_first_booking_is_quiet_and_sets_the_threads": ("NumThreads",),
    "test_keras.py::test_what_is_said_while_training": ("Verbose",),
    "test_keras.py::test_the_best_epoch_is_kept": ("SaveBestOnly",),
    "test_keras.py::test_training_stops_where_nothing_gets_better": ("TriesEarlyStopping",),
    "test_keras.py::test_tensorboard_gets_its_folder": ("TensorBoard",),
    "test_keras_options.py::test_leaving_an_option_out_changes_the_losses": (
        "BatchSize", "NumEpochs", "LearningRateSchedule", "ValidationSize",
    ),
    "test_keras_options.py::test_without_gpus_it_is_said_that_nothing_changes": ("GpuOptions",),
    "test_keras_options.py::test_classes_of_ones_own_come_from_user_code_or_by_hand": ("UserCode", "TrustFiles"),
    "test_keras_options.py::test_one_keras_is_left": ("tf.keras",),
}  # fmt: skip
DEEP = {
    "test_dl_training.py::test_headers_are_those_of_tmva": ("Layout", "ErrorStrategy", "WeightInitialization"),
    "test_dl_training.py::test_each_option_changes_the_training": (
        "ErrorStrategy", "WeightInitialization", "ValidationSize", "RandomSeed", "Layout", "TrainingStrategy",
    ),
    "test_dl_training.py::test_inputs_and_batches_have_a_layout": ("InputLayout", "BatchLayout"),
    "test_dl_training.py::test_options_that_are_refused": ("Architecture",),
}  # fmt: skip
STRATEGY = {
    "test_dl_training.py::test_each_key_changes_the_training": (*_KEYS, *_PARAMETERS),
    "test_dl_languages.py::test_keys_that_tmva_has_retired": tuple(_RETIRED),
}
MLP = {
    "test_mlp_training.py::test_each_option_changes_the_training": (
        "NCycles", "HiddenLayers", "NeuronType", "RandomSeed", "EstimatorType", "NeuronInputType", "TrainingMethod",
        "LearningRate", "DecayRate", "TestRate", "Sampling", "SamplingEpoch", "SamplingImportance", "SamplingTraining",
        "SamplingTesting", "ResetStep", "Tau", "BPMode", "BatchSize", "ConvergenceImprove", "ConvergenceTests",
        "UseRegulator", "UpdateLimit", "WeightRange", "ValidationSize",
    ),
    "test_mlp_training.py::test_what_is_recorded": ("EpochMonitoring",),
    "test_mlp_training.py::test_errors_are_kept_where_they_are_asked_for": ("CalculateErrors",),
}  # fmt: skip
FORESTS = {
    "test_py_forests.py::test_a_forest_answers_as_scikit_learn": (
        "NEstimators", "Criterion", "MaxDepth", "MinSamplesSplit", "MinSamplesLeaf", "MinWeightFractionLeaf",
        "MaxFeatures", "MaxLeafNodes", "Bootstrap", "NJobs", "ClassWeight", "LearningRate", "Subsample", "Init",
        "BaseEstimator", "RandomState",
    ),
    "test_py_forests.py::test_an_exponential_loss": ("Loss",),
    "test_py_forests.py::test_out_of_bag_events_and_progress": ("OoBScore",),
    "test_py_forests.py::test_what_scikit_learn_prints": ("Verbose",),
    "test_py_forests.py::test_names_of_old_are_told_of": ("WarmStart", "FilenameClassifier", "Algorithm"),
}  # fmt: skip


def own(*kinds: type[MethodOptions]) -> set[str]:
    """The options that methods have of their own."""
    shared = {spec.name for spec in MethodOptions.declared()} - {"RandomSeed"}
    names = {spec.name for kind in kinds for spec in kind.declared()} - shared
    # Where it is every method's, it is tested with all methods.
    return names if any("random_seed" in kind.__annotations__ for kind in kinds) else names - {"RandomSeed"}


def words(test: str) -> str:
    """The text of a test with its decorators, and of the constants of the module that it uses."""
    file, _, name = test.partition("::")
    text = (HERE / file).read_text(encoding="utf-8")
    module = ast.parse(text).body
    (found,) = [node for node in module if isinstance(node, ast.FunctionDef) and node.name == name]
    used = {node.id for node in ast.walk(found) if isinstance(node, ast.Name)}
    constants = [
        node
        for node in module
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id in used for t in node.targets)
    ]
    return "\n".join(ast.unparse(node) for node in [found, *constants])


@pytest.mark.parametrize(
    ("declared", "tests"),
    [
        (own(PyKerasOptions), PYKERAS),
        (own(DLOptions, DNNOptions), DEEP),
        ({*_KEYS, *_PARAMETERS, *_RETIRED}, STRATEGY),
        (own(MLPOptions), MLP),
        (own(PyRandomForestOptions, PyGTBOptions, PyAdaBoostOptions), FORESTS),
    ],
    ids=["PyKeras", "DL", "TrainingStrategy", "MLP", "forests"],
)
def test_every_option_has_a_test(declared, tests):
    assert {name for names in tests.values() for name in names} == declared
    missing = [(test, name) for test, names in tests.items() for name in names if name not in words(test)]
    assert not missing
