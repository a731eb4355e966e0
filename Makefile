# Everything a newcomer needs; `make` alone says what there is. No target asks for root or Docker.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.complete
# Every worker imports all tests and a stack is twenty processes: what the first has compiled the others read.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest
# Where all tests of whole stacks and of browsers are; importing the others takes each worker longer than a test.
SLOW := $(addprefix trade_pipeline_tests/,cli runtime stack)

.DEFAULT_GOAL := help
.PHONY: help setup up demo test test-quick test-stacks lint format lock clean

help:
	@echo "make up     start everything and show a live status; Ctrl-C stops it"
	@echo "make demo   start, wait for the first fill, print its story, stop"
	@echo "make test   the whole test suite"
	@echo "make setup  only the environment, in $(VENV)"
	@echo "make lint   ruff, mypy, import contracts"

setup: $(STAMP)

# pip would compile on one processor. What cannot be compiled are packages' files for other Pythons.
$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' 2>/dev/null \
		|| { echo "Python 3.11, 3.12 or 3.13 is needed and $(PYTHON) is not one; name it with: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
		|| { echo "The environment cannot be made; on Debian and Ubuntu install the package python3-venv." >&2; exit 2; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $(STAMP)

up: $(STAMP)
	@$(BIN)/trade-pipeline up $(ARGS)

demo: $(STAMP)
	@$(BIN)/trade-pipeline demo $(ARGS)

# What starts a whole stack or a browser runs after the rest: it waits more than it computes, and is waited for.
test: $(STAMP)
	@rm -f .coverage .coverage.*
	$(MAKE) --no-print-directory test-quick
	$(MAKE) --no-print-directory test-stacks
	$(BIN)/python -m coverage report --skip-covered --skip-empty --fail-under=85

test-quick: $(STAMP)
	$(PYTEST) -n 4 --dist worksteal -m "not stack and not browser" --cov --cov-report=

test-stacks: $(STAMP)
	$(PYTEST) -n 4 --dist loadscope --no-loadscope-reorder -m "stack or browser" $(SLOW) --cov --cov-append --cov-report=

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The lock names versions and hashes, never where they were found.
lock: $(STAMP)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-strip-extras \
		--no-annotate --extra dev --custom-compile-command "make lock" \
		pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage .coverage.* build
