# One command each; a machine needs Python >= 3.11 with its venv module, and make.
#
#   make serve      run `keystead dev` (ARGS="--listen 127.0.0.1:5000" passes options)
#   make test       all tests (ARGS="tests/crypto -k rsa" passes options to pytest)
#   make test-fast  the tests that are neither slow nor drive other people's clients
#   make wheel-compiled  a wheel in dist/ with its busiest modules compiled; needs a C compiler and Python's headers
#   make test-compiled   the tests of those modules' rooms, on such a wheel in an environment of its own
#   make check      formatting, lint, types, direction of imports, generated files
#   make docs       the documentation as HTML, in docs/_build/html
#   make bench      requests per second and CPU time per request
#   make profile    the CPU time of each stage of a request
#   make fuzz       each fuzz target for FUZZ_SECONDS (30), FUZZ_PAIRS (100000) of policies to analyze, property tests by chance
#   make setup      everything the above install
#   make ansible    Ansible in an environment of its own, so that its test runs too
#   make s3fs       s3fs and pandas in an environment of their own, likewise
#   make azurite    Azurite from the npm registry, so that the tests of its store run too
#   make scanners   Prowler and Checkov in environments of their own, so that their tests run too
#   make lock       pin the newest allowed dependencies again, with their hashes

# A distribution's own Python is mostly built with profile-guided optimisation, others often are not.
CANDIDATES := /usr/bin/python3 python3 python3.14 python3.13 python3.12 python3.11
FITS := import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))
PYTHON ?= $(shell for python in $(CANDIDATES); do \
	$$python -c '$(FITS)' 2>/dev/null && { echo $$python; break; }; done)

BIN := .venv/bin
# With --no-compile where most of what is installed is never imported.
INSTALL := -m pip --disable-pip-version-check -qq install --require-hashes
LOCK := $(BIN)/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-header \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options
# Servers and commands are started hundreds of times: each would compile all that it imports.
unexport PYTHONDONTWRITEBYTECODE

AZURITE := tests/objects/azurite
FUZZ_SECONDS ?= 30
FUZZ_PAIRS ?= 100000
# Tests of one file share a server, so they stay in one process; files come in the order of conftest.py. Tests often wait
# for a disk or a client, so there is one process more than the cores that the goals are set for.
TEST_PROCESSES ?= 3
SPREAD := -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder
PYTEST := $(BIN)/python -m pytest $(SPREAD)

# Of each compiled room; the whole suite takes as long as it does on the plain code.
COMPILED_TESTS := tests/test_project_compiled.py tests/api/test_api_pipeline.py tests/audit/test_audit_event.py \
	tests/audit/test_audit_redact.py tests/http tests/storage tests/wire/test_hostile_signatures.py tests/wire_room
WHEEL := KEYSTEAD_COMPILE=1 $(BIN)/python -m pip --disable-pip-version-check -qq wheel \
	--no-deps --no-build-isolation

# An environment whose Python was upgraded away is made anew.
$(shell for environment in .venv .venv-compiled .venv-docs .venv-ansible .venv-s3fs .venv-prowler .venv-checkov; do \
	test -e $$environment/bin/python || rm -rf $$environment; done)

.DELETE_ON_ERROR:
.PHONY: setup serve check test test-fast wheel-compiled test-compiled bench profile docs fuzz ansible s3fs \
	azurite scanners lock

setup: .venv/.run .venv/.dev .venv-docs/.docs

serve: .venv/.run
	@$(BIN)/keystead dev $(ARGS)

check: .venv/.dev
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/generate_wire.py --check
	$(BIN)/python tools/make_vectors.py --check
	$(BIN)/python tools/make_object_vectors.py --check
	$(BIN)/python tools/generate_docs.py --check

test: .venv/.dev
	$(PYTEST) $(ARGS)

test-fast: .venv/.dev
	$(PYTEST) -m "not slow and not client" $(ARGS)

wheel-compiled: .venv/.dev
	$(WHEEL) --wheel-dir dist .

test-compiled: .venv-compiled/.compiled
	KEYSTEAD_TEST_COMPILED=1 .venv-compiled/bin/python -m pytest $(SPREAD) \
		-m "not slow and not client" $(or $(ARGS),$(COMPILED_TESTS))

bench: .venv/.dev
	$(BIN)/python bench/run $(ARGS)

profile: .venv/.dev
	$(BIN)/python bench/stages.py $(ARGS)

docs: .venv-docs/.docs
	.venv-docs/bin/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

