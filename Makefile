# What a newcomer types. Every target but `help`, `lock` and `clean` begins with bin/bootstrap, which
# installs what is missing and takes no time when nothing is.
.DEFAULT_GOAL := help
.PHONY: help install demo test check compiled bench fuzz lock clean

PYTHON := .venv/bin/python

help: ## say what the targets do
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 10

install: ## install what is missing (Debian packages need root)
	@bin/bootstrap

demo: install ## replay December 2010 and print the scoreboard
	@.venv/bin/filterbed run china-2010/december --out runs

# Those on the real kernel mostly wait, so two run at a time; those that measure time run alone.
test: install ## run every test, those on the real kernel included
	@$(PYTHON) -m pytest -m "not live" -n 2 $(PYTEST)
	@$(PYTHON) -m pytest -m "live and not alone" -n 2 $(PYTEST)
	@$(PYTHON) -m pytest -m "live and alone" $(PYTEST)

check: install ## lint, format, types, import contracts, scenarios
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@.venv/bin/filterbed check scenarios/library

# The same tests, on a wheel built in a scratch folder: make compiled PYTEST='-x'
compiled: install ## compile the censor's hot modules and run its tests on them
	@bin/compiled-test $(PYTEST)

bench: install ## measure, print one table, write benchmarks/latest.json
	@$(PYTHON) -m benchmarks

# Bounded by cases and by seconds, of each target: make fuzz FUZZ='--cases 100000 --seconds 300'
FUZZ := --cases 10000 --seconds 30
fuzz: install ## feed damaged packets to every dissector and to the engine (x86_64)
	@$(PYTHON) -m pip install --quiet --no-deps --require-hashes -r fuzz/requirements.lock
	@$(PYTHON) -m fuzz $(FUZZ)

lock: ## write the locks anew (needs uv, which filterbed itself does not)
	@{ sed -n '/^#/p' requirements.lock; uv pip compile pyproject.toml bin/build.txt --extra dev \
	  --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet; \
	} >requirements.lock.new && mv requirements.lock.new requirements.lock
	@{ sed -n '/^#/p' fuzz/requirements.lock; uv pip compile fuzz/requirements.txt \
	  --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --quiet; \
	} >requirements.lock.new && mv requirements.lock.new fuzz/requirements.lock

clean: ## remove what was made here: .venv, runs, caches
	rm -rf .venv runs build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
	  .import_linter_cache benchmarks/latest.json benchmarks/build fuzz/found
