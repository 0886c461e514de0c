"""The languages of DL: layouts, strategies, and sizes of the validation sample."""

from __future__ import annotations

import pytest
from mvakit_methods.dl import DLOptions
from mvakit_methods.dl.layers import Shape
from mvakit_methods.dl.layout import input_shape, plan_batch, plan_layers
from mvakit_methods.dl.strategy import Stage, parse_strategy

from mvakit.errors import OptionError

# As the tutorials of ROOT book their networks.
TUTORIAL_STAGES = (
    "LearningRate=1e-3,Momentum=0.9,ConvergenceSteps=10,BatchSize=128,TestRepetitions=1,MaxEpochs=20,WeightDecay=1e-4,"
    "Regularization=None,Optimizer=ADAM,ADAM_beta1=0.9,ADAM_beta2=0.999,ADAM_eps=1.E-7,DropConfig=0.0+0.0+0.0+0."
)
TUTORIAL_CNN = (
    "CONV|10|3|3|1|1|1|1|RELU,BNORM,CONV|10|3|3|1|1|1|1|RELU,MAXPOOL|2|2|1|1,RESHAPE|FLAT,DENSE|100|RELU,DENSE|1|LINEAR"
)


# ------------------------------------------------------------------------------------------ the languages


def test_a_strategy_with_every_key():
    first, second = parse_strategy(f"{TUTORIAL_STAGES}|Optimizer=sgd,DropConfig=0.5", "DL")
    assert first.learning_rate == 1e-3
    assert (first.momentum, first.convergence_steps, first.max_epochs, first.batch_size) == (0.9, 10, 20, 128)
    assert (first.weight_decay, first.regularization, first.drop_config) == (1e-4, "NONE", (0.0,) * 4)
    assert (first.optimizer, first.parameters) == ("ADAM", {"beta1": 0.9, "beta2": 0.999, "eps": 1e-7})
    assert first.without_effect == ("Momentum with Optimizer=ADAM", "WeightDecay without Regularization")
    # What a stage leaves out has the documented default.
    assert second == Stage(optimizer="SGD", drop_config=(0.5,))
    (default,) = parse_strategy(DLOptions().training_strategy, "DL")
    assert default == Stage(drop_config=(0.0,), parameters={"beta1": 0.9, "beta2": 0.999, "eps": 1e-7})
    assert parse_strategy("", "DNN", "SGD")[0].optimizer == "SGD"
    (other,) = parse_strategy("optimizer=RmsProp,RMSPROP_rho=0.8,ADAM_eps=1e-3,regularization=l1", "DL")
    assert other.parameters == {"rho": 0.8, "eps": 1e-7}
    assert other.without_effect == ("ADAM_eps with Optimizer=RMSPROP", "Regularization without WeightDecay")


@pytest.mark.parametrize("key", ["Repetitions", "DropRepetitions", "Multithreading", "Renormalize"])
def test_keys_that_tmva_has_retired(key):
    (stage,) = parse_strategy(f"{key}=1", "DL")
    assert stage.without_effect == (f"{key}, which TMVA has retired",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Learningrat=1", "has no key 'Learningrat' .*; did you mean 'LearningRate'"),
        ("Optimizer=sdg", "takes one of ADAM, SGD, ADAGRAD, RMSPROP, ADADELTA, not 'sdg'; did you mean 'SGD'"),
        ("LearningRate=0", "'LearningRate' .* takes a positive number, not '0'"),
        ("LearningRate=nan", "takes a positive number, not 'nan'"),
        ("LearningRate", "takes a positive number, not ''"),
        ("Momentum=1", "takes a number from 0 to 1, not '1'"),
        ("ConvergenceSteps=-1", "takes a whole number, not '-1'"),
        ("MaxEpochs=0", "takes a positive whole number, not '0'"),
        ("BatchSize=1.5", "takes a positive whole number"),
        ("TestRepetitions=x", "takes a positive whole number"),
        ("WeightDecay=-1", "not negative, not '-1'"),
        ("Regularization=L3", "takes None, L1 or L2, not 'L3'"),
        ("DropConfig=0.5+1", r"separated by '\+', as in '0.0\+0.5', not '0.5\+1'"),
        ("ADAM_beta1=1", "takes a positive number below 1, not '1'"),
        ("ADAM_eps=0", "takes a positive number, not '0'"),
        ("BatchSize=1,BatchSize=2", "sets 'BatchSize' twice in the stage"),
        ("Momentum=0.9ConvergenceSteps=10", "not '0.9ConvergenceSteps=10'"),
    ],
)
def test_strategies_that_are_refused(text, message):
    with pytest.raises(OptionError, match=message):
        parse_strategy(text, "DL")


