# squid-ha: `make` lists the targets.
MAKEFLAGS += --no-print-directory
PY := .venv/bin/python
BIN := .venv/bin
SYSTEM_PY := sh setup/python.sh

.DEFAULT_GOAL := help
.PHONY: help setup doctor demo lab-up lab-down lab-status lab-ssh check test test-all test-hosts test-hooks test-cluster format docs lock clean distclean ready

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

doctor: ## what this machine lacks, and how many minutes things take
	@$(SYSTEM_PY) -m setup doctor

setup: ## all that is needed: system packages, Python, Pulumi (again: only what is missing); LAB=no without the lab
	@$(SYSTEM_PY) --install -m setup $(if $(LAB),--lab '$(LAB)')

demo: setup ## everything at once: lab, `pulumi up`, moves under load, proof; ENGINE=lifekeeper with that engine's stand-in
	@$(PY) -m setup.packages && $(PY) -m lab.demo $(if $(ENGINE),--engine '$(ENGINE)')

lab-up: setup ## start the lab: two nodes, client, origin
	@$(PY) -m setup.packages && $(PY) -m lab up

lab-down: ready ## stop the lab
	@$(PY) -m lab down

lab-status: ready ## what of the lab is running
	@$(PY) -m lab status

lab-ssh: ready ## a shell on a node: make lab-ssh NODE=qsp-a
	@test -n "$(NODE)" || { echo "Which node? make lab-ssh NODE=qsp-a" >&2; exit 2; }
	@$(PY) -m lab ssh $(NODE)

check: ready ## the inner loop: lint, types, import arrows, unit tests (no root, a minute)
	@$(PY) -m setup.stages check

test: setup ## all tests: check, then on containers, then on the VM pair
	@$(PY) -m setup.stages check thorough hosts cluster

test-all: setup ## all tests, with the long matrices in full (hours)
	@SQUID_HA_ALL_CUTS=1 PYTEST_ADDOPTS="-m ''" $(PY) -m setup.stages check thorough hosts cluster

test-hosts: ready ## the tests on containers; K=expression picks some
	@$(PY) -m setup.stages hosts $(if $(K),-k '$(K)')

test-hooks: ready ## hooks by the real pulumi-command, on containers; needs its plugin, and says how to get it
	@$(PY) -m setup.packages && $(PY) -m pytest tests/hooks -v $(if $(K),-k '$(K)')

test-cluster: ready ## the tests on the VM pair; K=expression picks some
	@$(PY) -m setup.stages cluster $(if $(K),-k '$(K)')

format: ready ## let ruff format and repair what it can
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

docs: ready ## write the pages of the settings and the schema of stack files anew, from the models
	@$(PY) -m setup.docs

lock: ready ## write requirements.txt anew from requirements.in
	@$(PY) -m setup.lock

clean: ## stop the lab and remove what runs leave behind; safe at any time
	@$(SYSTEM_PY) -m setup.clean

distclean: ## clean, and remove the environment, the tools and the cache too (state and passphrase stay)
	@$(SYSTEM_PY) -m setup.clean --all

ready:
	@test -x $(PY) || { echo "Not set up yet: run \`make setup\`." >&2; exit 1; }
