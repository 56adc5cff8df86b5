# The service's longer tests and measurements; included by the Makefile.

CLIENTS_BIN := .venv-clients/bin

.PHONY: loadtest test-service-slow test-clients

loadtest: $(VENV)/dev.done  ## Throughput and latency of the service at 1 to 64 clients
	$(BIN)/python -m benchmarks.loadtest

test-service-slow: $(VENV)/dev.done  ## The service's slow tests: soak, all of schemathesis, browser
	$(BIN)/python -m pytest tests/service -m slow -s

test-clients: $(VENV)/run.done .venv-clients/env.done  ## Test the service with the client libraries of other servers
	TRAJSIM_TEST_SERVICE_PYTHON=$(abspath $(BIN))/python $(CLIENTS_BIN)/python -m pytest \
	  -c tests/clients/pytest.ini --confcutdir tests/clients tests/clients

.venv-clients/env.done: requirements/clients.txt | $(VENV)/bin/python
	$(PYTHON) -m venv .venv-clients
	$(CLIENTS_BIN)/python -m pip install --quiet --retries 2 -r $<
	@touch $@
