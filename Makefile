# The one way in: make run, make test. Needs Python 3.11 or newer and nothing else; scripts/prepare.py does the rest.
SHELL := /bin/sh
PYTHON := .venv/bin/python
# The first interpreter that is new enough, named on the command line or found: make PYTHON3=/opt/python3.12 run
PYTHON3 ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo "$$p" && break; done)

.PHONY: help setup run test lint bench campaign clean

help:
	@echo 'make run       set up, start everything on the sandbox, print the address'
	@echo 'make test      set up, lint, check types and imports, run every test'
	@echo 'make lint      check style, types and imports only'
	@echo 'make bench     print the benchmark table'
	@echo 'make campaign  run the long fault campaigns'
	@echo 'make setup     only set up .venv; a second time it is instant'
	@echo 'make clean     remove .venv and the caches'

setup:
	@test -n '$(PYTHON3)' || { echo 'Python 3.11 or newer is needed, and none was found on the PATH.' >&2; exit 1; }
	@'$(PYTHON3)' scripts/prepare.py

run: setup
	@exec $(PYTHON) -m dashboard run

# The browser is fetched while the linters run.
test: setup
	@$(PYTHON) scripts/run_tests.py --only-install & fetching=$$!; \
	$(MAKE) --no-print-directory lint; linted=$$?; wait $$fetching; exit $$linted
	@exec $(PYTHON) scripts/run_tests.py

lint: setup
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m mypy
	.venv/bin/lint-imports

bench: setup
	@exec $(PYTHON) -m benchmarks

campaign: setup
	@OPS_CAMPAIGN=full exec $(PYTHON) -m pytest -m campaign -o timeout=3600

clean:
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
