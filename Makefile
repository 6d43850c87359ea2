# RLHF Lab: every target does its own set-up. `make help` lists them.
#
#   PYTHON=python3.12   the interpreter the virtual environment is made from (3.11 or newer)
#   VENV=.venv          where the virtual environment lives
#   SEED=1 ARGS="..."   passed to the demo
#   PYTEST_ARGS="..."   passed to pytest, once for all
#   LANES=2             how many folders of tests run at a time
#   WHICH=ppo           the benchmark to run (with ARGS): ppo, reward, generate, memory, gpu, store,
#                       torture, widgets, dashboard, algorithms, metrics, overoptimisation, selection
#                       or ties

SHELL       := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS   += --no-builtin-rules

PYTHON      ?= python3
VENV        ?= .venv
EXTRAS      ?= dev,dashboard,postgres,eval,notebook
ARGS        ?=
SEED        ?=
WHICH       ?=
PYTEST_ARGS ?=
LANES       ?= 2
HOST_BROWSERS := chromium chromium-browser google-chrome google-chrome-stable

py    := $(VENV)/bin/python
pip_install := $(py) -m pip install --disable-pip-version-check -q
stamp := $(VENV)/.rlhf-lab-installed
npm_stamp := widgets/node_modules/.package-lock.json

# What an installation depends on. The front-end sources are here because installing in editable
# mode runs the build hook that bundles them.
widget_sources := $(wildcard widgets/*.json widgets/*.mjs widgets/*.js widgets/*.ts) \
                  $(shell find widgets/src -type f 2>/dev/null)
install_inputs := pyproject.toml constraints.txt $(wildcard hatch_build.py) $(widget_sources) \
                  $(if $(wildcard rlhf_lab/widgets/static/ranker.js),,bundle-is-missing)

# The second holds for the build backend, too: the pinned pip, installed first, knows it.
pinned := --constraint constraints.txt --build-constraint constraints.txt

.PHONY: help
help: ## List the targets (default)
	@echo "usage: make TARGET [PYTHON=$(PYTHON)] [VENV=$(VENV)]"
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' Makefile

.PHONY: venv
venv: $(stamp) ## Make the virtual environment, pinned by constraints.txt, and the front-end bundle

$(stamp): $(install_inputs)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "PYTHON=$(PYTHON) is $$($(PYTHON) --version 2>/dev/null || echo missing); Python 3.11 or" \
	       "newer is needed: install it, and name it as in PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "$(PYTHON) has no venv module: install it first (Debian: apt-get install python3-venv)" >&2; exit 1; }
	test -x $(py) || $(PYTHON) -m venv $(VENV)
	$(pip_install) --constraint constraints.txt pip
	$(pip_install) $(pinned) -e '.[$(EXTRAS)]'
	@touch $@

.PHONY: bundle-is-missing
bundle-is-missing:

.PHONY: demo
demo: $(stamp) ## Two rounds of RLHF on the embedded model; report in runs/demo (SEED=, ARGS=)
	$(VENV)/bin/rlhf-lab demo $(if $(SEED),--seed $(SEED)) $(ARGS)

.PHONY: lab
lab: $(stamp) ## Open JupyterLab on the first notebook
	$(VENV)/bin/jupyter lab notebooks/01_first_round.ipynb

# Every folder of tests runs in a process of its own, LANES of them at a time; those that take
# longest come first, so that no processor waits for another at the end. Each has one thread of
# torch: threads that share a processor mostly wait for one another.
long_tests := $(addprefix tests/,browser notebooks lab training store)
test_folders := $(filter-out tests/__pycache__/,$(wildcard tests/*/))
test_parts := $(long_tests) $(filter-out $(long_tests),$(test_folders:%/=%)) tests/in-no-folder

.PHONY: test
test: $(stamp) $(npm_stamp) browser postgres ## Run every test: front end, Python, notebooks, browser
	npm --prefix widgets test
ifdef PYTEST_ARGS
	$(py) -m pytest $(PYTEST_ARGS)
else
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(MAKE) --no-print-directory --keep-going \
	  --jobs=$(LANES) $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) $(test_parts)
endif

.PHONY: $(test_parts)
$(test_parts):
	$(py) -m pytest $(if $(filter %/in-no-folder,$@),tests/test_*.py,$@)

.PHONY: check
check: $(stamp) $(npm_stamp) ## Lint, format, types and layers, in Python and TypeScript
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	npm --prefix widgets run check

.PHONY: bench
bench: $(stamp) ## Run one benchmark (WHICH=ppo, ARGS=--quick)
	@test -n "$(WHICH)" || { echo "usage: make bench WHICH=ppo|reward|generate|memory|gpu|store|torture|widgets|dashboard|algorithms|metrics|overoptimisation|selection|ties" >&2; exit 2; }
	$(py) -m benchmarks.$(WHICH) $(ARGS)

.PHONY: screenshots
screenshots: $(stamp) browser ## Take the pictures of widgets and dashboard from a real browser (WHICH=ranker|dashboard)
	$(if $(filter-out dashboard,$(or $(WHICH),all)),$(py) -m tests.browser.screenshots $(filter-out dashboard,$(WHICH)))
	$(if $(filter dashboard,$(or $(WHICH),dashboard)),$(py) -m tests.browser.dashboard_screenshots)

# npm writes its stamp itself. Say what is missing where it is.
$(npm_stamp): $(wildcard widgets/package.json widgets/package-lock.json)
	@command -v npm >/dev/null || { echo "npm is missing: install Node 20 or newer" >&2; exit 1; }
	npm --prefix widgets ci --no-audit --no-fund
	@touch $@

# A Chromium of the system. Without one, root on a Debian installs it; others are told how. Tests
# decide for themselves what a missing browser means: a skip at home, a failure in CI.
.PHONY: browser
browser:
	@for name in $(HOST_BROWSERS); do \
	  if command -v $$name >/dev/null; then exit 0; fi; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends chromium fonts-dejavu-core; \
	else \
	  echo "no Chromium found: install chromium or google-chrome for the browser tests" >&2; \
	fi

# The same for a PostgreSQL server, whose programs Debian keeps off the PATH. Tests start one of
# their own, on a free loopback port with a throw-away directory.
.PHONY: postgres
postgres:
	@if command -v postgres >/dev/null || ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1; then \
	  exit 0; \
	fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  apt-get update -q; \
	  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends postgresql; \
	else \
	  echo "no PostgreSQL server found: install postgresql for the tests that need one" >&2; \
	fi

.PHONY: clean
clean: ## Remove the environment, the bundle and all caches (labs under runs/ stay)
	rm -rf $(VENV) widgets/node_modules build dist .coverage htmlcov test-results \
	  .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	rm -f rlhf_lab/widgets/static/*.js rlhf_lab/widgets/static/*.css
	find rlhf_lab tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
