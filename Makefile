# What one does with a checkout. Everything goes into .venv; nothing is installed again unless
# pyproject.toml or the pins changed. On Windows without make, see .github/workflows/ci.yml.

PYTHON ?= python3
WORKERS ?= 2
ARGS ?=

VENV := .venv
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
else
BIN := $(VENV)/bin
endif
PY := $(BIN)/python
PIP := $(PY) -m pip --quiet --disable-pip-version-check --no-input install
CORE := $(VENV)/.core-installed
DEV := $(VENV)/.dev-installed
COMPILE := env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 \
	--generate-hashes --no-annotate --custom-compile-command "make constraints"

.DEFAULT_GOAL := help
.PHONY: help demo install test lint format bench docs constraints clean

help:
	@echo "make demo         try dvcs on a small dataset (needs Python 3.11 or newer only)"
	@echo "make install      install dvcs and everything its tests need into .venv"
	@echo "make test         run all tests: WORKERS=2, ARGS='tests/test_model.py -k name'"
	@echo "make lint         ruff check, ruff format --check, mypy"
	@echo "make format       let ruff format and fix what it can"
	@echo "make bench        run the benchmarks: ARGS='--help' shows which"
	@echo "make docs         write the generated pages of docs/ anew"
	@echo "make constraints  pin the newest versions: constraints.txt, requirements/core.txt"
	@echo "make clean        remove .venv, caches and build products"

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("dvcs needs Python 3.11 or newer; try: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml requirements/core.txt | $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes -r requirements/core.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV): pyproject.toml constraints.txt | $(VENV)/pyvenv.cfg
	$(PIP) --require-hashes -r constraints.txt
	$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@ $(CORE)

demo: $(CORE)
	$(BIN)/dvcs demo $(ARGS)

install: $(DEV)

test: $(DEV)
	$(PY) -m pytest -n $(WORKERS) $(ARGS)

lint: $(DEV)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: $(DEV)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix

bench: $(DEV)
	$(PY) benchmarks/run.py $(ARGS)

docs: $(DEV)
	$(PY) tools/generate_docs.py $(ARGS)
	$(PY) tools/make_picture.py $(ARGS)

# uv resolves for every platform and Python version at once and takes the hashes of all files that
# PyPI offers; it reads no pip configuration, and the variables that could point it elsewhere are
# cleared, so no other index leaves a trace. It comes alone: the old pins may not resolve any more.
constraints: | $(VENV)/pyvenv.cfg
	@test -x $(BIN)/uv || $(PIP) uv
	$(COMPILE) --upgrade --extra dev --group build -o constraints.txt pyproject.toml
	$(COMPILE) --constraint constraints.txt --group build -o requirements/core.txt pyproject.toml

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find dvcs tests tools benchmarks -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
