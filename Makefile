# make         set up .venv, run the miniature experiment, say where its results are (EXPERIMENT=name: another one)
# make test    set up .venv, run all tests but Slurm's
# make test-slurm  the same for Slurm: starts one on this machine (as root, on Debian or Ubuntu)
# make lock    resolve requirements.in again
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

.PHONY: run test test-slurm lock
run: $(VENV)/installed
	$(SNAKEMAKE) --cores $(CORES) --quiet rules host reason
	@if [ ! -e $(RESULTS)/report.html ] || [ -n "$$(find $(RESULTS)/figures -name '*.svg' -newer $(RESULTS)/report.html)" ]; then \
		$(SNAKEMAKE) --quiet all --report $(RESULTS)/report.html; fi
	@PYTHONPATH=src $(BIN)/python -m consciousness_cluster.reporting.headline $(RESULTS)

test: $(VENV)/installed
	$(BIN)/python -m pytest

test-slurm: $(VENV)/installed
	$(BIN)/python -m pytest tests/slurm

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
