# What one does with this checkout. `make help` lists it.

PY := .venv/bin/python
CODE := tui tests docs scripts
# Four tests at a time, on any number of cores: most of them wait for sound in real time.
BESIDE := --numprocesses=4 --dist=worksteal

# Images of containers often switch Python's cache off. Here hundreds of processes would compile the package each time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help run test check workflows format proof bench lock

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' Makefile

run: ## start Mictape, installing what is missing first; ARGS="..." goes to it
	@sh scripts/setup.sh run
	@$(PY) -P -m mictape $(ARGS)

test: ## run the tests, installing what they need first; ARGS="..." goes to pytest
	@sh scripts/setup.sh test
	@$(PY) -m pytest $(BESIDE) $(ARGS)

check: ## look at style, types and who imports whom
	@sh scripts/setup.sh dev
	@$(PY) -m ruff check $(CODE)
	@$(PY) -m ruff format --check $(CODE)
	@.venv/bin/basedpyright --level error
	@.venv/bin/lint-imports

SCHEMA := check-jsonschema==0.39.0 --builtin-schema

workflows: ## look at what GitHub runs, with tools that are fetched for it
	@sh scripts/setup.sh dev
	@.venv/bin/uvx --quiet $(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	@.venv/bin/uvx --quiet $(SCHEMA) vendor.dependabot .github/dependabot.yml
	@.venv/bin/uvx --quiet $(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/*.yml
	@.venv/bin/uvx --quiet zizmor==1.32.0 --offline --no-progress --quiet --min-severity medium .github

format: ## lay the code out and sort its imports
	@sh scripts/setup.sh dev
	@$(PY) -m ruff check --select I --fix $(CODE)
	@$(PY) -m ruff format $(CODE)

proof: ## the long runs, before an issue is closed; ARGS="..." goes to pytest
	@sh scripts/setup.sh test
	@$(PY) -m pytest -m "proof or hypothesis" --hypothesis-profile=proof --timeout=3600 $(ARGS)

bench: ## measure; BENCH=engines for one of them, ARGS="--part hour" for a part of it
	@sh scripts/setup.sh test
	@PYTHONPATH=tests $(PY) -m bench $(BENCH) $(ARGS)

COMPILE := .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	$(ARGS)

lock: ## compile the locks again after a change of dependencies; ARGS=--upgrade takes newer versions
	@sh scripts/setup.sh dev
	@$(COMPILE) pyproject.toml --output-file requirements.lock
	@$(COMPILE) --group dev --constraint requirements.lock --output-file tests/requirements.lock
	@$(COMPILE) --extra pyaudio --constraint requirements.lock pyproject.toml | awk '/^[a-z]/ { kept = /^pyaudio==/ } kept' \
		>tests/pyaudio.lock
