# Needs Python >= 3.11, make and a package index; `make e2e` also builds real servers.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_OUT ?= demo-out
DEMO_ARGS ?=
BENCH_ARGS ?=
FUZZ_SECONDS ?= 60

.PHONY: sanitize help environment setup demo test check format docs e2e fuzz lowest bench lock

help: ## Show the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

define CHECK_PYTHON
complain() { echo "make: $(PYTHON) $$1" >&2; exit 1; }; \
name="or name one: make PYTHON=/path/to/python3.11 ..."; \
command -v $(PYTHON) >/dev/null 2>&1 || complain "was not found. Install Python 3.11 or later, $$name"; \
$(PYTHON) -c '' >/dev/null 2>&1 || complain "does not run. Install Python 3.11 or later, $$name"; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || complain "is older than Python 3.11. Install a later one, $$name"; \
$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || complain "cannot make environments. On Debian and Ubuntu install python3-venv"
endef

# What the stamps of an environment say that is missing or half-made is not true.
$(shell test -x $(BIN)/python -a -x $(BIN)/pip || rm -f $(VENV)/demo.stamp $(VENV)/dev.stamp)

# Only a missing or half-made environment needs an interpreter from outside.
environment:
	@test -x $(BIN)/python -a -x $(BIN)/pip || { $(CHECK_PYTHON); $(PYTHON) -m venv $(VENV); }

PIP_INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps
NOT_INSTALLED = { echo "make: pip could not install the packages of $@; what it said is above. It needs a package index." >&2; exit 1; }

# What is compiled when the package is installed.
NATIVE := $(wildcard tools/build_native.py agentnet_otel/sources/native/*.[ch])

# The locks name every package, so nothing is left to resolve (an old pip refuses extras it meets while resolving).
# A stamp is older than what it was made from, or missing: then the environment is brought up to date.
$(VENV)/demo.stamp: requirements.lock pyproject.toml $(NATIVE) | environment
	@echo "==> environment for the demo in $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements.lock || $(NOT_INSTALLED)
	@$(PIP_INSTALL) --no-build-isolation -e . || $(NOT_INSTALLED)
	@$(BIN)/python -m compileall -q agentnet_otel # as pip does with packages that it copies: commands start sooner
	@touch $@

$(VENV)/dev.stamp: requirements-dev.lock $(VENV)/demo.stamp
	@echo "==> test tools in $(VENV)"
	@$(PIP_INSTALL) --require-hashes -r requirements-dev.lock || $(NOT_INSTALLED)
	@touch $@

setup: $(VENV)/dev.stamp ## Make the environment .venv with everything that tests and checks need
	@echo "==> $(VENV) is ready"

demo: $(VENV)/demo.stamp ## Run agents, and turn their spans into a verdict and a report
	@$(BIN)/agentnet-otel demo --out $(DEMO_OUT) $(DEMO_ARGS)

test: $(VENV)/dev.stamp ## Run the tests on every supported Python of this machine
	@$(BIN)/python tools/run_tests.py

check: $(VENV)/dev.stamp ## Format, lint (each test says what holds: D103), types, import contracts, generated pages, locks
	@echo "==> format"; $(BIN)/ruff format --check .
	@echo "==> lint"; $(BIN)/ruff check .
	@echo "==> types"; $(BIN)/mypy && $(BIN)/mypy tests/typing
	@echo "==> import contracts"; $(BIN)/lint-imports
	@echo "==> pages made from the code"; $(BIN)/python tools/make_docs.py --check && $(BIN)/python tools/make_prometheus_rule.py --check
	@echo "==> locks"; $(BIN)/python tools/lock.py --check

format: $(VENV)/dev.stamp ## Format the code and fix what can be fixed
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

docs: $(VENV)/dev.stamp ## Write the pages that are made from the code
	@$(BIN)/python tools/make_docs.py && $(BIN)/python tools/make_prometheus_rule.py

e2e: $(VENV)/dev.stamp ## Run the tests against real servers, which Go builds once
	@$(BIN)/python tools/build_servers.py > /dev/null || [ "$$CI" != true ] # without them the tests say why they cannot run
	@echo "==> end to end"
	@$(BIN)/pytest -q -m e2e -n 2 --dist loadfile --durations 10

fuzz: $(VENV)/dev.stamp ## Feed every decoder with what chance makes of the corpus, for FUZZ_SECONDS
	@$(BIN)/python tests/fuzz/driver.py --seconds $(FUZZ_SECONDS)

sanitize: $(VENV)/dev.stamp ## Run the tests of what is written in C under the sanitizers
	@$(BIN)/python -m tools.sanitize_native

lowest: $(VENV)/dev.stamp ## Run the quick tests with the lowest allowed version of each direct dependency
	@echo "==> lowest allowed versions in .venvs/lowest"
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python .venvs/lowest
	@$(BIN)/uv pip install --quiet --python .venvs/lowest --resolution lowest-direct -e '.[all]' --group dev
	@.venvs/lowest/bin/python -m pytest -q -p no:cacheprovider -m "not e2e and not slow"

bench: $(VENV)/dev.stamp ## Measure what the performance claims rest on
	@for script in benchmarks/bench_*.py; do echo "==> $$script"; $(BIN)/python $$script $(BENCH_ARGS) || exit 1; done

lock: $(VENV)/dev.stamp ## Bring the lock files up to date
	@$(BIN)/python tools/lock.py
