.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PACKAGES := $(sort $(dir $(wildcard shared/*/pyproject.toml services/*/pyproject.toml)))
STAMP := $(VENV)/.installed
IMAGES := directory smtp-ingress relay mda mailstore mss admin nats postgres s3
SIDE_BY_SIDE ?= 3

.PHONY: help setup run test soak bench lint images images-test kube-validate kube-test lock clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP) ## make .venv with the locked dependencies and Barid itself (.venv/bin/barid)

$(STAMP): requirements.lock $(wildcard shared/*/pyproject.toml services/*/pyproject.toml)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation $(PACKAGES:%=-e %)
	$(BIN)/python -m compileall -q shared services # else the first start does it: half a second
	@touch $@

run: setup ## run the whole system on unprivileged ports with a demo domain; says how to try it
	@echo "Starting Barid on ports above 10000 with its data in ./data. Mail for other domains is kept, never sent."
	@$(BIN)/barid up

test: setup lint ## every check: style, types, contracts of import, tests
	$(BIN)/pytest -n $(SIDE_BY_SIDE) --dist loadfile --no-loadscope-reorder

soak: setup ## kill processes under load, 20 rounds, and the tests that take minutes or gigabytes
	BARID_SOAK_ROUNDS=$${BARID_SOAK_ROUNDS:-20} $(BIN)/pytest tests/chaos
	$(BIN)/pytest -m slow

bench: setup ## measure throughput, latency, start-up and memory (docs/performance.md)
	$(BIN)/python -m bench

lint: setup ## ruff, mypy and the import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

images: ## build every service's image, and those of what it stands on, with docker, podman or buildah
	deploy/images/make.sh

images-test: setup ## start each image as its user on a read-only root and ask how it is (buildah and root, after make images)
	$(BIN)/pytest deploy/images/tests

kube-validate: setup ## ask a real Kubernetes (KUBECONFIG) about every overlay; changes nothing there
	KUBECTL=$(abspath $(BIN)/kubectl) deploy/k8s/validate.sh

kube-test: setup ## run all of it on a real Kubernetes (KUBECONFIG) and see pods come and go; KUBE_LOAD brings images there
	$(if $(KUBE_LOAD),$(MAKE) images && $(KUBE_LOAD) $(IMAGES:%=localhost/barid/%:dev))
	BARID_KUBE_TEST=1 $(BIN)/pytest -s --durations=20 tests/kube

lock: ## pin all dependencies with hashes, naming no host
	$(BIN)/python tools/third_party.py | cat - dev-requirements.in | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url -o requirements.lock -

clean: ## remove what make made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache
