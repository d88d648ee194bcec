# make demo        a simulated crane, the whole story in a minute
# make test        the tests, against real servers on this machine
# make check       what CI runs: tests, ruff, mypy
# make fix         let ruff repair what it can
# make bench       timings beside their peers, as ratios

PYTHON ?= python3
VENV := .venv
CORE := verifier/model/*,verifier/compare/*,verifier/trust/*,verifier/record/*
BIN := $(VENV)/bin

.PHONY: demo test check fix bench servers

demo: $(BIN)/crane-verify
	$(BIN)/crane-verify demo

# pytest's workers share the machine with the servers they start, so no more of them than cores.
test: $(VENV)/.test servers
	$(BIN)/python -m pytest -n 2 --dist loadfile --cov --cov-report=term:skip-covered $(ARGS)

# Every line of what judges and what proves is run by a test; branches too.
check: test
	$(BIN)/coverage report --include='$(CORE)' --fail-under=100 --skip-covered
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

fix: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.test servers
	$(BIN)/python -m bench

servers:
	tests/servers/install

$(BIN)/python:
	tests/servers/python $(PYTHON) $(VENV)

$(BIN)/crane-verify: $(BIN)/python setup.cfg
	$(BIN)/pip install --quiet --editable .
	touch $@

$(VENV)/.test: $(BIN)/python setup.cfg
	$(BIN)/pip install --quiet --editable '.[test]'
	touch $@ $(BIN)/crane-verify
