# Two commands do all the set-up: `make quickstart` and `make test`. Each makes the virtual
# environment when there is none, and brings it up to date when what it holds has changed.

.DEFAULT_GOAL := help
.PHONY: help venv quickstart test check fix bench clean

VENV ?= .venv
# The Pythons to look for; `make test PYTHON=/opt/python/bin/python3` names one.
PYTHON ?=
PYTHONS := $(if $(PYTHON),$(PYTHON),python3.11 python3.12 python3.13 python3.14 python3 python)
# Passed on to the command that the target runs: make test ARGS="tests/packing -x"
ARGS ?=

BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# Debian ships a Python whose venv lacks ensurepip, and pyenv shims that only print an error.
CAN_VENV := import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))
IS_VENV := import pip, sys; sys.exit(sys.version_info < (3, 11) or sys.prefix == sys.base_prefix)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

venv: $(INSTALLED) ## set up .venv with the tested versions

$(INSTALLED): pyproject.toml constraints.txt
	@if ! "$(BIN)/python" -c '$(IS_VENV)' >/dev/null 2>&1; then \
	  found=; \
	  for python in $(PYTHONS); do \
	    if "$$python" -c '$(CAN_VENV)' >/dev/null 2>&1; then found=$$python; break; fi; \
	  done; \
	  if [ -z "$$found" ]; then \
	    echo "make: no Python 3.11 or newer that can make a virtual environment (tried: $(PYTHONS));" \
	      "install one (on Debian and Ubuntu also python3-venv)," \
	      "or name it: make $(or $(firstword $(MAKECMDGOALS)),venv) PYTHON=/path/to/python" >&2; \
	    exit 2; \
	  fi; \
	  echo "Setting up $(VENV) with $$("$$found" --version)"; \
	  clear=; if [ -f "$(VENV)/pyvenv.cfg" ]; then clear=--clear; fi; \
	  "$$found" -m venv $$clear "$(VENV)" || exit; \
	fi
	@echo "Installing the tested versions into $(VENV); torch takes the longest"
	@quiet=--quiet; if [ -t 1 ]; then quiet=; fi; \
	"$(BIN)/python" -m pip install $$quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch "$@"

quickstart: $(INSTALLED) ## the whole story on built-in synthetic faces, in minutes
	"$(BIN)/pae" quickstart $(ARGS)

# --maxprocesses: every worker holds torch, some 300 MB.
test: $(INSTALLED) ## all tests, on all cores
	"$(BIN)/python" -m pytest --numprocesses=auto --maxprocesses=8 --dist=worksteal $(ARGS)

check: $(INSTALLED) ## lint, format, types, imports: changes nothing
	"$(BIN)/ruff" check
	"$(BIN)/ruff" format --check
	"$(BIN)/mypy"
	"$(BIN)/lint-imports" --no-logo

fix: $(INSTALLED) ## what ruff can mend by itself
	"$(BIN)/ruff" check --fix-only
	"$(BIN)/ruff" format

bench: $(INSTALLED) ## what tasks cost to run together and to learn
	"$(BIN)/pae" bench speed $(ARGS)

clean: ## remove the virtual environment, caches and builds
	rm -rf .venv .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache build dist
	find src tests -name __pycache__ -prune -exec rm -rf {} +
