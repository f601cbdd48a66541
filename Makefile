# The two commands are `make book` and `make test`; `make help` lists the rest.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
PEERS := .venv-peers/.installed
NOTEBOOKS := 01_mask_convergence 02_graphon_estimation 03_graphon_ntk 04_spectra_and_training 05_your_own_network
CHAPTERS := $(NOTEBOOKS:%=book/chapters/%.ipynb)
SITE := book/_build/html/index.html
ARCHIVES := book/_build/archives/graphon-limit-hypothesis
# What prints the PDF, where there is one.
CHROMIUM ?= $(shell for name in chromium chromium-browser google-chrome; do command -v $$name && break; done)
LIBRARY := $(shell find graphon_lib -name '*.py')
STORES := $(shell find notebooks/results notebooks/sweeps -name '*.parquet' -o -name '*.yaml')
PAGES := $(shell find book -path book/_build -prune -o -path book/chapters -prune -o -type f -print | grep -v __pycache__)

# Two processes of one thread each get more done on two cores than one of two, and do not slow down a busy machine.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= passive
# What is imported is compiled when it is: compiling all that is installed takes longer than all else in an install.
export PIP_NO_COMPILE = 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export PYTHONWARNINGS ?=
# The kernels of this environment only, whatever else the user has installed.
export PYTHONNOUSERSITE = 1

# Kernels of the smallest network: what they compile is kept on disk.
COMPILE := from numpy import eye; from graphon_lib import *; \
  model = mlp(1, 4, inputs=2); graphon_ntk(eye(2), [None] * 2); \
  empirical_ntk(model, prune(model, 'random', 0.5), eye(2, dtype='float32'))

.PHONY: help .venv book chapters test lint notebooks picture rerun sweep audit benchmark mutation coverage clean
.DELETE_ON_ERROR:

help: ## list these commands
	@grep -E '^[a-z.]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z.]+):.*## /  make \1\t/' | expand -t 18

.venv: $(INSTALLED) ## make the Python environment, from pyproject.toml under constraints.txt

$(INSTALLED): pyproject.toml constraints.txt
	@echo "== installing into .venv (2 to 3 minutes)"
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "$(PYTHON) is too old: Python 3.11 or newer is needed; name one as make PYTHON=python3.12 …"; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "no venv module: on Debian, apt-get install python3-venv"; exit 1; }
	$(BIN)/pip install --constraint constraints.txt --editable '.[book,test]'
	@echo "== compiling the kernels (15 seconds), before two notebooks do so at once"
	@$(BIN)/python -c "$(COMPILE)"
	@touch $@

book: $(ARCHIVES)-notebooks.zip ## execute the notebooks, build the site and its archives, say where to open it
	@echo "The book: file://$(abspath $(SITE))"
	@echo "To take away: $(dir $(ARCHIVES))"
	@$(if $(CHROMIUM),,echo "The PDF is left out: there is no Chromium to print it. Get one (Debian: apt-get install chromium), or name one as make CHROMIUM=/path book.")

chapters: $(CHAPTERS)

# A notebook and its text are a pair: what was edited last is executed. With what, is part of the result.
EXECUTION := constraints.txt book/companion_site/execute.py
book/chapters/%.ipynb: notebooks/%.ipynb notebooks/%.md $(LIBRARY) $(STORES) $(EXECUTION) | $(INSTALLED)
	@mkdir -p book/chapters
	@$(BIN)/python -m companion_site.execute $< $@

