# Every target that runs Python makes its own virtual environment when there is none.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
WEB := $(VENV)/.web
PARTS := requirements/mediapipe.txt requirements/mmpose.txt

.PHONY: venv demo web test test-web trust matrix docs lint clean

venv: $(STAMP)

$(STAMP): setup.py setup.cfg pyproject.toml $(PARTS) requirements/no_deps.txt plugins/mediapipe_human/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]' $(addprefix -r ,$(PARTS))
	$(BIN)/python -m pip install --quiet --no-deps -r requirements/no_deps.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable plugins/mediapipe_human
	$(BIN)/python -c 'import mmengine'  # writes a parser's cache, which processes that start together would garble
	touch $@

demo: $(STAMP)
	$(BIN)/python tools/demo.py

test: $(STAMP)
	$(BIN)/python -m pytest -n 2

# The page needs less than the whole of the above: a fresh machine gets that alone.
$(WEB): setup.py setup.cfg pyproject.toml requirements/mediapipe.txt requirements/no_deps.txt plugins/mediapipe_human/pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[web]' -r requirements/mediapipe.txt
	grep '^mediapipe' requirements/no_deps.txt | $(BIN)/python -m pip install --quiet --no-deps -r /dev/stdin
	$(BIN)/python -m pip install --quiet --no-deps --editable plugins/mediapipe_human
	$(BIN)/python -c 'import mmengine'
	touch $@

web: $(WEB)
	$(BIN)/python tools/web.py

test-web: $(STAMP) $(WEB)
	$(BIN)/python -m pip install --quiet --editable '.[browser]'
	command -v chromedriver || apt-get install --yes chromium chromium-driver || sudo apt-get install --yes chromium chromium-driver
	$(BIN)/python -m pytest tests/web

docs: $(STAMP)
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

trust: $(STAMP)
	$(BIN)/python -m tests.trust

matrix:
	$(PYTHON) tests/matrix.py

lint: $(STAMP)
	$(BIN)/ruff check .

clean:
	rm -rf $(VENV) .matrix .trust demo_output
