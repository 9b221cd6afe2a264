# Every target sets up what it needs, from a bare checkout: Python 3.11 or newer, make and a
# package index are enough. `make PYTHON=python3.12 test` names the interpreter.

# The first of these that runs and is new enough. A version manager's shim can be on PATH and
# still refuse to run, so each one is asked, not just looked up.
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; break; fi; \
	done)

VENV ?= .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
PIP := $(PY) -m pip --disable-pip-version-check

# Type checkers want names that exist; a folder joins as soon as it is there.
CODE := $(wildcard openrouter_async pytest_openrouter_async.py tests examples benchmarks)

PYTEST_ARGS ?=

# Tests wait for sockets more than they compute, so twice the cores of a small machine.
WORKERS ?= 4

# pyright's wrapper would ask the network whether there is a newer one.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

RUNTIME := $(VENV)/.runtime-stamp
DEV := $(VENV)/.dev-stamp
INTEGRATION := $(VENV)/.integration-stamp

UPGRADE ?= --upgrade
COMPILE := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-config --no-emit-index-url --no-emit-find-links --no-strip-extras \
	--custom-compile-command "make lock" \
	--extra speed --extra cli --extra data --extra emulator --extra fastapi --extra otel

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# Two targets at once would set up the same .venv twice.
.NOTPARALLEL:
.PHONY: help demo test integration lint types coverage format build docs bench lock clean

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'

demo: $(RUNTIME)  ## Stream an answer from the built-in emulator (no key, no network)
	$(PY) examples/demo.py

test: $(DEV)  ## Run the tests (PYTEST_ARGS="-k sse -x" passes arguments on)
	$(PY) -m pytest --ignore tests/integration --numprocesses $(WORKERS) $(PYTEST_ARGS)

integration: $(INTEGRATION)  ## Run the tests that need a browser, a Ray cluster, node or other clients
	$(PY) -m pytest --numprocesses 2 --dist loadfile tests/integration $(PYTEST_ARGS)

lint: $(DEV)  ## Check style and formatting
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INTEGRATION)  ## Check the types, with mypy and with pyright, both strict
	$(PY) -m mypy $(CODE)
	$(PY) -m pyright --pythonpath $(PY)

coverage: $(DEV)  ## Run the tests, show the uncovered lines, fail below the threshold
	$(PY) -m pytest --ignore tests/integration --numprocesses $(WORKERS) --cov --cov-report=term --cov-report=html $(PYTEST_ARGS)

format: $(DEV)  ## Fix what can be fixed, and format
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

build: $(DEV)  ## Build the wheel and the source archive into dist/
	rm -rf dist
	$(PY) -m build --no-isolation --outdir dist .

docs: $(INTEGRATION)  ## Build the documentation into site/, without the network; a broken link fails
	NO_MKDOCS_2_WARNING=1 $(PY) -m mkdocs build --strict

bench: $(DEV)  ## Run the benchmarks
	$(PY) -m benchmarks

lock: $(DEV)  ## Renew the lock files with the newest versions that fit (UPGRADE= keeps what is pinned)
	$(PIP) install --quiet uv
	$(COMPILE) $(UPGRADE) pyproject.toml requirements-dev.in --output-file requirements-dev.lock
	$(COMPILE) $(UPGRADE) --constraint requirements-dev.lock --extra ray \
		pyproject.toml requirements-dev.in requirements-integration.in \
		--output-file requirements-integration.lock

clean:  ## Remove everything that these targets made
	rm -rf $(VENV) dist build site benchmarks/.cache htmlcov .coverage .coverage.* \
		.pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(PY):
	@if test -z '$(PYTHON)'; then \
		echo 'openrouter_async needs Python 3.11 or newer, and none was found. Name one: make PYTHON=/path/to/python3.11' >&2; exit 1; fi
	@'$(PYTHON)' -c 'import sys; sys.version_info >= (3, 11) or sys.exit("openrouter_async needs Python 3.11 or newer, and $(PYTHON) is %d.%d. Name another: make PYTHON=python3.11" % sys.version_info[:2])'
	'$(PYTHON)' -m venv $(VENV)

# The run-time package alone, so that the demo shows what a user installs.
$(RUNTIME): pyproject.toml | $(PY)
	$(PIP) install --quiet --editable .
	@touch $@

# The pinned tools, each file held to its hash; then the package itself, built with the pinned
# hatchling. Afterwards the run-time set-up is fulfilled too. The lock is whole, so nothing is to
# be resolved: older pips would ask for a hash of the newest coverage[toml] beside the pinned one.
$(DEV): requirements-dev.lock pyproject.toml | $(PY)
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements-dev.lock
	$(PIP) install --quiet --no-deps --no-build-isolation --editable .
	@touch $(RUNTIME) $@

# What is large and only some tests need: a Ray cluster, a browser's driver, other clients, the
# builder of the documentation.
$(INTEGRATION): requirements-integration.lock $(DEV)
	$(PIP) install --quiet --no-deps --require-hashes --requirement requirements-integration.lock
	@touch $@
