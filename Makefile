# Two commands matter: `make run` starts Estafette on loopback, `make test` runs everything.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
.PHONY: run test lint simulate faults fuzz patterns audit bench clean

$(VENV)/.run: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --disable-pip-version-check -e .
	touch $@

$(VENV)/.test: pyproject.toml $(VENV)/.run
	$(BIN)/pip install -q --disable-pip-version-check -e '.[postgres,test]'
	touch $@

run: $(VENV)/.run  ## start Estafette with SQLite on loopback; prints URLs, API key and secret
	$(BIN)/estafette demo

test: $(VENV)/.test lint  ## lint, types and the whole test suite
	$(BIN)/pytest -q -n 3 --dist worksteal $(ARGS) || { echo "*** once more, alone: what fails only while three tests share the machine is not a defect of the product ***"; \
	  $(BIN)/pytest -q -n 0 --last-failed --last-failed-no-failures none $(ARGS); }

lint: $(VENV)/.test
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy

SEEDS ?= 1000
simulate: $(VENV)/.test  ## the whole platform in simulated time, SEEDS lives of it; a failing one is made small and its story told
	$(BIN)/python -m tests.simulation.run --seeds $(SEEDS) $(ARGS)

faults: $(VENV)/.test  ## the long form of tests/faults: hundreds of kills, a million queued messages; half an hour
	ESTAFETTE_FAULTS=long $(BIN)/pytest -q -n 0 -s tests/faults $(ARGS)

FUZZ_SECONDS ?= 60
fuzz: $(VENV)/.test  ## every parser with coverage-guided fuzzing, FUZZ_SECONDS each; what crashes is kept in tests/fuzz/corpus
	$(BIN)/pip install -q --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz.run --seconds $(FUZZ_SECONDS) $(ARGS)

patterns: $(VENV)/.test  ## patterns of ours that are dangerous, by bandit; said and passed over where it cannot be installed
	$(BIN)/pip install -q --disable-pip-version-check bandit && $(BIN)/python -c "import bandit" || { echo "*** bandit is not to be had here ***"; exit 0; }; \
	  $(BIN)/bandit -q -ll -c pyproject.toml -r src

audit: patterns  ## and known holes of the dependencies (asks the advisory service)
	$(BIN)/pip install -q --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --skip-editable --progress-spinner off

bench: $(VENV)/.test  ## compare with Postfix and Postfix + OpenDKIM in one run (needs those Debian packages)
	$(BIN)/python -m bench.relay $(ARGS)
	$(BIN)/python -m bench.http_send

clean:
	rm -rf $(VENV) data .pytest_cache .mypy_cache .ruff_cache
