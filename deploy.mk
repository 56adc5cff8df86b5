# Deployment: checks of its files, tests in a clean system, bill of materials, audit; included by
# the Makefile.

DEPLOY_VENV := .venv-deploy
DEPLOY_BIN := $(DEPLOY_VENV)/bin
IMAGE_VENV := build/image
# Of the Prometheus operator's kinds, which are no part of Kubernetes's own schemas.
OPERATOR_MODELS := @kubernetes-models/prometheus-operator@6.0.0

PINNED := docker/Dockerfile docker/Dockerfile.gpu docker/compose.yaml

.PHONY: deploy-env test-deploy prometheusrule pin-images sbom audit

deploy-env: $(DEPLOY_VENV)/done  ## Install the checkers of Dockerfiles, compose, manifests, SBOM

test-deploy: $(VENV)/dev.done $(DEPLOY_VENV)/done  ## All tests of docker/, the slow ones too
	@for tool in promtool prometheus debootstrap buildah kubectl node; do \
	  command -v $$tool > /dev/null || echo "$$tool is not installed: tests that need it skip" >&2; done
	$(BIN)/python -m pytest tests/docker -m 'slow or not slow'

prometheusrule:  ## Write the operator's alert rules from those of compose
	@{ printf '# Written by `make prometheusrule` from alerts.yml.\n'; \
	  printf 'apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRule\n'; \
	  printf 'metadata:\n  name: trajsim\n  labels: {app.kubernetes.io/name: trajsim}\nspec:\n'; \
	  sed -n '/^groups:/,$$p' docker/monitoring/alerts.yml | sed 's/./  &/'; \
	} > docker/monitoring/prometheusrule.yaml

pin-images:  ## Write the digests of all images that are named by a tag; needs docker
	@images=$$(grep -hoE '(PYTHON_IMAGE=|image: )[a-z/-]+:[v0-9.a-z-]+[0-9a-z]' $(PINNED) | \
	  sed 's/.*[= ]//' | grep -v '^trajsim:' | sort -u); \
	for image in $$images; do \
	  digest=$$(docker buildx imagetools inspect "$$image" --format '{{.Manifest.Digest}}') || exit 1; \
	  echo "$$image@$$digest"; \
	  sed -i -E "s|$$image(@sha256:[0-9a-f]+)?|$$image@$$digest|" $(PINNED); \
	done

sbom: $(DEPLOY_VENV)/done $(IMAGE_VENV)/done  ## Write build/sbom.json, CycloneDX, of what the image holds
	$(DEPLOY_BIN)/cyclonedx-py environment --pyproject pyproject.toml --mc-type application \
	  --output-reproducible --validate --output-file build/sbom.json $(IMAGE_VENV)/bin/python

audit: $(DEPLOY_VENV)/done  ## Look for known vulnerabilities of what the images hold
	for lock in image build cuda; do \
	  $(DEPLOY_BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements/$$lock.lock || exit 1; done

$(DEPLOY_VENV)/done: requirements/deploy.txt | $(VENV)/bin/python
	$(BIN)/python -m venv $(DEPLOY_VENV)
	$(DEPLOY_BIN)/python -m pip install --quiet -r requirements/deploy.txt
	@if command -v npm > /dev/null; then \
	  npm install --silent --no-fund --no-audit --prefix $(DEPLOY_VENV)/node $(OPERATOR_MODELS); fi
	@touch $@

# By the image's own steps, as an environment of this machine.
$(IMAGE_VENV)/done: requirements/image.lock requirements/build.lock docker/install.sh pyproject.toml | $(VENV)/bin/python
	rm -rf $(IMAGE_VENV) build/wheels
	export ENVIRONMENT=$(abspath $(IMAGE_VENV)) WHEELS=$(abspath build/wheels); \
	  sh docker/install.sh dependencies cpu && sh docker/install.sh wheel && sh docker/install.sh project
	@touch $@
