# Everything sets itself up: a virtual environment in .venv with what the target needs. Override PYTHON for another interpreter.
PYTHON ?= python3
VENV   ?= .venv
PYTEST_ARGS ?= --numprocesses=auto --dist=loadfile
BIN    := $(VENV)/bin
STAMPS := $(VENV)/.stamps

.PHONY: help demo test lint format bench docs coverage fuzz clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    the whole road on toy data: train, evaluate, draw, apply"
	@echo "make test    all tests"
	@echo "make lint    ruff, mypy, import contracts"
	@echo "make bench   the benchmarks, as ratios to peers"
	@echo "make docs    the documentation site"
	@echo "make coverage  the tests, and which lines they reach"
	@echo "make fuzz    the property tests, with thousands of random examples each"

$(STAMPS)/venv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "mvakit needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	@mkdir -p $(STAMPS) && touch $@

# A stamp for each set of packages; they are installed anew when pyproject.toml changes.
$(STAMPS)/run: $(STAMPS)/venv pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[keras,gui]'
	@touch $@

$(STAMPS)/test: $(STAMPS)/run
	$(BIN)/python -m pip install --quiet --group test
	tests/browser/have_chromium
	@touch $@

$(STAMPS)/lint: $(STAMPS)/run
	$(BIN)/python -m pip install --quiet --group lint
	@touch $@

$(STAMPS)/bench: $(STAMPS)/run
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(STAMPS)/docs: $(STAMPS)/run
	$(BIN)/python -m pip install --quiet --group docs
	@touch $@

demo: $(STAMPS)/run
	$(BIN)/mvakit demo

test: $(STAMPS)/test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(STAMPS)/lint
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	PYTHONPATH=.:methods:gui $(BIN)/lint-imports

format: $(STAMPS)/lint
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMPS)/bench
	@for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# The compiled kernels run once with the compiler off, so that their lines are counted, in tests that take minutes at most.
UNCOMPILED := $(patsubst %,tests/unit/test_%.py,bdt bdt_exact_cuts bdt_quantiles bdt_multiclass knn pders pdefoam) \
	tests/unit/test_bdt_stopping.py::test_losses_are_those_of_the_responses

coverage: $(STAMPS)/test
	$(BIN)/python -m pytest $(PYTEST_ARGS) --cov --cov-report=
	NUMBA_DISABLE_JIT=1 $(BIN)/python -m pytest $(UNCOMPILED) --cov --cov-append

fuzz: $(STAMPS)/test
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest tests/property $(PYTEST_ARGS)

docs: $(STAMPS)/docs
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) demo site dist
