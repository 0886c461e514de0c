"""Where the reference data lies, and what every test shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

# `make test` asks the same questions every time; `make fuzz` asks many others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.register_profile("explore", max_examples=3000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def reference() -> Path:
    """TMVA's own inputs and outputs beside the checkout; tests that need them are skipped where they are not."""
    path = HERE.parent.parent / "shared" / "reference"
    if not path.is_dir():
        pytest.skip("the reference data beside the checkout is not here")
    return path


@pytest.fixture(scope="session")
def toy() -> Path:
    """The small toy set that the repository carries: input, TMVA's weight files and responses."""
    return HERE / "reference" / "toy"
