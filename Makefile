# Everything starts here: `make run` for the default study, `make test` for the tests.
# Needs make and Python 3.11 or newer; all else is installed into .venv.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The first of these that is new enough makes the environment.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
CORES ?= all
ARGS ?=

VENV := .venv
EXTRAS := tblite,dev
PIP_INSTALL := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check

# The stamp holds the directory that the environment was made for, and is written last: an environment
# that is half-made, was moved with its clone or has lost its interpreter is made anew.
STAMP := $(VENV)/.complete
ifneq ($(CURDIR),$(shell { $(VENV)/bin/python -c '' && cat $(STAMP); } 2>/dev/null))
  $(shell rm -f $(STAMP))
endif

define FIND_PYTHON
for python in $(PYTHON) none; do \
    $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
done; \
test $$python != none || { \
    echo "error: no Python 3.11 or newer among: $(PYTHON); name one: make env PYTHON=..." >&2; exit 1; }
endef

export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: help
help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: env
env: $(STAMP) ## Create or update the environment in .venv

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (about a minute)"
	@if test -f $@; then rm $@; else $(FIND_PYTHON); $$python -m venv --clear $(VENV); fi
	@$(PIP_INSTALL) --constraint constraints.txt --editable '.[$(EXTRAS)]'
	@printf '%s\n' '$(CURDIR)' > $@

.PHONY: run
run: $(STAMP) ## Run the study of config/config.yaml (CORES=all, ARGS=...)
	snakemake --cores $(CORES) $(ARGS)

.PHONY: test
test: $(STAMP) ## Run the tests but the slow ones (ARGS=...)
	pytest $(ARGS)

.PHONY: test-slow
test-slow: $(STAMP) ## Run the slow tests
	pytest -m slow $(ARGS)

.PHONY: fuzz
fuzz: $(STAMP) ## Try some 80,000 random hostile inputs (half an hour; table in docs/reliability.md)
	python -m benchmarks.faults.fuzz $(ARGS)

.PHONY: faults
faults: $(STAMP) ## Kill, fill, damage a study in many ways (half an hour; table in docs/reliability.md)
	python -m benchmarks.faults $(ARGS)

.PHONY: bench
bench: $(STAMP) ## Measure all figures about speed and accuracy (DATA=..., hours); see benchmarks/README.md
	cd benchmarks && $(MAKE) env all $(if $(DATA),DATA='$(abspath $(DATA))')

.PHONY: coverage
coverage: $(STAMP) ## Run the tests and list the lines of mlip_core that none reaches
	pytest --cov $(ARGS)

.PHONY: mutation
mutation: $(STAMP) ## Change losses, statistics and metrics; does a test fail? (minutes; ARGS="metrics --jobs 4")
	python -m tests.mutation $(ARGS)

.PHONY: lint
lint: $(STAMP) ## Check style, types and the workflow
	ruff check
	ruff format --check
	snakefmt --check Snakefile workflow
	snakemake --lint
	mypy

.PHONY: docs
docs: $(STAMP) ## Build the documentation site in build/docs; a warning is an error
	sphinx-build --fail-on-warning --keep-going --quiet --builder html docs build/docs

.PHONY: format
format: $(STAMP) ## Format the code
	ruff check --fix-only --quiet
	ruff format
	snakefmt Snakefile workflow

.PHONY: constraints
constraints: ## Pin the newest versions of all packages in constraints.txt; test before you commit
	@set -e; $(FIND_PYTHON); \
	scratch=$$(mktemp -d); trap 'rm -rf "$$scratch"' EXIT; \
	$$python -m venv "$$scratch"; \
	"$$scratch/bin/pip" install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'; \
	{ sed -n '/^#/p' constraints.txt; \
	  "$$scratch/bin/pip" freeze --exclude-editable | LC_ALL=C sort --ignore-case; } > "$$scratch/pins"; \
	cp "$$scratch/pins" constraints.txt

.PHONY: clean
clean: ## Remove caches and the environment; results stay
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .coverage* build dist
	find . -path ./results -prune -o -name __pycache__ -type d -print -prune | xargs rm -rf
