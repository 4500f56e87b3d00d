# Everything a newcomer needs, from a bare Python 3.11 on. `make serve` starts the proxy, `make test` proves it works.
PYTHON ?= python3
# Only tests, training and GPUs need torch. Its default wheel brings CUDA along; for a CPU-only one see the README.
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# Arguments for the command, as in: make serve ARGS="--config policies.yaml"
ARGS ?=

.PHONY: serve demo local wheel test test-slow lint types layers format clean

# llama.cpp for x86-64 processors with AVX2 (arm64 ignores the AVX lines), without its server, tools and tests.
# A default build takes longer and runs on no other processor than the one it was built on.
LLAMA_CPU ?= -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON
LLAMA_FLAGS := -DGGML_NATIVE=OFF $(LLAMA_CPU) \
	-DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_TOOLS=OFF -DLLAVA_BUILD=OFF
# Where built wheels are kept, so that the next installation takes seconds.
WHEELS ?= $(HOME)/.cache/moosproxy/wheels

serve: $(VENV)/.base
	$(BIN)/moos serve $(ARGS)

demo: $(VENV)/.base
	$(BIN)/moos demo $(ARGS)

# GGUF models on this machine: builds llama.cpp once, some minutes; needs a C++ compiler.
local: $(VENV)/.local

# A portable wheel alone, into WHEELS, for other machines; not one that pip remembers from a build for this processor.
wheel: | $(VENV)/bin/python
	mkdir -p $(WHEELS)
	CMAKE_ARGS="$(LLAMA_FLAGS)" $(BIN)/pip wheel -q --no-deps --no-cache-dir -c constraints.txt --find-links $(WHEELS) -w $(WHEELS) llama-cpp-python

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
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q -c constraints.txt -e .
	touch $@

$(VENV)/.local: pyproject.toml constraints.txt | $(VENV)/bin/python
	mkdir -p $(WHEELS)
	CMAKE_ARGS="$(LLAMA_FLAGS)" $(BIN)/pip wheel -q --no-deps -c constraints.txt --find-links $(WHEELS) -w $(WHEELS) llama-cpp-python
	$(BIN)/pip install -q -c constraints.txt --find-links $(WHEELS) -e ".[local]"
	touch $(VENV)/.base $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/pip install -q $(TORCH)
	$(BIN)/pip install -q -c constraints.txt -e ".[dev,train,soft]"
	touch $(VENV)/.base $@
