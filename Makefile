# make setup | demo | test | test-scenes | test-plans | test-extras | test-studio | fuzz | bench | docs | pin | clean
# Needs Python 3.11 or newer with venv, and make. No compiler, no GPU, no torch.

VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: setup demo test test-scenes test-plans test-extras test-studio fuzz bench docs pin clean distclean

setup: $(READY)

$(BIN)/python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3; do \
	  if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    echo "$$python -m venv $(VENV)"; \
	    $$python -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python cannot make a virtual environment. On Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; \
	  fi; \
	done; \
	echo "rtswap needs Python 3.11 or newer. On Debian and Ubuntu: sudo apt install python3 python3-venv" >&2; exit 1

$(READY): requirements.txt requirements-dev.txt pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@$(BIN)/python -c 'import cv2' || { \
	  echo "OpenCV lacks a system library. On Debian and Ubuntu: sudo apt install libgl1 libglib2.0-0" >&2; exit 1; }
	@touch $@

demo: $(READY)
	$(BIN)/python scripts/demo.py

# The tests run in a namespace without a network, where the kernel lends one. Three at once, for two cores: some wait.
test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python tests/helpers/offline.py $(BIN)/pytest -q -n 3 --dist loadfile --no-loadscope-reorder

# Six times as many staged scenes as `make test` plays, with other people in other places.
test-scenes: $(READY)
	RTSWAP_SCENES=many $(BIN)/pytest -q --timeout 900 tests/scenes

# Every shipped network as a TensorRT plan, for real; no GPU and no torch is needed for it. Not part of `make test`:
# nobody without a GPU should have to download TensorRT (97 MB).
TENSORRT := tensorrt_rtx==1.7.1.116
test-plans: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(TENSORRT)
	RTSWAP_REQUIRE_TENSORRT=1 $(BIN)/pytest -q tests/engines tests/commands/build

# The tests of what only trainers and owners of GPUs install: torch, TensorRT for RTX (which builds plans without a GPU);
# and Gradio, in a folder of its own, since it wants an older Pillow.
# Elsewhere torch without CUDA comes by: make test-extras EXTRAS="torch --index-url https://download.pytorch.org/whl/cpu"
EXTRAS := torch==2.13.0 $(TENSORRT)
test-extras: $(READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(EXTRAS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target build/gradio "gradio>=5"
	PYTHONPATH=build/gradio RTSWAP_REQUIRE_GRADIO=1 $(BIN)/pytest -q tests/test_api_examples.py
	$(BIN)/pytest -q tests/engines tests/gpu tests/contracts tests/compositing tests/swappers tests/disclosure tests/app \
	  tests/faults tests/benchmarks tests/commands/bench tests/commands/build tests/commands/train tests/training \
	  tests/test_docs.py

# The studio's page in a real browser: Chromium from the distribution, driven by Playwright, which brings axe. Then
# LONG_RUN_S seconds with two viewers who come and go.
LONG_RUN_S := 300
BROWSER := playwright==1.65.2 axe-playwright-python==0.1.8
test-studio: $(READY)
	@command -v chromium >/dev/null || command -v google-chrome >/dev/null || [ -n "$$RTSWAP_CHROMIUM" ] || { \
	  echo "A browser is missing. On Debian: sudo apt install chromium; else set RTSWAP_CHROMIUM" >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade --target build/browser $(BROWSER)
	PYTHONPATH=build/browser RTSWAP_REQUIRE_BROWSER=1 RTSWAP_LONG_RUN_S=$(LONG_RUN_S) \
	  $(BIN)/pytest -q tests/web/test_browser.py tests/web/test_long_run.py

# The tests that make up their own input, with other input every time; then five minutes of attacks (Linux).
fuzz: $(READY)
	HYPOTHESIS_PROFILE=search $(BIN)/pytest -q -m hypothesis
	$(BIN)/python scripts/attack.py --seconds 300

bench: $(READY)
	@mkdir -p benchmarks/results
	$(BIN)/rtswap bench --overwrite --out benchmarks/results/bench.json

docs: $(READY)
	$(BIN)/python scripts/make_docs.py

pin: $(READY)
	$(BIN)/python scripts/pin.py

clean:
	rm -rf build dist demo .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find rtswap scripts tests docs benchmarks training -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean
	rm -rf $(VENV) *.egg-info
