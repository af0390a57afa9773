# `make demo` and `make test` do all their own set-up on a fresh Debian 12.
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench fuzz lock setup clean help

help:  ## list what can be made
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*##/\t/'

setup: $(STAMP)  ## virtual environment with the locked dependencies

$(STAMP): requirements/dev.lock pyproject.toml
	@bash tools/setup.sh $(VENV)
	@touch $@

demo: setup  ## the whole story on this machine
	@echo "setting up: compiling examples/http-hello from C (the first time takes a while)"
	@$(BIN)/python examples/build.py http-hello >/dev/null
	@$(BIN)/enarx demo

test: setup  ## every test
	@$(BIN)/python -m pytest -q $(ARGS)

check: setup  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## one JSON object a line; ONLY=NAME runs one
	@$(BIN)/python -m bench $(ONLY)

fuzz: setup  ## every fuzz target for SECONDS_EACH (60) seconds
	@for target in $$(grep -l "^def target(" fuzz/*.py); do $(BIN)/python $$target $(or $(SECONDS_EACH),60) || exit 1; done

lock: $(VENV)/bin/uv  ## refresh requirements/*.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-header --extra cli --extra keep --extra serve --extra postgres pyproject.toml -o requirements/run.lock
	$(BIN)/uv pip compile -q --upgrade --generate-hashes --no-emit-index-url --no-header --all-extras pyproject.toml -o requirements/dev.lock

$(VENV)/bin/uv: setup

clean:  ## remove what the other targets made
	rm -rf $(VENV) build
