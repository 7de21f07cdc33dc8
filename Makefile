# Each target makes the environment in .venv if it is missing. Windows: see README.md.
# On Linux PyTorch comes with CUDA, 2.9 GB; TORCH=cpu takes the small build for CPUs instead.
PYTHON ?= python3
TORCH ?=
BIN := .venv/bin
# In a container one is often root, which Jupyter has to be told is meant.
AS_ROOT := $(if $(filter 0,$(shell id -u)),--allow-root)

.PHONY: lab demo play test test-pages test-nbgrader fuzz course site clean

# The root of the server is this folder, so that links and pictures of every page are found.
lab: .venv/ready  ## open the course in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=. notebooks/00_watch_it_think.ipynb $(AS_ROOT)

demo: .venv/ready  ## train a tiny TRM from nothing and watch it solve puzzles
	$(BIN)/trm-lite demo

# A page reads its modules and weights from a server only, not from files.
play: .venv/ready  ## put the thinking page together and serve it; any server can, offline too
	$(BIN)/python site/assemble.py build/site/play
	$(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site/play

# The notebooks run beside the tests, because both wait for other programs now and then. nbval is
# for notebooks only, and takes seconds to import in every process. A hundred processes import the
# package, so Python may keep what it compiles, whatever the environment says.
test: .venv/ready  ## all that needs nothing but requirements.txt; the two targets below need more
	$(BIN)/ruff check .
	@mkdir -p build
	@unset PYTHONDONTWRITEBYTECODE; \
	OMP_NUM_THREADS=1 TRM_LITE_PROFILE=smoke \
	  $(BIN)/pytest -p forked_kernels -p nbval_strict --nbval-lax notebooks \
	  > build/notebooks.txt 2>&1 & notebooks=$$!; \
	$(BIN)/pytest -n 2 --dist worksteal -p no:nbval -p no:logging -p forked_kernels \
	  -m 'not pages'; tests=$$?; \
	wait $$notebooks; lessons=$$?; cat build/notebooks.txt; exit $$((tests | lessons))

test-pages: .venv/site-ready  ## JupyterLab, the site and the thinking page, in Chromium
	$(BIN)/python -m pip install --quiet --disable-pip-version-check playwright==1.65.2
	$(BIN)/pytest -n 2 --dist loadfile -p no:nbval -m pages

fuzz: .venv/ready  ## ten minutes of damaged and strange inputs for everything that reads files
	TRM_LITE_FUZZ=42 $(BIN)/pytest -n 0 tests/fuzz

test-nbgrader: .venv/ready .venv-nbgrader/ready  ## the assignments go through the real nbgrader
	TRM_LITE_NBGRADER=$(CURDIR)/.venv-nbgrader/bin/nbgrader $(BIN)/pytest \
	  tests/classroom/test_nbgrader.py

.venv-nbgrader/ready: .venv/ready  # apart: it would put its own pages into everybody's JupyterLab
	@$(PYTHON) -m venv .venv-nbgrader
	@.venv-nbgrader/bin/python -m pip install --quiet --disable-pip-version-check nbgrader==0.9.6
	@touch $@

.venv/ready: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; name one with: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "Python's venv module is missing; on Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Making the environment in .venv, once; this takes a few minutes ..."
	@$(PYTHON) -m venv .venv
	@if [ "$(TORCH)" = cpu ]; then \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check uv && \
	  $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --torch-backend=cpu \
	    "$$(grep '^torch==' requirements.txt)"; \
	fi
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

course: .venv/ready  ## run all lessons into runs/course; PROFILE=smoke is quick
	$(BIN)/trm-lite course --profile $(or $(PROFILE),mini)

site: .venv/site-ready  ## the course as a site in build/site, to be read without installing anything
	@$(BIN)/python site/build.py build/site
	@echo "Open build/site/index.html in a browser."

.venv/site-ready: .venv/ready
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[site]'
	@touch $@

clean:  ## remove the environment
	rm -rf .venv .venv-nbgrader
