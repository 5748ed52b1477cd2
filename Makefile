# Everything that a person does here, from `make run` on a machine with only Python >= 3.11.
#
# Targets set up what they need in .venv, from uv.lock, and again only when uv.lock or
# pyproject.toml changed. Options are passed in ARGS:
#     make run ARGS="--freshness new --max-credits 100"
#     make test ARGS="-k ledger"

# The Python that .venv is made with, by name or path; the first that is usable. One that is only
# found is not enough: pyenv's shims exist without running, and Debian's python3 comes without venv.
PYTHON ?= python3.13 python3.12 python3.11 python3 python

BIN := .venv/bin
RUN := .venv/.ready-run
DEV := .venv/.ready-dev
BENCH := .venv/.ready-bench
MUTATE := .venv/.ready-mutate

is_usable := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
usable_python = $(or $(shell for python in $(PYTHON); do \
	if "$$python" -c "$(is_usable)" >/dev/null 2>&1; then echo "$$python"; break; fi; done),\
	$(error No Python 3.11 or newer with venv and pip was found. Install one (on Debian with \
	python3-venv), or name it: make PYTHON=/path/to/python3))

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

##@ Use

.PHONY: run
run: $(RUN) ## The main job, on the sample or on your warehouse
	@exec $(BIN)/enrichment run $(ARGS)

# In a state folder of its own, or it would find that `make run` has bought everything already.
.PHONY: run-callbacks
run-callbacks: $(RUN) ## The same asynchronously: sandbox and receiver of callbacks on loopback
	@ENRICHMENT_HOME="$${ENRICHMENT_HOME:-data/state/callbacks}" \
		exec $(BIN)/enrichment run --callbacks $(ARGS)

.PHONY: ui
ui: $(RUN) ## Dagster's web UI, over the state that `make run` uses
	@exec $(BIN)/enrichment ui $(ARGS)

# In a state folder of its own, with a token that is made for this once.
.PHONY: entry-demo
entry-demo: $(RUN) ## The point of entry on the sample, with a form in the browser whose record fills in
	@ENRICHMENT_HOME="$${ENRICHMENT_HOME:-data/state/entry-demo}" \
		ENRICHMENT_API_TOKENS="$${ENRICHMENT_API_TOKENS:-$$($(BIN)/python -c \
			'import secrets; print(secrets.token_hex(16))')}" \
		exec $(BIN)/enrichment serve --demo $(ARGS)

##@ Work on it

# What Python compiles is kept: the tests start hundreds of processes.
test test-long: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: $(DEV) ## Every test but the long ones, in minutes
	@exec $(BIN)/python -m pytest -m "not long" $(ARGS)

.PHONY: test-long
test-long: $(DEV) ## The long ones: kills, whole runs, a year, many examples of each property
	@exec $(BIN)/python -m pytest -m "long or property" --hypothesis-profile long $(ARGS)

.PHONY: lint
lint: $(DEV) ## Linters, formatter, types, SQL, import rules, container file, spelling, links
	@status=0; \
	check() { echo "lint: $$*"; $(BIN)/"$$@" || status=1; }; \
	check ruff check --quiet --output-format concise; \
	check ruff format --check --quiet; \
	check ty check --no-progress --output-format concise; \
	check sqlfluff lint --nocolor --disable-progress-bar enrichment_pipeline; \
	check lint-imports --no-logo; \
	check hadolint deploy/Dockerfile; \
	check typos; \
	check zensical build --strict --clean; \
	exit $$status

.PHONY: docs
docs: $(DEV) ## The documentation as a site, in site/, with each page as Markdown, too
	@$(BIN)/zensical build --strict --clean
	@cd docs && find . -name '*.md' -exec cp --parents {} ../site \;

.PHONY: reference
reference: $(DEV) ## Write anew the pages of docs/ that are made of the code
	@exec $(BIN)/python tools/make_reference.py

.PHONY: bench
bench: $(BENCH) ## The benchmarks
	@exec $(BIN)/python -m benchmarks $(ARGS)

.PHONY: soak
soak: $(BENCH) ## The long ones: kills, readers, a year, Dagster's daemon; ten times the examples
	@$(BIN)/python -m benchmarks soak $(ARGS)
	@exec $(BIN)/python -m pytest -m property --hypothesis-profile soak --timeout 0

.PHONY: mutate
mutate: $(MUTATE) ## Which faults in the code of money and rules no test notices; half an hour
	@exec $(BIN)/python tools/mutate.py $(ARGS)

.PHONY: sample
sample: $(DEV) ## Write data/sample anew, from its seed
	@exec $(BIN)/python data/sample/make_sample.py $(ARGS)

.PHONY: setup
setup: $(DEV) ## Only set up, for running and for working on it

.PHONY: clean
clean: ## Remove .venv and the caches; data/state, which was paid for, stays
	@rm -rf .venv dist build .hypothesis .import_linter_cache .pytest_cache .ruff_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help
help: ## This list
	@awk 'BEGIN { FS = ":.*## " } \
		/^##@ / { printf "\n%s\n", substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# --- Set-up ---------------------------------------------------------------------------------------

# Set up anew: where a set-up was interrupted, and where the folder was moved or copied, because a
# virtual environment holds its own path.
FORCED := $(shell { [ ! -e .venv/.unfinished ] && read -r place < $(RUN) \
	&& [ "$$place" = "$$(pwd -P)" ]; } 2>/dev/null || echo FORCE)

.PHONY: FORCE
FORCE: ;

$(RUN): pyproject.toml uv.lock tools/bootstrap.py $(FORCED)
	@$(usable_python) tools/bootstrap.py run

$(DEV): $(RUN)
	@$(usable_python) tools/bootstrap.py dev

$(BENCH): $(DEV)
	@$(usable_python) tools/bootstrap.py bench

$(MUTATE): $(DEV)
	@$(usable_python) tools/bootstrap.py mutate
