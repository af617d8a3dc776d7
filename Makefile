# The only task runner: people and CI call the same targets.
# Every target starts from nothing: it makes the environment it needs.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
GEN := .venv-gen
BENCH_VENV := .venv-bench

# A test that waits for its services leaves a core idle: two processes share the files of tests,
# still in random order. A file stays whole, so that its fixtures are made once.
TWO_AT_A_TIME := --numprocesses 2 --dist loadfile --no-loadscope-reorder

# Debian packages the tests need beyond Python and make.
DEBIAN_PACKAGES := git python3-venv postgresql haproxy redis-server strace
# Those the C++ client is built with, and what its tests need more.
CPP_PACKAGES := cmake ninja-build g++ libgrpc++-dev libprotobuf-dev protobuf-compiler \
	protobuf-compiler-grpc nlohmann-json3-dev libre2-dev libcli11-dev
DEBIAN_PACKAGES += $(CPP_PACKAGES) libgtest-dev libgmock-dev
# A baseline of the benchmarks; without it its lines are null.
BENCH_PACKAGES := etcd-server

export PIP_DISABLE_PIP_VERSION_CHECK := 1
pip_install = deploy/retry $(1)/python -m pip install --quiet

# Of `make chaos`; a command line overrides them.
export CHAOS_SECONDS ?= 30
export CHAOS_STORE ?= sqlite
export CHAOS_SEED

# Of C++ builds: each goes into a folder of clients/cpp/build.
CPP := clients/cpp
export CMAKE_BUILD_PARALLEL_LEVEL ?= $(shell nproc)
cmake_preset = cd $(CPP) && cmake --preset $(1) --log-level=WARNING -DTICKMESH_PYTHON=$(abspath $(BIN)/python) \
	&& cmake --build --preset $(1)

.DEFAULT_GOAL := help
.PHONY: help demo deps deps-bench cpp cpp-tests cpp-tsan test test-long lint format gen verify-gen bench chaos clean setup

help: ## Show the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# One stamp an environment: reinstalled when what it depends on changes.
$(VENV)/.server: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "tickmesh needs Python 3.11 or newer; set PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || { echo "python3 -m venv failed: run 'make deps' first"; exit 1; }
	$(call pip_install,$(BIN)) --upgrade 'pip>=25.1'
	$(call pip_install,$(BIN)) --editable '.[server]'
	@touch $@

$(VENV)/.dev: $(VENV)/.server
	$(call pip_install,$(BIN)) --editable '.[server,postgres,redis,pandas,polars,examples]' --group dev
	@touch $@

# grpcurl, for the transcript in docs/ that a test executes.
$(BIN)/grpcurl: $(VENV)/.dev
	@deploy/retry deploy/go-install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 $(BIN)
	@touch $@

