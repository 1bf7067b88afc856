# make         set up .venv, run the miniature experiment, say where its results are
# make test    set up .venv, run all tests
# make lock    resolve requirements.in again
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
CORES ?= all
RESULTS := results/miniature
export PYTHONPATH := src

.PHONY: run test lock clean
run: $(VENV)/installed
	$(BIN)/snakemake --cores $(CORES) --quiet rules host
	@if [ ! $(RESULTS)/report.html -nt $(RESULTS)/report.stamp ]; then \
		$(BIN)/snakemake --quiet all --report $(RESULTS)/report.html; fi
	@$(BIN)/python -m consciousness_cluster.reporting.headline $(RESULTS)

test: $(VENV)/installed
	$(BIN)/python -m pytest

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

clean:
	rm -rf results .snakemake
