# Every target is something that a person wants. `make help` lists them.
.DEFAULT_GOAL := help
SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: help demo test check bench profile sim chaos canary fuzz soak up down kafka-up kafka-down kafka-ready prometheus-ready image-base images compose-up compose-demo compose-down docker-stop k8s proto lock clean

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Where the ordering log is: embedded or kafka, and then with how many BROKERS and ZOOKEEPERS.
ORDERING ?= embedded
LOG := --ordering $(ORDERING) $(if $(BROKERS),--brokers $(BROKERS)) $(if $(ZOOKEEPERS),--zookeepers $(ZOOKEEPERS))
LOG_READY := $(READY) $(if $(filter kafka,$(ORDERING)),kafka-ready)

demo: $(LOG_READY) ## A whole network on this machine, and one day of Alice's in it; ORDERING=embedded|kafka
	@$(BIN)/privy demo $(LOG)

test: $(READY) check kafka-ready prometheus-ready ## Every test there is
	@$(BIN)/pytest -q -n 2 --dist loadgroup --max-worker-restart 0

check: $(READY) ## Style, types, layers, and generated code that is not out of date
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python proto/generate.py --check

WORKLOAD ?= yardstick
IN_FLIGHT ?= 600
DURATION ?= 20
TRANSPORT ?= batch
RUNS ?= 1
LOAD = --workload $(WORKLOAD) --in-flight $(IN_FLIGHT) --duration $(DURATION) --transport $(TRANSPORT) $(if $(RATE),--rate $(RATE))
ORDERERS ?= 1
bench: $(LOG_READY) ## Load on a network of its own; WORKLOAD= IN_FLIGHT= DURATION= RATE= TRANSPORT=batch|unary RUNS= ORDERING= ORDERERS=
	@$(BIN)/python -m bench $(LOAD) $(LOG) --orderers $(ORDERERS) --runs $(RUNS)

profile: $(LOG_READY) ## Where each process spends its time under such a load, step by step; flame graphs go to var/profile
	@$(BIN)/python -m bench $(LOAD) $(LOG) --orderers $(ORDERERS) --runs $(RUNS) --profile var/profile

SEEDS ?= 1000
sim: $(READY) ## Networks in one process, where seeds say what goes wrong; SEEDS= (one again: python -m tests.simulation --seed N)
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS)

KILLS ?= 60
chaos: $(LOG_READY) ## Kill, stop and starve nodes under load, then look for all that was acknowledged; KILLS= SEED= ORDERING=
	@$(BIN)/python -m tests.chaos --kills $(KILLS) $(LOG) $(if $(SEED),--seed $(SEED))

canary: $(READY) ## Plant values in everything private, and look for them wherever they may not be
	@$(BIN)/python -m tests.canary

INPUTS ?= 100000
fuzz: $(READY) ## Hostile input for every reader and door, in one process; INPUTS= SEED= TARGET=
	@$(BIN)/python -W ignore -m tests.fuzz --inputs $(INPUTS) $(if $(SEED),--seed $(SEED)) $(if $(TARGET),--target $(TARGET))

soak: $(READY) kafka-ready prometheus-ready ## What takes hours: ten thousand seeds, every mutant, 200 kills, a million inputs, every power cut
	@$(BIN)/python -m tests.simulation --seeds 10000
	@$(BIN)/python -m tests.simulation.mutants --seeds 200
	@$(BIN)/python -m tests.chaos --kills 200
	@$(BIN)/python -m tests.chaos --kills 200 --ordering kafka
	@$(BIN)/python -m tests.chaos --kills 40 --ordering kafka --minutes
	@$(BIN)/python -W ignore -m tests.fuzz --inputs 1000000
	@$(BIN)/python -m tests.powerloss --cuts 10000
	@HOSTILE_TRANSACTIONS=500 SPOILT_ROUNDS=200 $(BIN)/pytest -q tests/e2e/test_hostile_clients.py tests/e2e/test_spoilt_calls.py
	@PATIENT_ALERTS=1 $(BIN)/pytest -q tests/e2e/test_watching.py
	@CONTAINERS_ORDERING=kafka $(BIN)/pytest -q tests/e2e/test_containers.py
	@$(BIN)/python -m bench --workload overload
	@$(BIN)/python -m bench.endurance