fuzz: .venv/.fuzz
	$(BIN)/python fuzz/fuzz_http.py $(FUZZ_SECONDS)
	$(BIN)/python fuzz/fuzz_analysis.py $(FUZZ_PAIRS)
	$(PYTEST) -m hypothesis --hypothesis-profile search
	for target in json log policy sigv4; do \
		$(BIN)/python fuzz/fuzz_$$target.py -max_total_time=$(FUZZ_SECONDS) || exit 1; done

ansible: .venv-ansible/.ansible

scanners: .venv-prowler/.prowler .venv-checkov/.checkov

s3fs: .venv-s3fs/.s3fs

azurite: $(AZURITE)/node_modules/.installed

lock: .venv/.dev
	$(LOCK) --upgrade -o requirements/run.txt pyproject.toml requirements/run.in
	for name in dev clients ansible s3fs docs fuzz checkov prowler; do \
		$(LOCK) --upgrade -o requirements/$$name.txt requirements/$$name.in || exit 1; done

# Each stamp is newer than what it installed, so that a second run installs nothing.

.venv/bin/python .venv-compiled/bin/python .venv-docs/bin/python .venv-ansible/bin/python .venv-s3fs/bin/python \
		.venv-prowler/bin/python .venv-checkov/bin/python:
	@test -n "$(PYTHON)" || { echo "Keystead needs Python >= 3.11 with its venv module" \
		"(Debian: apt-get install python3 python3-venv)" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(@:/bin/python=)

.venv/.run: requirements/run.txt pyproject.toml .venv/bin/python
	@echo "Installing what Keystead runs on into .venv"
	@$(BIN)/python $(INSTALL) -r requirements/run.txt
	@$(BIN)/python -m pip --disable-pip-version-check -qq install \
		--no-deps --no-build-isolation --editable .
	@touch $@

.venv/.dev: requirements/dev.txt requirements/clients.txt .venv/.run
	@echo "Installing what checks and tests need into .venv"
	@$(BIN)/python $(INSTALL) --no-compile -r requirements/dev.txt -r requirements/clients.txt
	@touch $@

.venv-compiled/.tests: requirements/run.txt requirements/dev.txt .venv-compiled/bin/python
	@echo "Installing what tests of a compiled wheel need into .venv-compiled"
	@.venv-compiled/bin/python $(INSTALL) --no-compile -r requirements/run.txt -r requirements/dev.txt
	@touch $@

.venv-compiled/.compiled: $(shell find src -name '*.py') pyproject.toml tools/hatch_build.py .venv/.dev \
		.venv-compiled/.tests
	@echo "Compiling a wheel and installing it into .venv-compiled"
	@rm -rf .venv-compiled/dist
	@$(WHEEL) --wheel-dir .venv-compiled/dist .
	@.venv-compiled/bin/python -m pip --disable-pip-version-check -qq install \
		--no-deps --force-reinstall .venv-compiled/dist/*.whl
	@touch $@

.venv/.fuzz: requirements/fuzz.txt .venv/.dev
	@$(BIN)/python $(INSTALL) -r requirements/fuzz.txt
	@touch $@

.venv-docs/.docs: requirements/docs.txt .venv-docs/bin/python
	@echo "Installing what builds the documentation into .venv-docs"
	@.venv-docs/bin/python $(INSTALL) -r requirements/docs.txt
	@touch $@

.venv-ansible/.ansible: requirements/ansible.txt .venv-ansible/bin/python
	@echo "Installing Ansible into .venv-ansible"
	@.venv-ansible/bin/python $(INSTALL) --no-compile -r requirements/ansible.txt
	@touch $@

.venv-s3fs/.s3fs: requirements/s3fs.txt .venv-s3fs/bin/python
	@echo "Installing s3fs and pandas into .venv-s3fs"
	@.venv-s3fs/bin/python $(INSTALL) --no-compile -r requirements/s3fs.txt
	@touch $@

$(AZURITE)/node_modules/.installed: $(AZURITE)/package-lock.json
	@echo "Installing Azurite into $(AZURITE)"
	@cd $(AZURITE) && npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@

.venv-prowler/.prowler: requirements/prowler.txt .venv-prowler/bin/python
	@echo "Installing Prowler into .venv-prowler"
	@.venv-prowler/bin/python $(INSTALL) --no-compile -r requirements/prowler.txt
	@touch $@

.venv-checkov/.checkov: requirements/checkov.txt .venv-checkov/bin/python
	@echo "Installing Checkov into .venv-checkov"
	@.venv-checkov/bin/python $(INSTALL) --no-compile -r requirements/checkov.txt
	@touch $@
