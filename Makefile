# Two commands on a fresh machine: `make demo` and `make test`. Both set up what they need.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Byte-compiled packages start several times faster; see docs/benchmarks.md.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo test check format bench bench-peers simulate lock models schema aws-lambda-ric clean
.DEFAULT_GOAL := test

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Headgate needs Python 3.11 or newer; name one with: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	$(BIN)/python -m compileall -q src
	@touch $@

demo: $(STAMP)  ## the sample API, a live canary, a promotion and a roll-back
	$(BIN)/python examples/demo.py

check: $(STAMP)  ## format, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# What `make test` and `make bench` use of the system, by Debian's names for command and package.
TEST_TOOLS := wrk bwrap:bubblewrap
BENCH_TOOLS := wrk nginx:nginx-light

# Install what is missing where that is possible, else say it in a line and go on: what needs it is skipped.
define need
	@missing=""; for each in $(1); do command -v $${each%%:*} >/dev/null || missing="$$missing $${each##*:}"; done; \
	if [ -n "$$missing" ] && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $$missing >/dev/null || true; \
	elif [ -n "$$missing" ]; then echo "not installed, so some of it is skipped; to have it: sudo apt-get install$$missing"; fi
endef

test: check  ## everything CI runs
	$(call need,$(TEST_TOOLS))
	$(BIN)/pytest -n 2 --dist loadfile --ignore=tests/stories/releases
	$(BIN)/pytest -n 4 --dist worksteal tests/stories/releases  # these wait more than they work

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(STAMP)  ## ratios in one run; the report is docs/benchmarks.md
	$(call need,$(BENCH_TOOLS))
	$(BIN)/python -m bench
	$(BIN)/python -m bench.functions

bench-peers:  ## what functions are measured beside: serverless-offline and MiniStack
	npm install --no-audit --no-fund --prefix .cache/bench-peers serverless@3 serverless-offline@13
	$(PYTHON) -m venv .cache/bench-peers/venv
	.cache/bench-peers/venv/bin/python -m pip install --quiet --disable-pip-version-check ministack

aws-lambda-ric:  ## AWS's own client for Node.js, which a test runs where it is there; compiles, so it is slow
	$(call need,node:nodejs npm autoreconf:autoconf aclocal:automake libtoolize:libtool g++ cmake)
	npm install --no-audit --no-fund --prefix .cache/aws-lambda-ric aws-lambda-ric

simulate: $(STAMP)  ## how often and how soon releases are rolled back, rightly and wrongly; the table of docs/statistics.md
	$(BIN)/python tools/simulate.py

schema: $(STAMP)  ## the JSON Schema of release files, and its reference in docs/releases.md
	$(BIN)/python tools/make_release_schema.py

models: $(STAMP)  ## service models and typed shapes, from the botocore of the lock file
	$(BIN)/python tools/make_models.py

lock: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --all-extras --group dev pyproject.toml --output-file requirements.lock

clean:
	rm -rf $(VENV) .headgate .cache bench/out
