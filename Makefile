# The commands of this repository. Each sets up what it needs and says nothing
# when there is nothing to say; README.md leads with `demo` and `test`.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/lyceum
DENY := $(CACHE)/tools/bin/cargo-deny
CARGO ?= cargo
TARGET := $(or $(CARGO_TARGET_DIR),target)
# Always the whole workspace: built a package at a time, dependencies get other
# features each time and the AWS SDK is compiled again, which takes minutes.
WHOLE := --workspace --all-targets --locked
# Nodes run on what the program runs on.
NODE := $(shell uname -m)-unknown-linux-gnu
RUNNER := CARGO_TARGET_$(shell tr a-z- A-Z_ <<< $(NODE))_RUNNER

.PHONY: help root base setup test lint deny agent check demo faults drift bench

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):[^#]*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

# Nodes on this machine need root. Where it is somebody else who calls, that is
# said before anything is built; what starts no nodes asks for nothing.
root:
	@$(if $(filter --aws clouds,$(ARGS)),:,tests/as-root)

# What building and running need, with no browser.
base:
	@tests/setup.sh

setup: ## Make what building and testing need: packages, emulator, browser, cargo-deny
	@tests/setup.sh tests

test: root setup lint deny check ## Everything: format, lints, licences, all tests

lint:
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Advisories come from a database on GitHub: they are asked for where that can
# be relied upon, which is GitHub's own runners.
deny: setup
	$(DENY) --log-level error check licenses bans sources
ifeq ($(GITHUB_ACTIONS),true)
	$(DENY) --log-level error check advisories
else
	@echo 'skipped: advisories (their database is fetched on GitHub Actions only)'
endif

# Static, since a node's libraries are not this machine's. It goes beside the
# program, which looks for it there.
agent: base ## Build the agent that runs on nodes, beside the program
	RUSTFLAGS='-C target-feature=+crt-static' $(CARGO) build --quiet --locked \
		--package lyceum-agent --features program --profile agent --target $(NODE)
	install -D -m 0755 $(TARGET)/$(NODE)/agent/lyceum-agent $(TARGET)/debug/lyceum-agent
	install -D -m 0755 $(TARGET)/$(NODE)/agent/lyceum-agent $(TARGET)/release/lyceum-agent

# The system's tests run the program beside them, so it is built first. Cargo
# builds as whoever calls, and hands each test's program to the runner.
check: root setup agent
	$(CARGO) build $(WHOLE)
	$(RUNNER)='tests/as-root --test' $(CARGO) test --workspace --locked $(ARGS)

demo: root base agent ## Show it: a cluster on this machine (ARGS=--keep stays, --aws: AWS alone)
	@tests/demo/run $(ARGS)

faults: base agent ## Kill, throttle and cut off every call of an apply, a destroy, a removal
	$(CARGO) build --quiet $(WHOLE)
	$(TARGET)/debug/faults $(ARGS)

drift: base agent ## Change every owned attribute behind its back and see it mended
	$(CARGO) build --quiet $(WHOLE)
	$(TARGET)/debug/drift $(ARGS)

# Here alone the program is built for release, and by itself.
bench: root base agent ## Print calls, time and memory for 1, 10, 30 and 100 clusters
	$(CARGO) build --release --locked --package lyceum
	$(CARGO) build --release --locked --quiet --package system-tests --bin bench
	$(if $(filter clouds,$(ARGS)),,tests/as-root) $(TARGET)/release/bench $(ARGS)
