# Every target sets up what it needs; the stamp files make that a one-time cost.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := harbour_async tests benchmarks examples docs
# One more than two cores: many tests wait for a process or a socket.
WORKERS := 3
EXTRAS := .[cli,dlt,otel,parquet,redis]

.DEFAULT_GOAL := help
.PHONY: help demo test coverage lint bench docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.cli ## start the sandbox, stream from it through the client, print a summary
	@$(BIN)/harbour demo

test: $(VENV)/.dev ## run all tests, and print how much of the package they run
	@mkdir -p build && rm -f build/coverage*
	$(BIN)/python -m coverage run -m pytest -n $(WORKERS) --dist worksteal
	@$(BIN)/python -m coverage combine -q
	@printf 'coverage: %s %%, subprocesses included (what is missing: make coverage)\n' \
		"$$($(BIN)/python -m coverage report --format=total --fail-under=0)"

coverage: $(VENV)/.dev ## print what the last `make test` did not run
	$(BIN)/python -m coverage report

lint: $(VENV)/.dev ## ruff, mypy (strict), and types of all public names
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	@$(BIN)/python -m tests.documents build/examples
	$(BIN)/mypy build/examples examples docs
	$(BIN)/basedpyright --pythonpath $(BIN)/python --level error build/examples examples tests/typing_user.py
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/basedpyright --verifytypes harbour_async \
		--ignoreexternal >$(VENV)/types.txt || { cat $(VENV)/types.txt; exit 1; }
	@grep score $(VENV)/types.txt

bench: $(VENV)/.bench ## measure, print ratios, draw the plots
	$(BIN)/python -m benchmarks

docs: $(VENV)/.dev ## build the documentation site, build/docs/index.html
	$(BIN)/python -m sphinx -q --fail-on-warning --keep-going docs build/docs
	@echo "build/docs/index.html"

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or later is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.cli: pyproject.toml | $(VENV)/bin/python
	@echo "setting up (once) ..." >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[cli]'
	@touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	@echo "setting up (once) ..." >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '$(EXTRAS)' --group dev
	@touch $@

$(VENV)/.bench: pyproject.toml | $(VENV)/bin/python
	@echo "setting up (once) ..." >&2
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '$(EXTRAS)' --group bench
	@touch $@

clean: ## remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis demo-output
