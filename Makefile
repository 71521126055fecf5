# Every command of the README. `make demo` and `make test` do all set-up themselves.
PYTHON ?= python3
PORT ?= 8000
SERVE ?= 1
VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test check bench setup lint types fast clean lock system messages

setup: $(VENV)/.installed frontend/dist/.built frontend/ohif/dist/ohif.json $(VENV)/.messages

$(VENV)/.installed: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 13) else "Ichor needs Python 3.11 or 3.12; set PYTHON= to it.")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q -r requirements.lock
	$(BIN)/pip install -q --no-deps --no-build-isolation -e .
	touch $@

frontend/node_modules/.installed: frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	touch $@

frontend/dist/.built: frontend/node_modules/.installed $(shell find frontend/islands frontend/styles frontend/icons -type f 2>/dev/null) frontend/ohif/config.js frontend/build.mjs frontend/palette.json
	cd frontend && npm run --silent build
	touch $@

frontend/ohif/dist/ohif.json: frontend/ohif/unpack.mjs
	node frontend/ohif/unpack.mjs

$(VENV)/.messages: $(VENV)/.installed $(wildcard apps/core/locale/*/LC_MESSAGES/django.po)
	$(BIN)/pybabel -q compile -D django -d apps/core/locale
	touch $@

demo: setup
	ICHOR_DEMONSTRATION=1 ICHOR_VAR=$${ICHOR_VAR:-var/demo} ICHOR_STUDY_NAME="Demonstration study" \
	  $(BIN)/python manage.py demo --port $(PORT) $(if $(filter 0,$(SERVE)),--no-serve)

system:
	sh tests/services/install.sh

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	cd frontend && npm run --silent check

types: setup
	$(BIN)/mypy

fast: setup
	$(BIN)/pytest -q -n 2 -m "not slow and not browser and not services" tests

check: lint types fast

# The second part is about SQLite: what asks no database, or only who may come in, has been seen in the first.
SEEN := tests/ml tests/test_docs.py tests/test_layout.py tests/test_urls.py tests/crf/redcap tests/imaging/deidentification
test: setup system lint types
	$(BIN)/python -m tests.services.with_servers $(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests
	$(BIN)/pytest -q -n 2 -m "not browser and not services and not slow" $(SEEN:%=--ignore=%) tests

bench: setup system
	$(BIN)/python -m tests.services.with_servers $(BIN)/python -m tests.bench

# Needs Debian's gettext; only for who changes texts. Compiling needs Babel alone.
messages: setup
	$(BIN)/python manage.py makemessages -l zh_Hans --no-obsolete --no-location -i .venv -i frontend -i tests -i var -i ml -i docs

lock:
	$(BIN)/pip freeze --exclude-editable | sed "s/^torch==.*/torch==2.13.0/" > requirements.lock

clean:
	rm -rf $(VENV) frontend/node_modules frontend/dist frontend/ohif/dist var
