# A release: wheel and sdist; included by the Makefile.

.PHONY: release

release: $(VENV)/dev.done  ## Build wheel and sdist into dist; make test-deploy tries them
	rm -rf dist
	$(BIN)/hatchling build
	@ls dist >&2