up: $(LOG_READY) $(if $(PROMETHEUS),prometheus-ready) ## Start the demo network and leave it running (var/demo); ORDERING= PROMETHEUS=1
	@$(BIN)/privy network up $(if $(filter kafka,$(ORDERING)),$(LOG)) $(if $(PROMETHEUS),--watch)

down: $(READY) ## Stop it
	@$(BIN)/privy network down

kafka-up: $(READY) kafka-ready ## Start brokers and ZooKeeper nodes on fixed ports (var/kafka); BROKERS=1 ZOOKEEPERS=1
	@$(BIN)/python -m deploy.kafka up $(if $(BROKERS),--brokers $(BROKERS)) $(if $(ZOOKEEPERS),--zookeepers $(ZOOKEEPERS))

kafka-down: $(READY) ## Stop them
	@$(BIN)/python -m deploy.kafka down

kafka-ready: $(READY)
	@$(BIN)/python -m deploy.kafka fetch

prometheus-ready: $(READY)
	@$(BIN)/python -m deploy.prometheus fetch

BASE ?= debian:12-slim
ROLES ?=
images: $(READY) ## Container images of every role, none with a key in it; BASE=debian:12-slim ROLES="orderer peer client kafka zookeeper"
	@$(BIN)/python -m deploy.images build --base $(BASE) $(ROLES)

image-base: $(READY) ## A base for images from Debian's packages, where no registry has one: then make images BASE=privysharing/base
	@$(BIN)/python -m deploy.images base

compose-up: $(READY) ## Start the demo network in containers, from those images, and leave it running (var/compose); TOPOLOGY= ORDERING=
	@$(BIN)/python -m deploy.compose up --topology $(TOPOLOGY) $(if $(filter kafka,$(ORDERING)),$(LOG))

compose-demo: $(READY) ## A day of Alice's on it, before anybody uses it
	@$(BIN)/python -m deploy.compose demo

compose-down: $(READY) ## Stop it
	@$(BIN)/python -m deploy.compose down

docker-stop: $(READY) ## Stop the Docker engine that images or compose-up started (var/docker), where none ran
	@$(BIN)/python -m deploy.images stop

TOPOLOGY ?= demo
k8s: $(READY) ## Keys and manifests for Kubernetes, which `kubectl apply -k k8s/overlays/demo` takes; TOPOLOGY=
	@$(BIN)/python -m deploy.kubernetes $(TOPOLOGY)

proto: $(READY) ## Generate privysharing/wire from proto/
	@$(BIN)/python proto/generate.py

lock: $(READY) ## Resolve pyproject.toml into requirements.lock, and what images hold of it
	@$(BIN)/pip install -q uv && $(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 \
		--extra dev --no-header --no-emit-index-url --no-emit-find-links -o requirements.lock pyproject.toml
	@$(BIN)/uv pip compile --quiet --generate-hashes --universal --python-version 3.11 --constraint requirements.lock \
		--no-header --no-emit-index-url --no-emit-find-links -o deploy/images/requirements.lock pyproject.toml

clean: ## Stop networks, Kafka and Docker below var/; remove what the other targets made, ledgers and keys included
	@for folder in var/*/; do \
		folder="$${folder%/}"; \
		if [ ! -e "$$folder/network.json" ]; then continue; fi; \
		if [ -e "$$folder/compose.yaml" ]; then $(BIN)/python -m deploy.compose down --folder "$$folder" || exit 1; continue; fi; \
		if [ -x $(BIN)/privy ]; then $(BIN)/privy network down --network "$$folder"; \
		elif ls "$$folder"/nodes/*/process.json >/dev/null 2>&1; then \
			echo "needed: $(VENV), to stop the network in $$folder, which may be running; try: make down clean" >&2; false; \
		fi || exit 1; \
	done
	@if ls var/kafka/cluster/*/process.json >/dev/null 2>&1; then \
		if [ -x $(BIN)/python ]; then $(BIN)/python -m deploy.kafka down; \
		else echo "needed: $(VENV), to stop Kafka in var/kafka, which may be running; try: make kafka-down clean" >&2; false; \
		fi || exit 1; \
	fi
	@if [ -e var/docker/process.json ]; then $(BIN)/python -m deploy.images stop; fi
	rm -rf $(VENV) var k8s/overlays/*/network build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# The environment is made again whenever what it is made from changes; PYTHON= names another interpreter than the fastest.
$(READY): requirements.lock recordings.lock pyproject.toml
	@deploy/environment.sh $(VENV) $(PYTHON)
	@touch $@
