# Work on many machines, tried on a Ray cluster of this one; included by the Makefile.

.PHONY: test-ray

test-ray: $(VENV)/dev.done  ## Test jobs on a local Ray cluster of two machines, of which one is lost
	$(BIN)/python -m pytest tests/ray -m ray
