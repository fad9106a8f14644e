# make help lists what there is.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
TOOLS := $(abspath $(VENV))/tools
# Which of them `make test-python` runs.
TESTS ?= tests
# Of pytest, each with a PostgreSQL and a Redis of its own.
PROCESSES ?= 2
UV_COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements"

help: ## what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/dev ## everything on this machine; flags by ARGS="--port 8080 --workers 2"
	@exec $(BIN)/inventory-api dev $(ARGS)

observe: $(VENV)/test ## the same, with Prometheus, Alertmanager and what else is there to observe it; flags as for run, and --offset
	@PATH="$(TOOLS):$$PATH" exec $(BIN)/python -m observability.stack $(ARGS)

test: lint test-python ## style, types, imports, and every test but the drills and those that need a cluster

lint: $(VENV)/test ## style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-python: $(VENV)/test $(VENV)/node helm versitygw promtool ## pytest, without tests/e2e and tests/drills
	PATH="$(TOOLS):$$PATH" $(BIN)/pytest $(TESTS) --ignore tests/e2e --ignore tests/drills --ignore tests/alerting --numprocesses $(PROCESSES) --dist loadfile $(ARGS)

drill: $(VENV)/test versitygw promtool prometheus ## faults on real processes under load, counted; SHORT=1 takes the few that CI runs
	PATH="$(TOOLS):$$PATH" $(BIN)/pytest tests/drills -s --timeout 300 $(if $(SHORT),-m "not thorough" --times told) $(ARGS)

drill-alerts: $(VENV)/test prometheus alertmanager ## each alert fires by a real fault, arrives, and ends (twenty minutes; SHORT=1 takes four of them)
	PATH="$(TOOLS):$$PATH" $(BIN)/pytest tests/alerting -s $(if $(SHORT),-m "not thorough") $(ARGS)

bench: $(VENV)/test ## the service beside a plain FastAPI application with the same SQL, as ratios; SHORT=1 only tries it
	$(BIN)/python -m bench $(if $(SHORT),--rounds 1 --seconds 0.5 --told) $(ARGS)

bench-orders: $(VENV)/test ## orders and jobs, each beside what it is to be set against; SHORT=1 only tries it
	$(BIN)/python -m bench.orders $(if $(SHORT),--rounds 1 --seconds 0.5 --jobs 300) $(ARGS)

bench-telemetry: $(VENV)/test ## what logs, metrics and traces cost; SHORT=1 only tries it
	$(BIN)/python -m bench.telemetry $(if $(SHORT),--rounds 1 --seconds 0.5 --told) $(ARGS)

e2e: $(VENV)/test helm ## the chart on the cluster of KUBECONFIG; its image must be loaded there
	PATH="$(TOOLS):$$PATH" $(BIN)/pytest tests/e2e -s --timeout 900 $(ARGS)

format: $(VENV)/test ## make the code look as `make lint` wants it
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

chart: $(VENV)/test helm ## write what is made from the chart: schema, table of values, examples, k8s/
	PATH="$(TOOLS):$$PATH" $(BIN)/python -m helm.generate

observability: $(VENV)/test ## write what is made from the catalogue of metrics
	$(BIN)/python -m observability.generate

pictures: $(VENV)/test $(if $(PROMETHEUS),,prometheus) ## draw the dashboards into docs/images; PROMETHEUS=URL from what that one has
	PATH="$(TOOLS):$$PATH" $(BIN)/python -m observability.pictures $(if $(PROMETHEUS),--prometheus $(PROMETHEUS)) $(ARGS)

requirements: $(VENV)/test ## pin again what pyproject.toml asks for; UPGRADE=1 takes newer releases
	$(BIN)/python -m pip install --quiet uv
	for set in "" dev test; do \
		$(UV_COMPILE) $(if $(UPGRADE),--upgrade) $${set:+--extra dev} $$([ "$$set" = test ] && echo --extra test) pyproject.toml -o requirements/$${set:-runtime}.txt || exit 1; \
	done
	$(UV_COMPILE) $(if $(UPGRADE),--upgrade) requirements/build.in -o requirements/build.txt

clean: ## remove what the other targets made here, the demo data too
	rm -rf $(VENV) observability/pictures/draw/node_modules .data .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# ---- set-up --------------------------------------------------------------------------------

$(VENV)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set it by: make PYTHON=python3.13 ..." >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

# Installed with hashes only; the project itself without dependencies, so that nothing comes in unpinned.
define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/$(1).txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
endef

$(VENV)/dev: $(VENV)/python requirements/build.txt requirements/dev.txt pyproject.toml
	$(call install,dev)

$(VENV)/test: $(VENV)/python requirements/build.txt requirements/test.txt pyproject.toml
	$(call install,test)
	@touch $(VENV)/dev

# For the receivers of docs/webhooks.md.
$(VENV)/node: $(VENV)/test tests/support/javascript/package.json tests/support/javascript/integrity.txt
	$(BIN)/python -m tests.support.node $@
	@touch $@

# From PATH, else built by Go. Looked for each time: PATH is not the same in every shell.
helm: MODULE := helm.sh/helm/v3/cmd/helm@v3.22.0
helm: NEED := the tests of the chart need helm 3.14 or newer
versitygw: MODULE := github.com/versity/versitygw/cmd/versitygw@v1.8.0
versitygw: NEED := the tests of attachments need versitygw, a server of S3
promtool prometheus: MODULE := github.com/prometheus/prometheus@v0.314.0
promtool: NEED := the tests of rules need promtool 3
prometheus: NEED := alerts are seen firing by prometheus 3
alertmanager: MODULE := github.com/prometheus/alertmanager@v0.33.1
alertmanager: NEED := alerts are routed by alertmanager
helm versitygw promtool prometheus alertmanager: USABLE = command -v $@ >/dev/null
# Debian's has its template in a file of another place, and is of no use without it.
alertmanager: USABLE = { command -v $@ && { ! $@ --version 2>&1 | grep -q debian || [ -e /usr/share/prometheus/alertmanager/default.tmpl ]; }; } >/dev/null
helm versitygw: BUILD = GOBIN="$(TOOLS)" go install $(MODULE)
promtool prometheus alertmanager: BUILD = $(BUILD_FROM_SOURCE)
helm versitygw promtool prometheus alertmanager: $(VENV)/python
	@mkdir -p "$(TOOLS)"
	@$(USABLE) || [ -x "$(TOOLS)/$@" ] || { \
		command -v go >/dev/null || { echo "$(NEED), or Go to build it" >&2; exit 1; }; \
		echo "building $@ by Go, once (a few minutes)"; $(BUILD); }

# What `go install` refuses: one module excludes others, one embeds pages that npm has to make. Here they are empty, and nothing
# looks for targets at providers of clouds.
define BUILD_FROM_SOURCE
source=$$(mktemp -d) && trap 'rm -rf "$$source"' EXIT && \
		go mod download $(MODULE) && found=$$(go list -m -f '{{.Dir}}' $(MODULE)) && cp -R "$$found/." "$$source" && chmod -R u+w "$$source" && \
		mkdir -p "$$source/ui/app/dist" && touch "$$source/ui/app/dist/index.html" && \
		GOWORK=off go build -C "$$source" -tags remove_all_sd -trimpath -ldflags "-s -w" -o "$(TOOLS)/" ./cmd/$@
endef

.PHONY: help run observe test lint test-python drill drill-alerts bench bench-orders bench-telemetry e2e format chart observability pictures requirements helm versitygw promtool prometheus alertmanager clean