# A client of Arrow Flight in Go, which knows nothing of ours.
$(BIN)/ticks-go: $(VENV)/.dev $(wildcard tests/integration/tickstore/go_client/*)
	@deploy/retry deploy/go-install tests/integration/tickstore/go_client $(BIN)
	@touch $@

$(GEN)/.gen: pyproject.toml
	@test -x $(GEN)/bin/python || $(PYTHON) -m venv $(GEN)
	$(call pip_install,$(GEN)/bin) --upgrade 'pip>=25.1'
	$(call pip_install,$(GEN)/bin) --group gen
	@touch $@

# A baseline that has no wheel for this Python is left out, and its lines say so.
$(BENCH_VENV)/.bench: pyproject.toml
	@test -x $(BENCH_VENV)/bin/python || $(PYTHON) -m venv $(BENCH_VENV)
	@$(BENCH_VENV)/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BENCH_VENV)/bin/python -m pip install --quiet --group bench && touch $@ || { echo "ArcticDB, DuckDB and Delta could not be installed: their baselines will be null" >&2; rm -rf $(BENCH_VENV); }

setup: $(VENV)/.dev ## Make the development environment

demo: $(VENV)/.server ## Run the whole mesh on generated ticks, from nothing, and print its balance
	@$(BIN)/tickmesh demo

deps: ## Install the Debian packages the tests need (asks first, unless CI=true or YES=1)
	@deploy/debian-packages install $(DEBIAN_PACKAGES)

deps-bench: ## Install the Debian packages that benchmarks compare with
	@deploy/debian-packages install $(BENCH_PACKAGES)

cpp: $(VENV)/.server ## Build the C++ client and install it into clients/cpp/build/install
	@deploy/debian-packages check $(CPP_PACKAGES)
	$(call cmake_preset,release)
	@cmake --install $(CPP)/build/release > $(CPP)/build/install.log
	@echo "installed: CMAKE_PREFIX_PATH=$(abspath $(CPP))/build/install"

# Under AddressSanitizer and UndefinedBehaviorSanitizer; and a program that holds generated stubs alone.
cpp-tests: $(VENV)/.dev cpp
	$(call cmake_preset,asan)
	$(CPP)/build/asan/tests/tickmesh_unit_tests --gtest_brief=1
	@cmake -S tests/integration/cpp/plain_client -B $(CPP)/build/plain_client -G Ninja --log-level=WARNING
	cmake --build $(CPP)/build/plain_client

cpp-tsan: $(VENV)/.dev
	$(call cmake_preset,tsan)
	$(CPP)/build/tsan/tests/tickmesh_unit_tests --gtest_brief=1

test: $(VENV)/.dev $(BIN)/grpcurl $(BIN)/ticks-go ## Run every test that CI runs
	@deploy/debian-packages check $(DEBIAN_PACKAGES)
	@$(MAKE) --no-print-directory cpp-tests
	$(BIN)/python -m pytest -m 'not long' $(TWO_AT_A_TIME)

test-long: $(VENV)/.dev ## Run the long tier: kill loops, fuzzing, ThreadSanitizer
	@deploy/debian-packages check $(DEBIAN_PACKAGES)
	@$(MAKE) --no-print-directory cpp-tsan
	$(BIN)/python -m pytest -m long --timeout 3600

lint: $(VENV)/.dev verify-gen ## Check contract, style, types, import rules and generated code
	$(BIN)/buf lint
	$(BIN)/buf format --diff --exit-code
	@deploy/buf-breaking $(BIN)/buf
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	@git ls-files '*.h' '*.cc' | xargs $(BIN)/clang-format --dry-run -Werror
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Format Python, C++ and protos
	$(BIN)/ruff check --fix
	$(BIN)/ruff format
	git ls-files --cached --others --exclude-standard '*.h' '*.cc' | xargs $(BIN)/clang-format -i
	$(BIN)/buf format --write

gen: $(GEN)/.gen ## Generate the Python stubs from proto/
	@PATH="$(CURDIR)/$(GEN)/bin:$$PATH" $(GEN)/bin/python proto/generate.py

verify-gen: $(GEN)/.gen
	@PATH="$(CURDIR)/$(GEN)/bin:$$PATH" $(GEN)/bin/python proto/generate.py --check

bench: $(VENV)/.dev $(BENCH_VENV)/.bench ## Run the benchmarks; BENCH=name for one of them
	@deploy/debian-packages check $(DEBIAN_PACKAGES)
	$(if $(filter-out cpp,$(or $(BENCH),cpp)),,$(call cmake_preset,bench))
	@$(BIN)/python -m bench $(BENCH)

# CHAOS_SECONDS, CHAOS_SEED, CHAOS_STORE: how long, which run again, on sqlite or postgres.
chaos: $(VENV)/.dev ## Break a registry for CHAOS_SECONDS and judge what its clients saw; then seed known bugs
	$(BIN)/python -m tests.chaos run
	$(BIN)/python -m tests.chaos gate

clean: ## Remove environments, builds and caches
	rm -rf $(VENV) $(GEN) $(BENCH_VENV) $(CPP)/build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
