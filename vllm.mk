# A vLLM server on this machine's CPU, in an environment of its own, and the tests against it.

VLLM_PYTHON ?= $(PYTHON)
VLLM_VENV := .venv-vllm
VLLM_BIN := $(VLLM_VENV)/bin
# For the torch of requirements/vllm.lock. In a folder of its own, which the tests with images put
# on the path: servers of texts start without it.
TORCHVISION_VERSION := 0.28.0

.PHONY: vllm-env test-vllm clean-vllm

vllm-env: $(VLLM_VENV)/env.done  ## Make the environment of a vLLM server on the CPU

test-vllm: $(VENV)/dev.done $(VLLM_VENV)/env.done  ## Test the vLLM backends against real servers
	TRAJSIM_TEST_VLLM_PYTHON=$(abspath $(VLLM_BIN))/python $(BIN)/python -m pytest tests/vllm

clean-vllm:  ## Remove the environment of the vLLM server
	rm -rf $(VLLM_VENV)

$(VLLM_BIN)/python:
	@$(VLLM_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || \
	  { echo "the CPU build of vLLM needs Python 3.11; give it with: make VLLM_PYTHON=python3.11" >&2; exit 1; }
	$(VLLM_PYTHON) -m venv $(VLLM_VENV)

$(VLLM_VENV)/env.done: requirements/vllm.lock | $(VLLM_BIN)/python
	$(VLLM_BIN)/python -m pip install --quiet --no-deps --retries 2 \
	  $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch==$(TORCH_VERSION)
	$(VLLM_BIN)/python -m pip install --quiet --no-deps -r requirements/vllm.lock
	$(VLLM_BIN)/python -m pip install --quiet --no-deps --upgrade --target $(VLLM_VENV)/vision \
	  torchvision==$(TORCHVISION_VERSION)
	@touch $@
