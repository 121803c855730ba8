# `make help` lists what can be done here. Everything happens in a virtual environment of the project's own.

PYTHON ?= python3
VENV ?= .venv
PORT ?= 8000
BIN := $(VENV)/bin
TESTS ?=

.DEFAULT_GOAL := help

.PHONY: help
help:  ## This list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

$(VENV)/.server: $(BIN)/python setup.cfg pyproject.toml
	$(BIN)/python -m pip install -qq --editable ".[speed]"
	@touch $@

# What the example of a company needs: the demo runs it, the server does not need it.
$(VENV)/.company: $(VENV)/.server company/requirements.txt
	$(BIN)/python -m pip install -qq --requirement company/requirements.txt
	@touch $@

$(VENV)/.test: $(VENV)/.server
	$(BIN)/python -m pip install -qq --editable ".[speed,test]"
	@touch $@

.PHONY: demo
demo: $(VENV)/.company  ## Install, load the sample households and serve them on http://localhost:8000 (PORT=… changes it)
	@$(BIN)/espi-server demo --port $(PORT)

.PHONY: demo-reset
demo-reset: $(VENV)/.server  ## Forget the demo's data; the next `make demo` starts over
	@$(BIN)/espi-server demo --reset

.PHONY: install
install: $(VENV)/.test  ## Install the server and everything its tests need into .venv

.PHONY: test
test: lint system clients  ## Lint and run the tests, on SQLite and PostgreSQL
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not soak" $(TESTS)

.PHONY: soak
soak: $(VENV)/.test system clients  ## The long runs: large imports, fuzzing, faults
	$(BIN)/python -m pytest -m "soak or hypothesis" --hypothesis-profile=long $(TESTS)

.PHONY: lint
lint: $(VENV)/.test  ## Style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

.PHONY: format
format: $(VENV)/.test  ## Let ruff put every line in its place
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: schemas
schemas: $(VENV)/.server  ## Write schemas/ anew from the declarations
	$(BIN)/python -m espi_server.espi.xsd
	$(BIN)/python -m espi_server.espi.mapping.json_schema

.PHONY: coverage
coverage: $(VENV)/.test  ## Write docs/coverage.md: which test proves which requirement
	$(BIN)/python -m pytest --collect-only -q --coverage-table=docs/coverage.md > /dev/null

.PHONY: bench
bench: $(VENV)/.test system  ## Measure, against something outside us, in one run
	$(BIN)/python -m bench

# Two proxies and a load generator exist as system packages only. Without root the tests that need them say so and skip.
.PHONY: system
system: $(VENV)/.test
	@$(BIN)/python tests/system.py

.PHONY: clients
clients: $(VENV)/.test
	@$(BIN)/python tests/clients/install.py

.PHONY: clean
clean:  ## Remove the virtual environment and everything built
	rm -rf $(VENV) build *.egg-info tests/clients/node_modules .pytest_cache .ruff_cache .mypy_cache .hypothesis
