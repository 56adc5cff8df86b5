# The service's longer tests and measurements; included by the Makefile.

.PHONY: loadtest test-service-slow

loadtest: $(VENV)/dev.done  ## Throughput and latency of the service at 1 to 64 clients
	$(BIN)/python -m benchmarks.loadtest

test-service-slow: $(VENV)/dev.done  ## The service's slow tests: soak, all of schemathesis, browser
	$(BIN)/python -m pytest tests/service -m slow -s
