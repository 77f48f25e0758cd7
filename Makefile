# Two commands from a fresh clone: `make demo` and `make test`. They need git, make and Python 3.11 or newer.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	command -v $$p >/dev/null 2>&1 && $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	&& { echo $$p; break; }; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
HERE := $(VENV)/.here

.PHONY: demo test test-quick check crash fuzz bench pages release release-check format clean

# $(1): what is installed; $(2): how long that takes.
define SET_UP
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it with make PYTHON=/path/to/python" >&2; exit 1; }
	@echo "setting up $(VENV) with $$($(PYTHON) --version) ($(2), once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '$(1)'
	@touch $@
endef

$(READY): pyproject.toml
	$(call SET_UP,.[dev],a minute)

# The program alone, without what only its tests need.
$(HERE): pyproject.toml
	$(call SET_UP,.,half a minute)

demo: $(HERE)
	@$(BIN)/alive-p2p demo

test: $(READY)
	$(BIN)/python -m pytest -n auto

test-quick: $(READY)
	$(BIN)/python -m pytest -n auto -m 'not slow and not crash'

check: $(READY)
	$(BIN)/ruff format --check src tests fuzz bench release
	$(BIN)/ruff check src tests fuzz bench release
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -n auto tests/journeys/test_docs.py tests/journeys/test_help.py

crash: $(READY)
	$(BIN)/python -m pytest -n auto -m crash tests/crash tests/attacks

FUZZ_SECONDS ?= 60
FUZZ_JOBS ?= 2
FUZZ_TARGETS ?=

fuzz: $(READY)
	@$(BIN)/python -c 'import atheris' 2>/dev/null || \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(BIN)/python -m fuzz.run --seconds $(FUZZ_SECONDS) --jobs $(FUZZ_JOBS) $(FUZZ_TARGETS)

# What is drawn from the commands: the manual page, and the outline that completion goes by.
pages: $(READY)
	$(BIN)/python -m release.pages

# Wheel and sdist of the last commit: built twice, looked into, installed and tried.
release-check:
	@$(PYTHON) -m release.check

release:
	@$(PYTHON) -m release.steps

BENCH ?= full
BENCH_PARTS ?=

# BENCH=quick; BENCH_PARTS="create receive"; BENCH_DIR chooses the disk, ALIVE_P2P_BEFORE another build to compare with.
bench: $(READY)
	$(BIN)/python -m bench.run $(if $(filter quick,$(BENCH)),--quick) $(BENCH_PARTS)

format: $(READY)
	$(BIN)/ruff format src tests fuzz bench release
	$(BIN)/ruff check --fix src tests fuzz bench release
	$(BIN)/python tests/messages/message_page.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
