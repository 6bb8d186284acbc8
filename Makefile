# Tieout: every verb builds .venv by itself. Needs Python >= 3.11, make and git.
#
#   make demo          run the main job on practice systems, then serve the web page
#   make demo ONCE=1   the same, and end by itself
#   make test          the tests (ARGS="-k words" chooses some, WORKERS=0 runs them in one process)
#   make campaign      the full counts of what the tests sample (PARTS=faults,switches,walk,
#                      killed,histories,rows,tamper,chaos,hostile,fuzz,xss,browser: a plan killed at every
#                      moment, 2,000 lives of a plan, a row lost at every place, 2,000 edits of trail
#                      and kept files, half an hour in which workers and the database die at random,
#                      1,500 hostile answers, 500 calls of each operation of the API, 1,000 hostile texts
#                      in every field that a page or file shows, every page in
#                      every way it can be looked at;
#                      PARTS=all: every case of every test)
#   make connections   the figures of connections: set-ups that ping names, forbidden addresses, 1,500
#                      hostile answers, places searched for secrets, round trips of a configuration
#   make check         style, types and the import rule
#   make fix           let ruff repair what it can
#   make bench         the speed and memory figures (ROWS=200000 for a short run; may end with 1)
#   make bench-trace   one record looked for among 100 million lines (ROWS=1000000 for fewer)
#   make bench-schedule  many flows due within a minute (PART=sqlite, postgres, idle or start)
#   make bench-scaleout  one backfill read by one, two and four workers (half an hour)
#   make chaos         workers and a database of its own die at random (SECONDS=120)
#   make bench-plan    20,000 plan lines exported, checked, differenced and built
#   make bench-pages   what every page costs with 2,000 runs, 1 million rejects and 10 million lines
#                      (ROWS=200000 ARGS="--rejects 10000" for fewer)
#   make docs          write the generated reference, check the documents against the code
#   make sim           the practice systems alone
#   make setup         build .venv only

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

# The version that wrote uv.lock. It is put into a throw-away environment, never on the machine.
UV_VERSION := 0.13.9
UV := .venv-uv/$(UV_VERSION)/bin/uv

# The first Python on the PATH that is new enough; `make PYTHON=/path/to/python3.12 …` overrides.
ifndef PYTHON
PYTHON := $(shell for p in python3.11 python3.12 python3.13 python3.14 python3; do \
	if command -v $$p >/dev/null 2>&1 && \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; \
	then command -v $$p; break; fi; done)
endif

# Without it every process of ours compiles two thousand files again: 2 s a start instead of 0.7.
unexport PYTHONDONTWRITEBYTECODE

BIN := .venv/bin
READY := .venv/.in-step-with-lock
DECODER := src/tieout/jde/build_decoder.py
DEMO_HOME := $(or $(TIEOUT_HOME),tieout-demo)
# One more than two cores: a quarter of its time a test waits for another process.
WORKERS ?= 3
DIST ?= loadfile
# Each run of a flow waits for the disk some hundred times: in memory the tests take two thirds.
TEST_TMP ?= $(shell test -w /dev/shm && \
	test "$$(df -k --output=avail /dev/shm 2>/dev/null | tail -1)" -gt 4000000 2>/dev/null && \
	echo /dev/shm || echo "$${TMPDIR:-/tmp}")
ROWS ?= 1000000
PARTS ?= faults,switches,walk,killed,histories,rows,tamper,chaos,hostile,fuzz,xss,browser
PART ?= all
ARGS ?=

.PHONY: help setup demo test campaign check fix bench bench-trace bench-plan bench-schedule
.PHONY: bench-scaleout bench-pages connections
.PHONY: chaos docs sim clean

help:
	@sed -n 's/^#   //p' Makefile

setup: $(READY)

$(UV):
	@test -n "$(PYTHON)" || { echo "Tieout needs Python 3.11 or newer on the PATH." >&2; exit 3; }
	@echo "Putting uv $(UV_VERSION) into .venv-uv with $(PYTHON)." >&2
	@rm -rf .venv-uv
	@"$(PYTHON)" -m venv .venv-uv/$(UV_VERSION) || { \
		rm -rf .venv-uv; \
		echo "$(PYTHON) cannot make an environment; on Debian: apt-get install python3-venv." >&2; \
		exit 3; }
	@.venv-uv/$(UV_VERSION)/bin/python -m pip install --quiet --disable-pip-version-check \
		"uv==$(UV_VERSION)"