def test_layouts():
    shape = input_shape("1|16|16", "DL", 256)
    plans = plan_layers(TUTORIAL_CNN, "DL", shape, 1)
    assert [plan.output for plan in plans] == [
        (10, 16, 16), (10, 16, 16), (10, 16, 16), (10, 15, 15), (1, 1, 2250), (1, 1, 100), (1, 1, 1),
    ]  # fmt: skip
    assert plan_layers("TANH|N*2,(n+100)/3|RELU,LINEAR", "DL", Shape(1, 1, 4), 3)[1].output.width == 34
    assert [p.activation for p in plan_layers("DENSE|7,FTANH|2,SYMMRELU|2,GAUSS|2,SOFTSIGN|2,SIGMOID|2,0", "DL",
                                              Shape(1, 1, 4), 3)] == [3, 7, 4, 6, 5, 2, 3]  # fmt: skip
    assert input_shape("10|30", "DL", 300) == Shape(10, 1, 30)
    assert input_shape("7", "DL", 7) == Shape(1, 1, 7)
    assert input_shape("0|0|0", "DL", 7) == Shape(1, 1, 7)
    assert input_shape("1|0|7", "DL", 7) == Shape(1, 1, 7)
    assert plan_batch("0|0|0", "DL", Shape(1, 1, 7), 128) == Shape(1, 128, 7)
    assert plan_batch("1|128|7", "DL", Shape(1, 1, 7), 128) == Shape(1, 128, 7)
    assert plan_batch("0|0|0", "DL", Shape(1, 16, 16), 100) == Shape(100, 1, 256)
    assert plan_batch("100|10|30", "DL", Shape(10, 1, 30), 100) == Shape(100, 10, 30)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("DROPOUT|0.5,LINEAR", "'DROPOUT[|]0.5', where 'DROPOUT' is neither a layer.*N"),
        ("CONF|1|2|2|1|1|0|0,LINEAR", "where 'CONF' is neither.*; did you mean 'CONV'"),
        ("RESHAPE|FLAT,DENSE|10|TANH,", "in which a layer is empty"),
        ("DENSE|10|20|TANH,LINEAR", "which has 2 numbers; its form is DENSE[|]width[|]FUNCTION"),
        ("TANH|RELU|5,LINEAR", "which names two functions"),
        ("RESHAPE|FLAT,DENSE|10", "the last one, with 10 outputs where 1 are needed"),
        ("DENSE|-3,LINEAR", "where '-3' is -3; it should be 0 to 1000000"),
        ("RESHAPE|FLAT,DENSE|N^400,LINEAR", r"where 'N\^400' is inf"),
        ("CONV|2|3|3|1|1|0,LINEAR", "which has 6 numbers; its form is CONV"),
        ("CONV|2|9|3|1|1|0|0,LINEAR", "whose window does not fit into 1 x 8 x 8"),
        ("CONV|2|3|3|1|1|0|0,LINEAR", "which takes a row of values, and gets 2 x 6 x 6; put RESHAPE[|]FLAT before"),
        ("RESHAPE|1|8|9,LINEAR", "which makes 72 values of 64"),
        ("CONV|2|3|3|1|1|0|0,RESHAPE|1|1|72,LINEAR", "which takes a row of values; put RESHAPE[|]FLAT before it"),
        ("CONV|2|3|3|1|1|0|0,RNN|3|6|6,LINEAR", "takes 6 steps of 6 values, and gets 2 x 6 x 6"),
        ("RNN|3|8|8|1,LINEAR", "which remembers the events before"),
        ("RNN|3|8|8|0|1,CONV|2|3|3|1|1|0|0,LINEAR", "takes an image, and gets a sequence of 8 steps"),
        ("RNN|3|8,LINEAR", "which has 2 numbers; its form is RNN"),
        ("RESHAPE|FLAT,BNORM|1.5,LINEAR", "whose momentum should be 0 to 1"),
        ("RESHAPE|FLAT,DENSE|1000000,DENSE|1000000,DENSE|1", None),
        ("CONV|200000|1|1|1|1|4|4,RESHAPE|FLAT,LINEAR", "values of one event; at most"),
    ],
)
def test_layouts_that_are_refused(text, message):
    shape = Shape(1, 8, 8)
    if message is None:
        assert plan_layers(text, "DL", shape, 1)
        return
    with pytest.raises(OptionError, match=message):
        plan_layers(text, "DL", shape, 1)


def test_input_layouts_that_are_refused():
    with pytest.raises(OptionError, match="'InputLayout' of DL is '1[|]8[|]9', which is 72 values for 64 variables"):
        input_shape("1|8|9", "DL", 64)
    with pytest.raises(OptionError, match="'InputLayout' of DL takes depth"):
        input_shape("1|x|9", "DL", 64)
    with pytest.raises(OptionError, match="with BatchSize=30 and these inputs it is 1[|]30[|]7"):
        plan_batch("1|128|7", "DL", Shape(1, 1, 7), 30)
