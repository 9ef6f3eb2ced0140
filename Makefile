# The two commands of a newcomer are `make demo` and `make test`; each sets up what it needs.
#
# Everything lives in .venv of this checkout. Its one input from outside is a Python >= 3.11
# (PYTHON=... picks one) and a Rust toolchain; scripts/environment.py says what is missing.
# .venv/.made stands for "the environment is there", .venv/.installed for "momus and all it
# needs are in it, and the engine is compiled from the sources as they are now".

VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
# Tests raise clusters and wait for them; more of them at a time would only wait for each other.
TEST_WORKERS ?= 2
DEMO_ARGS ?=
BENCH_ARGS ?=
FUZZ_SECONDS ?= 600
FUZZ_TARGETS ?=

ENGINE := engine/Cargo.toml engine/Cargo.lock $(shell find engine/src -name '*.rs')
LINTERS := lint-style lint-format lint-types lint-imports lint-rustfmt lint-clippy test-rust
ROOMS := checker cluster engine generators histories momus nemesis reports simulation

# The engine's bindings are compiled against one Python, or cargo compiles them again and again.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint format bench fuzz wheel clean $(LINTERS)

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# A named PYTHON is taken or refused; else the first that is new enough. pyenv's shims exist
# also for versions that do not start, so each is tried rather than looked up.
$(VENV)/.made: scripts/environment.py
	@found=; \
	for p in $(if $(PYTHON),"$(PYTHON)",python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3); do \
	  if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    found=$$p; break; fi; \
	done; \
	if [ -z "$$found" ]; then \
	  echo "momus set-up: $(if $(PYTHON),$(PYTHON) is no Python >= 3.11,no Python >= 3.11 on PATH)" >&2; \
	  echo "  try: install one and name it: make PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	"$$found" scripts/environment.py $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  'pip>=23' 'setuptools>=77' 'setuptools-rust>=1.11' 'wheel>=0.43'
	@touch $@

# Without build isolation: the tools are in the environment already, so a changed Rust file
# costs its compilation and nothing else.
$(VENV)/.installed: $(VENV)/.made setup.cfg pyproject.toml $(ENGINE)
	@echo "momus set-up: installing into $(VENV) and compiling the engine (a few minutes at first)"
	@rm -f engine/_native*.so
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
	  --editable '.[etcd,dev]'
	@touch $@

setup: $(VENV)/.installed ## make .venv with everything in it

demo: setup ## etcd under faults, judged twice: about a minute
	$(BIN)/momus demo $(DEMO_ARGS)

test: setup ## the tests; PYTEST_ARGS="tests/checker -x" for some
	$(BIN)/python -m pytest -n $(TEST_WORKERS) $(PYTEST_ARGS)

lint: $(LINTERS) ## ruff, mypy --strict, import-linter, rustfmt, clippy, cargo test; -k for all

$(LINTERS): setup
lint-style:
	$(BIN)/ruff check .
lint-format:
	$(BIN)/ruff format --check .
lint-types:
	$(BIN)/mypy
lint-imports:
	$(BIN)/lint-imports
lint-rustfmt:
	cargo fmt --manifest-path engine/Cargo.toml --check
lint-clippy:
	cargo clippy --manifest-path engine/Cargo.toml --locked --all-targets -- -D warnings
	cargo clippy --manifest-path engine/fuzz/Cargo.toml --locked --lib -- -D warnings
test-rust:
	cargo test --manifest-path engine/Cargo.toml --locked --quiet

format: setup ## rewrite the sources in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	cargo fmt --manifest-path engine/Cargo.toml

bench: setup ## compare with Porcupine in one run (needs Go)
	$(BIN)/python -m bench $(BENCH_ARGS)

fuzz: setup ## look for inputs that break readers or search; FUZZ_SECONDS=3600
	$(BIN)/python engine/fuzz/fuzz.py --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

wheel: setup ## dist/momus-*.whl, for any CPython >= 3.11
	rm -rf build dist
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps \
	  --no-build-isolation --wheel-dir dist .
	@ls dist

clean: ## remove what make made here; stored runs stay
	rm -rf $(VENV) build dist momus.egg-info engine/target engine/fuzz/target engine/*.so \
	  .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find $(ROOMS) tests scripts bench -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true