# Made again only when the lock or the project file is newer. The decoder is optional: without a
# C compiler the pages are decoded by the Python route, with the same results.
$(READY): uv.lock pyproject.toml $(wildcard $(DECODER) src/tieout/jde/_decode.c) | $(UV)
	@UV_PYTHON_DOWNLOADS=never $(UV) sync --frozen --python "$(PYTHON)" --link-mode=copy
	@if test -f $(DECODER) && command -v gcc >/dev/null 2>&1; then \
		$(BIN)/python $(DECODER) || echo "The optional decoder was not built; going on." >&2; fi
	@touch $@

demo: $(READY)
	@$(BIN)/tieout demo $(if $(filter-out 0 no,$(ONCE)),--once) $(ARGS)

test: $(READY)
	@tmp=$$(mktemp -d $(TEST_TMP)/tieout-test.XXXXXX) && trap 'rm -rf "$$tmp"' EXIT && \
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --dist $(DIST) \
		--no-loadscope-reorder --basetemp "$$tmp/t" $(ARGS)

campaign: $(READY)
ifneq ($(findstring all,$(PARTS)),)
	@TIEOUT_CAMPAIGN=$(PARTS) $(MAKE) --no-print-directory test
else
	@TIEOUT_CAMPAIGN=$(PARTS) $(MAKE) --no-print-directory test DIST=worksteal \
		ARGS="tests/flows/test_wire_faults.py tests/flows/test_random_walk.py \
		tests/flows/test_settings_and_switches.py tests/flows/test_plan_faults.py \
		tests/flows/test_plan_killed.py tests/flows/test_accounted.py \
		tests/crash/test_submit_plan_killed.py tests/crash/test_load_table_killed.py \
		tests/flows/test_plan_histories.py \
		tests/store/test_tampering.py tests/crash/test_chaos.py \
		tests/test_hostile_answers.py tests/web/test_api_fuzzed.py tests/web/test_every_address.py \
		tests/web/test_hostile_words.py tests/browser $(ARGS)"
endif

connections: $(READY)
	@TIEOUT_CAMPAIGN=hostile $(MAKE) --no-print-directory test \
		ARGS="tests/verbs/test_pinging.py tests/verbs/test_pinging_anaplan.py tests/test_addresses.py \
		tests/test_hostile_answers.py tests/flows/test_secrets_stay.py tests/test_docs.py \
		tests/verbs/test_configuring.py tests/cli/test_config_commands.py tests/test_tutorial.py \
		tests/test_messengers.py tests/flows/test_new_vendor_words.py $(ARGS)"

# All four are run, so that one call shows everything that is wrong.
check: $(READY)
	@failed=0; \
	$(BIN)/ruff check . || failed=1; \
	$(BIN)/ruff format --check . || failed=1; \
	$(BIN)/mypy || failed=1; \
	$(BIN)/lint-imports || failed=1; \
	exit $$failed

fix: $(READY)
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

bench: $(READY)
	@$(BIN)/python -m bench --rows $(ROWS) $(ARGS)

bench-trace: $(READY)
	@$(BIN)/python -m bench.trace --rows $(if $(filter file,$(origin ROWS)),100000000,$(ROWS)) $(ARGS)

bench-schedule: $(READY)
	@$(BIN)/python -m bench.schedule --part $(PART) $(ARGS)

bench-scaleout: $(READY)
	@$(BIN)/python -m bench.scaleout $(ARGS)

chaos: $(READY)
	@$(BIN)/python -m bench.chaos --seconds $(or $(SECONDS),120) $(ARGS)

bench-plan: $(READY)
	@$(BIN)/python -m bench.plan $(ARGS)

bench-pages: $(READY)
	@$(BIN)/python -m bench.pages --rows $(if $(filter file,$(origin ROWS)),10000000,$(ROWS)) $(ARGS)

docs: $(READY)
	@$(BIN)/python tests/support/cli_reference.py
	@$(BIN)/python -m pytest tests/test_docs.py $(ARGS)

sim: $(READY)
	@$(BIN)/tieout sim --home $(DEMO_HOME) $(ARGS)

clean:
	rm -rf .venv .venv-uv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
