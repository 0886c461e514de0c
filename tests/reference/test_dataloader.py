"""The events that TMVA took, in its order, weighted as TMVA weighted them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import uproot

from .jobs import JOBS

RESULTS = [name for name, job in JOBS.items() if job.result]


@pytest.mark.parametrize("name", RESULTS)
def test_the_events_are_those_of_tmva_s_trees(reference: Path, name: str) -> None:
    data = JOBS[name].make(reference).prepare()
    with uproot.open(reference / JOBS[name].result) as file:
        for tree, sample in data.samples():
            events = file[f"{data.name}/{tree}"].arrays(library="np")
            assert len(events["weight"]) == len(sample)
            assert np.array_equal(events["classID"], sample.class_index)
            for i, label in enumerate(data.labels):
                assert np.array_equal(events[label], sample.X[:, i]), (tree, label)
            for i, target in enumerate(data.targets):
                assert np.array_equal(events[target.label], sample.targets[:, i]), (tree, target.label)
            for label, column in sample.spectators.items():
                assert np.array_equal(events[label], column.astype(np.float32)), (tree, label)
            # TMVA writes weights in single precision, and adds them up in the order of the events to renormalise them.
            np.testing.assert_allclose(events["weight"], sample.weight, rtol=1.2e-7)
