# `make` lists the targets. Everything is built by the first target that needs it, from git, make, curl and python3.

SHELL := bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PORT ?= 4566
PYTHON := .venv/bin/python
SETUP := infrastructure/local/setup.sh
AWS_PROJECT := infrastructure/local/aws
MEMBER := layers/personalization/pyproject.toml

CDK = PATH="$(CURDIR)/.venv/bin:$$PATH" .venv/bin/node node_modules/aws-cdk/bin/cdk --no-notices
CONTEXT = --context environment=$(or $(ENV),local) $(if $(NAME),--context name=$(NAME)) \
	$(if $(ROLLOUT),--context rollout=$(ROLLOUT))

# Stamps lie inside of what they stand for, so that removing a folder rebuilds it.
UV_READY := .local/uv/.ready
PYTHON_READY := .venv/.ready
CDK_READY := node_modules/.ready
AWS_READY := .local/emulator/.ready

export PORT DATA KEEP APPLY

.PHONY: bench prove help setup console demo demo-operations rollback replay-quarantine rebuild-profiles redrive up down status url analyze test check sbom format synth diff deploy

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(CDK_READY) $(AWS_READY) ## build the environment: .venv, the CDK command line, the local AWS
	@:

demo: setup ## the whole platform on this machine, events to recommendations (DATA=folder, KEEP=1)
	@$(PYTHON) -m infrastructure.local.demo

demo-operations: setup ## the operator's show: a gated publish, refused models, a rollback
	@$(PYTHON) -m infrastructure.local.demo.operations

rollback: setup ## put the previous model back in service on the running local AWS (PORT=4566)
	@$(PYTHON) -m infrastructure.local rollback

replay-quarantine: setup ## what lies in the quarantine of the running local AWS; APPLY=1 puts back what can go
	@$(PYTHON) -m infrastructure.local replay-quarantine

rebuild-profiles: setup ## hold the profiles of the running local AWS against its lake; APPLY=1 mends them
	@$(PYTHON) -m infrastructure.local rebuild-profiles

redrive: setup ## what ended in dead-letter queues of the running local AWS; APPLY=1 sends back what can go
	@$(PYTHON) -m infrastructure.local redrive

analyze: setup ## analyze the experiments of the running local AWS now, and show the results (PORT=4566)
	@$(PYTHON) -m infrastructure.local analyze

up: setup ## start a local AWS and deploy into it (PORT=4566)
	@$(PYTHON) -m infrastructure.local up

down: setup ## end it and remove all of it (PORT=4566)
	@$(PYTHON) -m infrastructure.local down

status: setup ## print the addresses of the running one (PORT=4566)
	@$(PYTHON) -m infrastructure.local status

url: setup ## print the address of its HTTP API only (PORT=4566)
	@$(PYTHON) -m infrastructure.local url

console: setup ## print the address of the operators' console, for a browser (PORT=4566)
	@$(PYTHON) -m infrastructure.local console

test: check ## check, and run every test, up to the one that deploys
	@$(PYTHON) -m pytest -n 2 --dist loadgroup --ignore tests/prove
	@PYTHONPATH=tests $(PYTHON) -m privileges --recorded

prove: setup ## the long proofs: the demos, every synthesis, ranking quality on a published log
	@$(PYTHON) -m pytest tests/prove -v

bench: setup ## time and memory of training and ranking by log size, and of a night with and without a snapshot
	@PYTHONPATH=tests $(PYTHON) -m benchmarks
	@PYTHONPATH=tests $(PYTHON) -m benchmarks.nights

check: setup ## formatting, lint, types, import rules, licences and known vulnerabilities
	@.venv/bin/ruff format --check
	@.venv/bin/ruff check
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@PYTHONPATH=tests $(PYTHON) -m supply_chain check

sbom: setup ## bills of materials (CycloneDX) of what is shipped and of everything, into dist/sbom
	@PYTHONPATH=tests $(PYTHON) -m supply_chain sbom

format: setup ## put the code in shape
	@.venv/bin/ruff check --fix
	@.venv/bin/ruff format

synth: setup ## CloudFormation templates of one environment into cdk.out (ENV=local, dev or prod; NAME of your own)
	@$(CDK) synth --quiet $(CONTEXT)

diff: setup ## what a deployment would change in your account (ENV=dev or prod)
	@$(CDK) diff --method template $(CONTEXT)

deploy: setup ## deploy into your account (ENV=dev or prod; NAME of your own; ROLLOUT=at-once without a canary)
	@$(CDK) deploy --all --require-approval never $(CONTEXT)

$(UV_READY): $(SETUP)
	@bash $(SETUP) uv
	@touch $@

$(PYTHON_READY): $(UV_READY) uv.lock pyproject.toml $(MEMBER)
	@bash $(SETUP) python
	@touch $@

$(CDK_READY): $(PYTHON_READY) package.json package-lock.json
	@bash $(SETUP) cdk
	@touch $@

$(AWS_READY): $(UV_READY) $(AWS_PROJECT)/pyproject.toml $(AWS_PROJECT)/uv.lock
	@bash $(SETUP) aws
	@touch $@