# -W speaks the truth only on a clean build.
$(SITE): $(INSTALLED) $(LIBRARY) $(PAGES) $(STORES) $(EXECUTION) $(foreach ending,ipynb md,$(NOTEBOOKS:%=notebooks/%.$(ending)))
	@mkdir -p book/chapters
	@touch book/chapters/.begun
	@# A chapter that is a notebook's no longer has nothing to say on the pages that read them all.
	@rm -f $(filter-out $(CHAPTERS),$(wildcard book/chapters/*.ipynb))
	@$(MAKE) --no-print-directory $(if $(findstring jobserver,$(MAKEFLAGS)),,-j2) chapters
	@echo "== building the site"
	@rm -rf book/_build
	@$(BIN)/jupyter-book build -W -n --keep-going --quiet book
	@# The page that leads on to the first has no icon of its own, and some browsers would ask for one that is not there.
	@test -f $@ && echo '<link rel="icon" href="data:," />' >> $@
	@# As old as what it is made of: what changes meanwhile asks for another.
	@touch -r book/chapters/.begun $@

$(ARCHIVES).pdf: $(SITE)
	@echo "== printing the book (one minute)"
	@$(BIN)/python -m companion_site.pdf "$(CHROMIUM)"

$(ARCHIVES)-notebooks.zip: $(SITE) $(if $(CHROMIUM),$(ARCHIVES).pdf) Makefile README.md CHANGELOG.md
	@echo "== packing the archives"
	@$(BIN)/python -m companion_site.archives

test: book lint ## lint, types, unit tests, notebooks, the site in Chromium
	$(BIN)/pytest -n 2 --dist loadfile --nbval --nbval-current-env notebooks tests

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

rerun: export OMP_NUM_THREADS = $(shell nproc)
rerun: $(INSTALLED) ## one notebook with other parameters: NOTEBOOK=01_mask_convergence PARAMETERS="-p widths '[100,400]' -p trials 3"
	@case " $(NOTEBOOKS) " in *" $(NOTEBOOK) "*) ;; *) \
	  echo "NOTEBOOK is '$(NOTEBOOK)', but must be one of: $(NOTEBOOKS)"; exit 1;; esac
	@mkdir -p notebooks/runs
	$(BIN)/papermill notebooks/$(NOTEBOOK).ipynb notebooks/runs/$(NOTEBOOK).ipynb $(PARAMETERS)
	@echo "The run: notebooks/runs/$(NOTEBOOK).ipynb"

sweep: $(INSTALLED) ## compute what a grid's store lacks: CONFIG=notebooks/sweeps/masks.yaml, with STORE=, SCHEDULER=, WORKERS= as you like
	@test -n "$(CONFIG)" || { echo "CONFIG is empty, but must be a grid, such as notebooks/sweeps/masks.yaml"; exit 2; }
	$(BIN)/python -m graphon_lib sweep "$(CONFIG)" $(if $(STORE),--store "$(STORE)") \
	  $(if $(SCHEDULER),--scheduler "$(SCHEDULER)") $(if $(WORKERS),--workers $(WORKERS))

audit: STORE ?= notebooks/results/masks
audit: ROWS ?= 20
audit: $(INSTALLED) ## compute random stored rows again and compare: ROWS=20 STORE=notebooks/results/masks
	$(BIN)/python -m graphon_lib audit "$(STORE)" --rows $(ROWS)

notebooks: $(INSTALLED) ## after editing a notebook's .md: execute it and store its text outputs as the reference
	$(BIN)/python -m companion_site.reference $(NOTEBOOKS:%=notebooks/%.md)

picture: $(INSTALLED) ## redraw the picture of the README and the landing page
	$(BIN)/python -m companion_site.overview

$(PEERS): tests/benchmarks/requirements-peers.txt
	@echo "== installing the peers into .venv-peers (half a minute)"
	@$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/pip install --no-deps --requirement $<
	@touch $@

benchmark: export OMP_NUM_THREADS = 2
benchmark: $(INSTALLED) $(PEERS) ## our kernels against neural-tangents, as ratios measured in one run (12 minutes)
	PYTHONPATH=tests $(BIN)/python -m benchmarks

.venv/.mutation: $(INSTALLED)
	$(BIN)/pip install --constraint constraints.txt --editable '.[mutation]'
	@touch $@

mutation: .venv/.mutation ## the share of small mistakes that tests find: all (many hours), or SAMPLE=150 of each folder
	PYTHONPATH=tests $(BIN)/python -m mutation $(if $(SAMPLE),--sample $(SAMPLE))

# Compiled loops are seen where tests/test_global_state.py runs them as Python, in a process of its own.
coverage: $(INSTALLED) ## branches of graphon_lib that the unit tests reach; fails below 95 %
	$(BIN)/pytest -q -n 2 --dist loadfile --cov --cov-report=term $(foreach file,accessibility archives benchmark_page \
	  benchmarks environment explorer incremental notebooks pdf prose provenance reading site,--ignore=tests/test_$(file).py) tests

clean: ## remove what was built, but not .venv
	rm -rf book/_build book/chapters notebooks/runs mutants mutants-uncompiled
