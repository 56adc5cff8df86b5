# The site of the documentation, in an environment of its own; included by the Makefile.

DOCS_VENV := .venv-docs
DOCS_BIN := $(DOCS_VENV)/bin
SITE := build/site

.PHONY: docs serve-docs links

docs: $(VENV)/dev.done $(DOCS_VENV)/done  ## Build the site of the documentation in build/site
	$(BIN)/python -m docsite.reference
	NO_MKDOCS_2_WARNING=1 $(DOCS_BIN)/mkdocs --quiet build --strict --site-dir $(SITE)
	@echo "open $(SITE)/index.html, or make serve-docs" >&2

serve-docs: docs  ## Serve the site on 127.0.0.1:8001
	$(DOCS_BIN)/python -m http.server --directory $(SITE) --bind 127.0.0.1 8001

links: $(VENV)/dev.done  ## Look for dead links in the documentation, without a network
	$(BIN)/python -m docsite.check

$(DOCS_VENV)/done: requirements/docs.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(DOCS_VENV)
	$(DOCS_BIN)/python -m pip install --quiet --no-deps -r requirements/docs.txt
	@touch $@
