# Two commands: `make run` serves Touchstone, `make test` tests it. Both set themselves up.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 8000
export PORT

.PHONY: help run test lint format bench screenshots clean

help: ## list the commands
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 14

run: .venv/.run ## set up and serve on http://localhost:8000 (PORT=…); ctrl-c stops all
	@$(BIN)/python manage.py up

test: .venv/.dev ## set up and run every test that this machine can run
	@$(BIN)/python -m tests.everything

lint: .venv/.dev ## style, types and import rules
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/mypy

format: .venv/.dev ## put the code into the common format
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: .venv/.dev ## measure against floors and peers (ARGS="--sizes 1000,10000")
	@$(BIN)/python -m benchmarks $(ARGS)

screenshots: .venv/.dev ## take the pictures of the docs anew
	@$(BIN)/python -m docs.screenshots

clean: ## remove the environment; data in var/ stays
	rm -rf .venv

.venv/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Touchstone needs Python 3.11 or newer."; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "No venv module: on Debian, apt install python3-venv."; exit 1; }

.venv/.run: requirements.txt | .venv/bin/pip
	@echo "Setting up (once)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt 2>&1 | grep -v '^WARNING' || true
	@$(BIN)/python -c 'import django, celery, pyarrow' && touch $@

.venv/.dev: requirements.txt requirements-server.txt requirements-train.txt requirements-dev.txt | .venv/bin/pip
	@echo "Setting up for tests (once; torch is large)…"
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt 2>&1 | grep -v '^WARNING' || true
	@$(BIN)/python -c 'import django, pytest, torch, trl' && touch $@ .venv/.run
