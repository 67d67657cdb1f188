# make run       set up and run the default experiment into results/
# make test      set up, then style, types and the fast tests
# make test-all  the slow tests as well
# make bench     the benchmarks beside other tools, and studies of errors, into tests/benchmarks/results/ (half an hour)
PYTHON ?= python3
BIN := .venv/bin
SETUP := .venv/installed
IN_PARALLEL := --numprocesses auto --dist loadfile

# One thread per library: our kernels do their own; VTK draws without a screen.
export OPENBLAS_NUM_THREADS ?= 1
export OMP_NUM_THREADS ?= 1
export FIPY_SOLVERS ?= scipy
export MPLBACKEND ?= Agg

.PHONY: run test test-all bench clean

run: $(SETUP)
	$(BIN)/spatial run tripartite --out results --force

test: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest $(IN_PARALLEL)

test-all: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/pytest $(IN_PARALLEL) -m "slow or not slow"

bench: $(SETUP)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m tests.benchmarks
	$(BIN)/python -m tests.benchmarks.integrators.study
	$(BIN)/python -m tests.benchmarks.open_boundary
	$(BIN)/python -m tests.benchmarks.thin_sheets
	$(BIN)/python -m tests.benchmarks.electrodiffusion
	$(BIN)/python -m tests.benchmarks.loading

$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "spatial needs Python 3.11 or newer; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[test]'
	touch $@

clean:
	rm -rf .venv results
