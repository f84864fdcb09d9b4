# `make help` explains. Needs Python 3.11+ with venv, and nothing else: the rest goes into .venv.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
STAMP := $(VENV)/.requirements
PYTEST_ARGS ?=
# A file is dealt out whole, so that one file alone needs no workers, and starts sooner without. They are one more than
# the cores of CI: a quarter of their time they wait for engines, a broker and a browser.
WORKERS := $(if $(filter 1,$(words $(foreach each,$(PYTEST_ARGS),$(findstring .py,$(each))))),0,3)
LOCK := --quiet --upgrade --generate-hashes --strip-extras --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links
CODE := layers functions deploy local tests
RULES_TESTS := tests/unit/test_classify_rules.py tests/unit/test_classify_wordings.py
# The layer is used from its folder, as SAM builds it from there.
export PYTHONPATH := $(CURDIR)/layers/aftersend
export SAM_CLI_TELEMETRY := 0
export CUSTOM_COMPILE_COMMAND := make lock

.DEFAULT_GOAL := help
.PHONY: help setup demo test rules simulate simulate-faults check fmt build deploy bench bench-classify pictures lock clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## make .venv with everything that is needed (the others do so by themselves)

# Without --no-deps, older versions of pip ask for a hash of `name[extra]`, which nobody can pin; `pip check` says
# whether anything is missing.
$(STAMP): requirements-dev.txt layers/aftersend/requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=…")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --no-deps --require-hashes --requirement requirements-dev.txt
	$(PIP) check
	touch $@

demo: $(STAMP) ## run the whole stack on this machine, without AWS, and show what comes out
	$(BIN)/python -m local demo

test: $(STAMP) ## run all tests that this machine allows; skipped ones say why (PYTEST_ARGS="-k name")
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(PYTEST_ARGS)

# Without plugins and what other tests need, it starts in a fraction of a second.
rules: $(STAMP) ## test the shipped rules alone, in seconds: their examples, and every wording beside them
	PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 $(BIN)/python -m pytest -q --noconftest $(RULES_TESTS)

simulate: $(STAMP) ## play a history under one seed, with faults, in several orders (SEED=1 EVENTS=40)
	PYTHONPATH="$(PYTHONPATH):$(CURDIR)" $(BIN)/python -m tests.simulation $(or $(SEED),1) $(or $(EVENTS),40)

simulate-faults: $(STAMP) ## plant each of a list of faults, and say which seed finds it
	PYTHONPATH="$(PYTHONPATH):$(CURDIR)" $(BIN)/python -m tests.simulation faults

check: $(STAMP) ## look for mistakes without running anything: style, types, template
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(CODE)
	AWS_DEFAULT_REGION=eu-west-1 $(BIN)/sam validate --lint

fmt: $(STAMP) ## format the code
	$(BIN)/ruff check --fix --quiet . || true
	$(BIN)/ruff format .

build: $(STAMP) samconfig.toml ## build what `sam deploy` deploys, with what deploy.toml says
	$(BIN)/python -m deploy build

deploy: $(STAMP) samconfig.toml ## check deploy.toml, show what changes for whom, ask, build, deploy (DEPLOY_ARGS=--yes)
	$(BIN)/python -m deploy deploy $(DEPLOY_ARGS)

# `sam deploy --guided` writes its answers into samconfig.toml, so that is yours, and git knows the example alone.
samconfig.toml:
	cp samconfig.example.toml $@

bench: $(STAMP) ## measure: parsing, writing, exports, cold start, checks by the API, contention, money
	$(BIN)/python -m tests.bench

bench-classify: $(STAMP) ## measure how well refusals and bounce mails are judged (CORPUS=folder)
	AFTERSEND_CORPUS="$(abspath $(CORPUS))" $(BIN)/python -m tests.bench classify_corpus mails_corpus

pictures: $(STAMP) ## take the pictures of the console in docs/pictures (needs Chromium)
	PYTHONPATH="$(PYTHONPATH):$(CURDIR)" $(BIN)/python -m tests.support.pictures

lock: $(STAMP) ## upgrade requirements and their hashes: layers/aftersend/requirements.in, requirements-dev.in
	$(BIN)/pip-compile $(LOCK) -o layers/aftersend/requirements.txt layers/aftersend/requirements.in
	$(BIN)/pip-compile $(LOCK) -o requirements-dev.txt requirements-dev.in

clean: ## remove what was made, .venv and caches too
	rm -rf $(VENV) .aws-sam .cache .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
