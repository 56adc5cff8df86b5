# Every causal architecture of the installed transformers, tiny; included by the Makefile.

.PHONY: zoo

zoo: $(VENV)/dev.done  ## Hold every architecture of transformers against plain readings
	$(BIN)/python -m benchmarks.zoo
