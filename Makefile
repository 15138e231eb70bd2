# Everything is set up on first use in .venv; only Python 3.11+, make and a C compiler are needed beforehand.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := constraints/py311.txt
OUT ?= out/demo

.PHONY: demo test lint docs bench clean

demo: $(VENV)/run.stamp
	$(BIN)/cinecortex demo --out $(OUT)

test: $(VENV)/dev.stamp
	$(BIN)/python -m pytest

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/docs.stamp
	$(BIN)/mkdocs build --strict

bench: $(VENV)/dev.stamp
	$(BIN)/python benchmarks/run.py

clean:
	rm -rf $(VENV) out site build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

# torch comes first and pinned, before anything that depends on it: an unpinned torch brings gigabytes of CUDA libraries.
$(VENV)/run.stamp: pyproject.toml $(CONSTRAINTS) | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	touch $@

$(VENV)/dev.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[dev,nwb,slurm]'
	touch $@

$(VENV)/docs.stamp: $(VENV)/run.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[docs]'
	touch $@
