# Understudy: every target sets up what it needs. Python 3.11 or newer, nothing else.
PYTHON ?= python3
# cpu (onnxruntime) or gpu (onnxruntime-gpu); never both, they own one module
EXTRAS ?= cpu
VENV   ?= .venv$(if $(filter gpu,$(EXTRAS)),-gpu)
OUT    ?= demo_out

BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test lint types imports unit bench clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.user-$(EXTRAS): pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e ".[$(EXTRAS)]"
	@touch $@

$(VENV)/.dev-$(EXTRAS): pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet -e ".[dev,publish,farm,editorial,tracing,openvino,$(EXTRAS)]"
	@touch $@

demo: $(VENV)/.user-$(EXTRAS) ## render the demo shot, run all four roles on it, write a report
	$(BIN)/understudy demo $(OUT)

test: lint types imports unit ## everything that must pass

lint: $(VENV)/.dev-$(EXTRAS) ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev-$(EXTRAS) ## mypy, strict
	$(BIN)/mypy
	for pack in $$(dirname models/*/*.py | sort -u); do $(BIN)/mypy "$$pack" || exit 1; done

imports: $(VENV)/.dev-$(EXTRAS) ## import-linter: the layer rules
	PYTHONPATH=host_bridge/python $(BIN)/lint-imports
	cd training && $(abspath $(BIN))/lint-imports --config importlinter.toml --no-cache

unit: $(VENV)/.dev-$(EXTRAS) ## pytest, on two processes
	$(BIN)/pytest -n 2 --dist loadfile

bench: $(VENV)/.dev-$(EXTRAS) ## speed and memory per role beside the raw library call; what passing a frame to a service costs
	$(BIN)/python benchmarks/run.py
	$(BIN)/python benchmarks/transport.py

clean: ## remove what the targets made
	rm -rf $(VENV) demo_out bench_out dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
