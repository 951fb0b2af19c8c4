# `make demo` and `make test` are all a fresh machine needs; each makes the virtual environment when it is missing.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Two test processes with one thread each use a small machine better than one process with two.
WORKERS ?= 2

.PHONY: demo test test-slow lint pages docs dist lowest hooks bench patients clean

demo: $(VENV)/installed
	$(BIN)/babysit demo

test: lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m "not slow"

test-slow: $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) -m slow --timeout 3600

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Writes every page anew that is made from code; tests hold that they are current.
pages: $(VENV)/installed
	$(BIN)/python docs/write_pages.py

docs: $(VENV)/installed-docs
	$(BIN)/python docs/build.py site

# Builds and checks the package, installs it into empty environments, and runs the demo there.
dist: $(VENV)/installed-dist
	$(BIN)/python release/dist.py

lowest:
	$(PYTHON) release/lower_bounds.py

hooks: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[hooks]"
	$(BIN)/pre-commit install

# Scores check and heal on the patients, and writes the table into the docs; about an hour on two cores.
patients: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/python patients/score.py --heal --babysit $(BIN)/babysit --json patients/score.json
	$(BIN)/python docs/write_patients.py

bench: $(VENV)/installed-bench
	for script in benchmarks/[!_]*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

$(VENV)/installed-bench: $(VENV)/installed-test
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[bench]"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

$(VENV)/installed-dist: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable ".[dist]"
	touch $@

clean:
	rm -rf $(VENV) dist site .mypy_cache .pytest_cache .ruff_cache
